// Package schema decides what a program does with a store whose tables another
// version of it made. Both engines read the same rules here; each applies the
// steps in its own words.
//
// Steps expand and contract: a step adds, and what is no longer needed goes a
// release after the last program that needs it. So programs of two neighbouring
// versions work on one store at the same time.
package schema

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Known is what a program knows of its store's schema.
type Known struct {
	// Steps make it; its version is their number.
	Steps []string
	// ReadableFrom is the oldest version whose programs may use a store that has
	// taken all the steps.
	ReadableFrom int
}

// Read takes the steps from the files of a directory, in order of their names.
func Read(files fs.FS, readableFrom int) (Known, error) {
	known := Known{ReadableFrom: readableFrom}
	names, err := fs.Glob(files, "schema/*.sql")
	for _, name := range names {
		text, readErr := fs.ReadFile(files, name)
		err = errors.Join(err, readErr)
		known.Steps = append(known.Steps, strings.TrimSuffix(strings.TrimSpace(string(text)), ";"))
	}
	return known, err
}

// ErrNothing says that there is no store where one was to be opened as it is.
var ErrNothing = errors.New("there is no store yet")

// Missing are the steps that a store lacks, for whoever may make and upgrade it:
// it has taken as many as have says (0: it was never made), and programs from
// version from on may use it. A store of a newer program that this one may not
// use is an error.
func (k Known) Missing(have, from int) ([]string, error) {
	if have <= len(k.Steps) {
		return k.Steps[have:], nil
	}
	if from > len(k.Steps) {
		return nil, fmt.Errorf("the schema has version %d and can be used from version %d on, this program knows %d; use the newer program", have, from, len(k.Steps))
	}
	return nil, nil
}

// Usable is nil for a store that can be used as it is, for whoever makes and
// upgrades nothing; ErrNothing where there is none.
func (k Known) Usable(have, from int) error {
	missing, err := k.Missing(have, from)
	switch {
	case err != nil:
		return err
	case have == 0:
		return ErrNothing
	case len(missing) > 0:
		return fmt.Errorf("the schema has version %d and this program needs %d; start one instance of this version (turnout serve), which upgrades it, or use the older program", have, len(k.Steps))
	}
	return nil
}

// Opens is nil for a store that a program may open: as it is, if it is to be there
// already, or else to make or upgrade it. have and from are those of Missing.
func (k Known) Opens(have, from int, existing bool) error {
	if existing {
		return k.Usable(have, from)
	}
	_, err := k.Missing(have, from)
	return err
}

// Same is nil for a store that has exactly what this program knows, for whoever
// copies it: with less there is nothing to copy from, and more would be left behind.
func (k Known) Same(have int) error {
	switch {
	case have == 0:
		return ErrNothing
	case have < len(k.Steps):
		return fmt.Errorf("the schema has version %d, this program copies version %d; start an instance of it there first", have, len(k.Steps))
	case have > len(k.Steps):
		return fmt.Errorf("the schema has version %d, of which this program would copy what version %d has; use the program that made it", have, len(k.Steps))
	}
	return nil
}
