// Package tally keeps a simulated org's counters in a file, so that what was
// counted, and the API usage of the rolling day, survive a restart.
package tally

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// name is the file in the org's directory.
const name = "counters.json"

// Counts are the counters. A nil map has nothing counted.
type Counts struct {
	Calls      map[string]int         `json:"calls"`
	Batches    map[string]map[int]int `json:"batches"` // calls by operation and size
	Hours      map[int64]int          `json:"hours"`   // API requests by hour, in hours since 1970 UTC
	Duplicates int                    `json:"duplicates"`
	MaxPerLock int                    `json:"max_in_flight_per_parent"`
	Lost       int                    `json:"lost_replies"`
	Locked     int                    `json:"lock_refusals"`
}

// ErrDamaged is the error of a file that cannot be read as counters. It stands
// aside then, and what was counted is lost; nothing else depends on it.
var ErrDamaged = errors.New("the counters are damaged and begin anew; " + name + ".damaged has what was there")

// Load reads the counters of a directory; a directory without any has none.
func Load(dir string) (Counts, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return Counts{}, nil
	}
	if err != nil {
		return Counts{}, fmt.Errorf("reading the counters: %w", err)
	}
	c, err := Parse(text)
	if err != nil {
		aside := os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+".damaged"))
		return Counts{}, errors.Join(ErrDamaged, err, aside)
	}
	return c, nil
}

// Parse reads what Save wrote. Negative counts are refused.
func Parse(text []byte) (Counts, error) {
	var c Counts
	if err := json.Unmarshal(text, &c); err != nil {
		return Counts{}, err
	}
	counts := slices.Concat([]int{c.Duplicates, c.MaxPerLock, c.Lost, c.Locked}, slices.Collect(maps.Values(c.Calls)), slices.Collect(maps.Values(c.Hours)))
	for _, sizes := range c.Batches {
		counts = slices.AppendSeq(counts, maps.Values(sizes))
	}
	if slices.ContainsFunc(counts, func(n int) bool { return n < 0 }) {
		return Counts{}, errors.New("a count is negative")
	}
	return c, nil
}

// Save replaces the counters of a directory. A half-written file never stands
// under the counters' name.
func Save(dir string, c Counts) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	next := filepath.Join(dir, name+".new")
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = file.Write(text)
		err = errors.Join(err, file.Sync(), file.Close())
	}
	if err == nil {
		err = os.Rename(next, filepath.Join(dir, name))
	}
	if err != nil {
		return fmt.Errorf("keeping the counters: %w", err)
	}
	return nil
}

// Clone copies the counters with their maps.
func (c Counts) Clone() Counts {
	c.Calls, c.Hours, c.Batches = maps.Clone(c.Calls), maps.Clone(c.Hours), maps.Clone(c.Batches)
	for operation, sizes := range c.Batches {
		c.Batches[operation] = maps.Clone(sizes)
	}
	return c
}
