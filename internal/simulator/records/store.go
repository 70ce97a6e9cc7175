// Package records keeps the records of a simulated org in memory, under the
// rules of its schema, and on disk when it is given a directory.
//
// It promises: a write is checked as Salesforce checks it and either happens
// whole or not at all; SystemModstamp never goes back from one write to the
// next; what [Store.Write] returned from survives the death of the process.
// All methods are safe for concurrent use.
package records

import (
	"fmt"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Options says what a store holds and where.
type Options struct {
	Schema *schema.Schema
	Dir    string // "" keeps records in memory only
	Now    func() time.Time
}

// Store is the records of one org.
type Store struct {
	schema *schema.Schema
	now    func() time.Time

	mu      sync.RWMutex
	tables  map[*schema.Object]*Table
	stamp   int64 // the newest stamp given out
	journal *journal
}

// New makes an empty store. It does no I/O.
func New(options Options) *Store {
	s := &Store{schema: options.Schema, now: options.Now}
	if s.now == nil {
		s.now = time.Now
	}
	if options.Dir != "" {
		s.journal = &journal{dir: options.Dir}
	}
	s.clear()
	return s
}

func (s *Store) clear() {
	s.tables = make(map[*schema.Object]*Table, len(s.schema.Objects()))
	for _, object := range s.schema.Objects() {
		s.tables[object] = newTable(object)
	}
}

// Schema is the org's schema.
func (s *Store) Schema() *schema.Schema { return s.schema }

// View is a consistent sight of the records, valid inside [Store.Read] or
// [Store.Write] only. Rows taken from it stay readable afterwards.
type View struct{ s *Store }

// Read runs a function that may look at everything and change nothing.
func (s *Store) Read(look func(View)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	look(View{s})
}

// Write runs a function as one transaction: when it returns an error, or when
// the journal cannot be written, nothing of it remains.
func (s *Store) Write(change func(*Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := &Tx{View: View{s}}
	if err := change(tx); err != nil {
		tx.rollback(0)
		return err
	}
	if s.journal != nil && len(tx.log) > 0 {
		if err := s.journal.append(tx); err != nil {
			tx.rollback(0)
			return fmt.Errorf("writing the journal: %w", err)
		}
	}
	for _, c := range tx.log {
		c.table.settle()
	}
	return nil
}

// Reset removes every record.
func (s *Store) Reset() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	if s.journal == nil || s.journal.file == nil {
		return nil
	}
	return s.journal.snapshot(s)
}

// Schema is the org's schema.
func (v View) Schema() *schema.Schema { return v.s.schema }

// Table is the records of one object.
func (v View) Table(object *schema.Object) *Table { return v.s.tables[object] }

// User is the id of the user that the API acts as; "" in an empty org.
func (v View) User() string { return v.first("User") }

// Organization is the org's own id; "" in an empty org.
func (v View) Organization() string { return v.first("Organization") }

func (v View) first(name string) string {
	table := v.s.tables[v.s.schema.Object(name)]
	if table == nil || table.Len() == 0 {
		return ""
	}
	return table.ID(table.At(0))
}

// ByID finds a record of any object; nil, nil when there never was one.
func (v View) ByID(id string) (*Table, *Row) {
	if !WellFormed(id) {
		return nil, nil
	}
	object := v.s.schema.ByPrefix(id[:3])
	if object == nil {
		return nil, nil
	}
	table := v.s.tables[object]
	if row := table.ByID(id); row != nil {
		return table, row
	}
	return nil, nil
}

// Value is a field's value in canonical form; "" is null.
func (v View) Value(t *Table, row *Row, field *schema.Field) string {
	switch field.Index {
	case schema.AtID:
		return t.ID(row)
	case schema.AtCreated:
		return FormatTime(row.Created)
	case schema.AtModified:
		return FormatTime(row.Modified)
	case schema.AtStamp:
		return FormatTime(row.Stamp)
	case schema.AtDeleted:
		return boolText(row.Deleted)
	case schema.AtUser:
		return v.User()
	}
	if field.CopyOf != "" {
		return v.copied(t, row, field)
	}
	return row.Values[field.Index]
}

// copied reads a CampaignMember's copy of its person.
func (v View) copied(t *Table, row *Row, field *schema.Field) string {
	for _, name := range [...]string{"ContactId", "LeadId"} {
		lookup := t.Object.Field(name)
		if lookup == nil || row.Values[lookup.Index] == "" {
			continue
		}
		persons, person := v.ByID(row.Values[lookup.Index])
		if person == nil {
			return ""
		}
		if field.CopyOf == "Company" && name == "ContactId" {
			accounts, account := v.ByID(v.Value(persons, person, persons.Object.Field("AccountId")))
			if account == nil {
				return ""
			}
			return v.Value(accounts, account, accounts.Object.Field("Name"))
		}
		if source := persons.Object.Field(field.CopyOf); source != nil {
			return v.Value(persons, person, source)
		}
	}
	return ""
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// FormatTime writes Unix milliseconds in the canonical form of date-times,
// which sorts as text.
func FormatTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(timeLayout) }

func boolText(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
