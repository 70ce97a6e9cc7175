package scenario

import (
	"embed"
	"io/fs"
	"slices"
	"strings"
)

//go:embed builtin/*.yaml samples/*.yaml
var files embed.FS

// BuiltIn is the file of a scenario that is built in; ok is false where none has
// the name.
func BuiltIn(name string) (text []byte, ok bool) {
	if !slices.Contains(Names(), name) {
		return nil, false
	}
	text, err := files.ReadFile("builtin/" + name + ".yaml")
	return text, err == nil
}

// Names are those of the scenarios that are built in as files.
func Names() []string { return []string{"invite-storm", "onsale", "pentest", "soak"} }

// Samples are commented files to begin one's own with, by their names.
func Samples() (map[string][]byte, error) {
	all := map[string][]byte{}
	names, err := fs.Glob(files, "samples/*.yaml")
	for _, name := range names {
		text, e := files.ReadFile(name)
		if e != nil {
			return nil, e
		}
		all[strings.TrimPrefix(name, "samples/")] = text
	}
	return all, err
}
