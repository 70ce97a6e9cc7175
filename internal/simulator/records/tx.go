package records

import (
	"fmt"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Op is what a write does to a record.
type Op string

// The writes.
const (
	Create Op = "create"
	Update Op = "update"
	Upsert Op = "upsert"
	Delete Op = "delete"
)

// Set gives a field a value.
type Set struct {
	Field *schema.Field
	Value string // canonical; "" clears the field
	// By names the parent by a key of its own instead of its id: the lookup
	// Field is set to the record of Parent whose field By equals Value.
	By     *schema.Field
	Parent *schema.Object
}

// Write is one record to change.
type Write struct {
	Op     Op
	Object *schema.Object
	ID     string        // update and delete
	Key    *schema.Field // upsert: the field to match
	Value  string        // upsert: its value
	Sets   []Set
	// UpdateOnly makes an upsert refuse to create.
	UpdateOnly bool
	// Trusted writes may set read-only fields: samples and seeds.
	Trusted bool
	// Fault refuses the row before it is looked at.
	Fault *Fault
}

// Result is what became of one write.
type Result struct {
	ID      string
	Created bool
	Faults  []*Fault
	// Matches lists the ids when an upsert matched more than one record.
	Matches []string
}

// OK reports whether the write was done.
func (r Result) OK() bool { return len(r.Faults) == 0 }

// Tx is a transaction: a view that can change.
type Tx struct {
	View
	log []change
}

type change struct {
	table    *Table
	row, old *Row
}

// Apply does the writes in order and answers each. With allOrNone one refusal
// takes all of them back. Two upserts of one key in a call refuse each other.
func (tx *Tx) Apply(writes []Write, allOrNone bool) []Result {
	results := make([]Result, len(writes))
	mark := len(tx.log)
	twice := repeatedKeys(writes)
	failed := false
	for i := range writes {
		before := len(tx.log)
		if twice[i] {
			results[i].Created = true
			results[i].Faults = []*Fault{{Code: "DUPLICATE_VALUE",
				Message: "Duplicate external id specified: " + writes[i].Value, Fields: []string{writes[i].Key.Name}}}
		} else {
			results[i] = tx.one(&writes[i])
		}
		if !results[i].OK() {
			tx.rollback(before)
			failed = true
		}
	}
	if failed && allOrNone {
		tx.rollback(mark)
		for i := range results {
			if results[i].OK() {
				results[i].Faults = []*Fault{{Code: "ALL_OR_NONE_OPERATION_ROLLED_BACK",
					Message: "Record rolled back because not all records were valid and the request was using AllOrNone header"}}
			}
			if writes[i].Op == Upsert && results[i].Created || writes[i].Op == Create {
				results[i].ID = ""
			}
		}
	}
	return results
}

func repeatedKeys(writes []Write) map[int]bool {
	type key struct {
		field *schema.Field
		value string
	}
	first := map[key]int{}
	var twice map[int]bool
	for i, w := range writes {
		if w.Op != Upsert || w.Value == "" {
			continue
		}
		k := key{w.Key, w.Key.Fold(w.Value)}
		at, seen := first[k]
		if !seen {
			first[k] = i
			continue
		}
		if twice == nil {
			twice = map[int]bool{}
		}
		twice[at], twice[i] = true, true
	}
	return twice
}

func (tx *Tx) one(w *Write) Result {
	if w.Fault != nil {
		return Result{Faults: []*Fault{w.Fault}, Created: w.Op == Upsert}
	}
	table := tx.Table(w.Object)
	switch w.Op {
	case Create:
		return tx.insert(table, w)
	case Upsert:
		return tx.upsert(table, w)
	}
	row, fault := tx.existing(table, w.ID)
	if fault != nil {
		return Result{ID: w.ID, Faults: []*Fault{fault}}
	}
	if w.Op == Delete {
		return Result{ID: table.ID(row), Faults: tx.remove(table, row)}
	}
	return tx.update(table, row, w)
}

// existing finds the record of an update or delete.
func (v View) existing(table *Table, id string) (*Row, *Fault) {
	if !WellFormed(id) {
		return nil, &Fault{Code: "MALFORMED_ID", Message: table.Object.Label + " ID: id value of incorrect type: " + id, Fields: []string{"Id"}}
	}
	if id[:3] != table.Object.Prefix {
		return nil, &Fault{Code: "MALFORMED_ID", Message: table.Object.Label + " ID: id value of incorrect type: " + id, Fields: []string{"Id"}}
	}
	row := table.ByID(id)
	if row == nil {
		return nil, &Fault{Code: "INVALID_CROSS_REFERENCE_KEY", Message: "invalid cross reference id"}
	}
	if row.Deleted {
		return nil, &Fault{Code: "ENTITY_IS_DELETED", Message: "entity is deleted"}
	}
	return row, nil
}

// Match finds what an upsert would update.
func (v View) Match(w *Write) ([]uint32, *Fault) {
	table := v.Table(w.Object)
	if w.Key.Index == schema.AtID {
		if w.Value == "" {
			return nil, nil
		}
		row, fault := v.existing(table, w.Value)
		if fault != nil {
			return nil, fault
		}
		return []uint32{row.Pos}, nil
	}
	if w.Value == "" {
		return nil, &Fault{Code: "MISSING_ARGUMENT", Message: w.Key.Name + " not specified"}
	}
	return table.Find(w.Key, w.Value), nil
}

func (tx *Tx) upsert(table *Table, w *Write) Result {
	found, fault := tx.Match(w)
	if fault != nil {
		return Result{Faults: []*Fault{fault}, Created: true}
	}
	switch {
	case len(found) == 1:
		return tx.update(table, table.At(found[0]), w)
	case len(found) > 1:
		r := Result{Faults: []*Fault{{Code: "DUPLICATE_EXTERNAL_ID", Fields: []string{w.Key.Name},
			Message: fmt.Sprintf("%s: more than one record found for external id field: %d", w.Key.Name, len(found))}}}
		for _, pos := range found {
			r.Matches = append(r.Matches, table.ID(table.At(pos)))
		}
		return r
	case w.UpdateOnly:
		return Result{Faults: []*Fault{{Code: "NOT_FOUND", Message: "The requested resource does not exist"}}}
	}
	create := *w
	if w.Key.Index >= 0 {
		create.Sets = append([]Set{{Field: w.Key, Value: w.Value}}, w.Sets...)
	}
	r := tx.insert(table, &create)
	r.Created = true
	return r
}

func (tx *Tx) insert(table *Table, w *Write) Result {
	object := table.Object
	values := make([]string, object.Width)
	for _, field := range object.Fields {
		if field.Index >= 0 && field.Default != "" {
			values[field.Index] = field.Default
		}
	}
	if owner := object.Field("OwnerId"); owner != nil && owner.Index >= 0 {
		values[owner.Index] = tx.User()
	}
	pos := uint32(table.Len())
	for _, field := range object.Fields {
		if field.AutoNumber != "" {
			values[field.Index] = autoNumber(field.AutoNumber, int(pos)+1)
		}
	}
	if faults := tx.assign(table, values, w, true); faults != nil {
		return Result{Faults: faults, Created: true}
	}
	if faults := tx.check(table, nil, values); faults != nil {
		return Result{Faults: faults, Created: true}
	}
	stamp := tx.tick()
	row := &Row{Pos: pos, Created: stamp, Modified: stamp, Stamp: stamp, Values: values}
	tx.put(table, row)
	tx.after(table, row, nil)
	return Result{ID: table.ID(row), Created: true}
}

func (tx *Tx) update(table *Table, old *Row, w *Write) Result {
	id := table.ID(old)
	values := append([]string(nil), old.Values...)
	if faults := tx.assign(table, values, w, false); faults != nil {
		return Result{ID: id, Faults: faults}
	}
	if faults := tx.check(table, old, values); faults != nil {
		return Result{ID: id, Faults: faults}
	}
	stamp := tx.tick()
	row := &Row{Pos: old.Pos, Created: old.Created, Modified: stamp, Stamp: stamp, Values: values}
	tx.put(table, row)
	tx.after(table, row, old)
	return Result{ID: id}
}

// Touch moves a record's stamps to now without changing a value.
func (tx *Tx) Touch(table *Table, row *Row) {
	stamp := tx.tick()
	tx.put(table, &Row{Pos: row.Pos, Created: row.Created, Modified: stamp, Stamp: stamp, Deleted: row.Deleted, Values: row.Values})
}

// remove deletes a record and does to its children what their lookups say.
func (tx *Tx) remove(table *Table, row *Row) []*Fault {
	id := table.ID(row)
	for _, child := range table.Object.Children {
		children := tx.Table(child.Object)
		found := append([]uint32(nil), children.Find(child.Field, id)...)
		if len(found) == 0 {
			continue
		}
		if child.Field.OnDelete == schema.Restrict {
			return []*Fault{{Code: "DELETE_FAILED", Message: fmt.Sprintf(
				"Your attempt to delete %s could not be completed because it is associated with the following %s.: %s",
				id, child.Object.Plural, children.ID(children.At(found[0])))}}
		}
		for i := len(found) - 1; i >= 0; i-- {
			if faults := tx.release(children, children.At(found[i]), child.Field); faults != nil {
				return faults
			}
		}
	}
	stamp := tx.tick()
	tx.put(table, &Row{Pos: row.Pos, Created: row.Created, Modified: stamp, Stamp: stamp, Deleted: true, Values: row.Values})
	return nil
}

// release lets go of a parent that is being deleted.
func (tx *Tx) release(children *Table, row *Row, field *schema.Field) []*Fault {
	if field.OnDelete == schema.Cascade {
		return tx.remove(children, row)
	}
	values := append([]string(nil), row.Values...)
	values[field.Index] = ""
	stamp := tx.tick()
	tx.put(children, &Row{Pos: row.Pos, Created: row.Created, Modified: stamp, Stamp: stamp, Values: values})
	return nil
}

func (tx *Tx) put(table *Table, row *Row) {
	tx.log = append(tx.log, change{table, row, table.put(row)})
}

func (tx *Tx) rollback(mark int) {
	for i := len(tx.log) - 1; i >= mark; i-- {
		tx.log[i].table.undo(tx.log[i].row, tx.log[i].old)
	}
	tx.log = tx.log[:mark]
}

// tick gives the stamp of a write: the clock, or the last stamp when the clock
// went back. Ties within a millisecond are possible.
func (tx *Tx) tick() int64 {
	tx.s.stamp = max(tx.s.stamp, tx.s.now().UnixMilli())
	return tx.s.stamp
}
