// Package sample holds the records that a demonstration starts with: two
// invented organisations, one that keeps its events in the Turnout package's
// objects and one that keeps them as campaigns. Dates are relative to the day
// they are loaded. All names are invented.
package sample

import (
	"embed"
	"fmt"
	"regexp"
	"strconv"
	"time"
	_ "time/tzdata" // the zones must load on any machine

	"github.com/goccy/go-yaml"
)

//go:embed turnout.yaml campaigns.yaml
var files embed.FS

// Record is one record to make, parents before their children.
type Record struct {
	Object string `yaml:"object"`
	// Values are field values in canonical form, once loaded.
	Values map[string]string `yaml:"values"`
	// Children are made after it; Field is their lookup to it.
	Children []Child `yaml:"children"`
}

// Child is a list of records below another one.
type Child struct {
	Object string              `yaml:"object"`
	Field  string              `yaml:"field"`
	Rows   []map[string]string `yaml:"rows"`
}

// Load reads the sample records with their dates counted from now, and with pictures of
// their events at addresses that begin with pictures; empty is for none.
func Load(now time.Time, pictures string) ([]Record, error) {
	var all []Record
	for _, name := range [...]string{"turnout.yaml", "campaigns.yaml"} {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("reading the sample: %w", err)
		}
		var file struct {
			Records []Record `yaml:"records"`
		}
		if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("reading the sample %s: %w", name, err)
		}
		for _, record := range file.Records {
			if err := record.settle(now, pictures); err != nil {
				return nil, fmt.Errorf("reading the sample %s: %w", name, err)
			}
			all = append(all, record)
		}
	}
	return all, nil
}

func (r *Record) settle(now time.Time, pictures string) error {
	depict(r.Values, pictures)
	if err := settle(r.Values, now); err != nil {
		return err
	}
	for _, child := range r.Children {
		for i, row := range child.Rows {
			row["Position__c"] = strconv.Itoa(i + 1)
			if err := settle(row, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// picture is where an event's picture goes: "{picture of SLUG}".
var picture = regexp.MustCompile(`\{picture of ([a-z-]+)\}`)

func depict(values map[string]string, pictures string) {
	for name, value := range values {
		values[name] = picture.ReplaceAllStringFunc(value, func(match string) string {
			if pictures == "" {
				return ""
			}
			return pictures + picture.FindStringSubmatch(match)[1]
		})
	}
}

var (
	// moment is "+21d 09:00 Europe/Vienna", day "+21d", and inner either of a
	// day and a clock time inside a longer text: "{+21d 09:00}".
	moment = regexp.MustCompile(`^\+(\d+)d (\d\d):(\d\d) (\S+)$`)
	day    = regexp.MustCompile(`^\+(\d+)d$`)
	inner  = regexp.MustCompile(`\{\+(\d+)d (\d\d:\d\d)\}`)
)

// settle replaces relative dates. Days are counted in UTC, so that all dates
// of an event move together.
func settle(values map[string]string, now time.Time) error {
	today := now.UTC().Truncate(24 * time.Hour)
	after := func(days string) time.Time {
		n, _ := strconv.Atoi(days) // the patterns allow digits only
		return today.AddDate(0, 0, n)
	}
	for name, value := range values {
		if parts := moment.FindStringSubmatch(value); parts != nil {
			zone, err := time.LoadLocation(parts[4])
			if err != nil {
				return fmt.Errorf("field %s: %w", name, err)
			}
			hour, _ := strconv.Atoi(parts[2])
			minute, _ := strconv.Atoi(parts[3])
			d := after(parts[1])
			at := time.Date(d.Year(), d.Month(), d.Day(), hour, minute, 0, 0, zone)
			values[name] = at.UTC().Format("2006-01-02T15:04:05.000Z")
			continue
		}
		if parts := day.FindStringSubmatch(value); parts != nil {
			values[name] = after(parts[1]).Format(time.DateOnly)
			continue
		}
		values[name] = inner.ReplaceAllStringFunc(value, func(match string) string {
			parts := inner.FindStringSubmatch(match)
			return after(parts[1]).Format(time.DateOnly) + " " + parts[2]
		})
	}
	return nil
}
