package records

import (
	"cmp"
	"slices"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Row is one record. A published row never changes: a write puts a new one in
// its place, so that a row may be read after the store's lock is gone.
type Row struct {
	Pos     uint32
	Deleted bool
	at      uint32 // this row's entry in the table's order

	Created, Modified, Stamp int64 // Unix milliseconds

	// Values holds one text per stored field, in the canonical form of the
	// field's type; "" is null, as it is for Salesforce.
	Values []string
}

type stamped struct {
	stamp int64
	pos   uint32
}

// Table is all records of one object, deleted ones included, with the ways to
// find them. Positions are record numbers and are never reused.
type Table struct {
	Object *schema.Object

	rows   []*Row
	live   int
	order  []stamped           // every write in time order; entries of older versions are stale
	unique []map[string]uint32 // by field index, nil where the field is not unique
	multi  []map[string][]uint32
	intern map[string]string
}

func newTable(object *schema.Object) *Table {
	t := &Table{
		Object: object,
		unique: make([]map[string]uint32, object.Width),
		multi:  make([]map[string][]uint32, object.Width),
		intern: map[string]string{},
	}
	for _, field := range object.Fields {
		switch {
		case !field.Indexed():
		case field.Unique:
			t.unique[field.Index] = map[string]uint32{}
		default:
			t.multi[field.Index] = map[string][]uint32{}
		}
	}
	return t
}

// Live counts the records that are not deleted.
func (t *Table) Live() int { return t.live }

// Len counts all records, deleted ones included.
func (t *Table) Len() int { return len(t.rows) }

// At returns the record at a position, deleted or not.
func (t *Table) At(pos uint32) *Row { return t.rows[pos] }

// ID is the record's 18-character id.
func (t *Table) ID(row *Row) string { return ID(t.Object.Prefix, row.Pos) }

// ByID finds a record of this table by its 15 or 18 character id; nil when
// there never was one.
func (t *Table) ByID(id string) *Row {
	if !WellFormed(id) || id[:3] != t.Object.Prefix {
		return nil
	}
	n, ok := number(id)
	if !ok || int(n) >= len(t.rows) {
		return nil
	}
	return t.rows[n]
}

// After is the first position whose id could be greater than or equal to an
// id, in the order of ids; zero for ids of other objects.
func (t *Table) After(id string) uint32 {
	if !WellFormed(id) || id[:3] != t.Object.Prefix {
		return 0
	}
	n, _ := number(id)
	return n
}

// Find lists the live records whose indexed field equals a value.
func (t *Table) Find(field *schema.Field, value string) []uint32 {
	if field.Index == schema.AtID {
		if row := t.ByID(value); row != nil && !row.Deleted {
			return []uint32{row.Pos}
		}
		return nil
	}
	if field.Type == schema.Reference {
		value = Long(value)
	}
	if index := t.unique[field.Index]; index != nil {
		if pos, ok := index[field.Fold(value)]; ok {
			return []uint32{pos}
		}
		return nil
	}
	return t.multi[field.Index][field.Fold(value)]
}

// long turns a 15-character id into the 18-character form.
func long(id string) string {
	var sum [3]byte
	checksum([]byte(id), sum[:])
	return id + string(sum[:])
}

// Since visits the records written at or after a time (Unix milliseconds), in
// the order of their stamps, until visit says false.
func (t *Table) Since(stamp int64, visit func(*Row) bool) {
	at, _ := slices.BinarySearchFunc(t.order, stamp, beforeStamp)
	for i := at; i < len(t.order); i++ {
		row := t.rows[t.order[i].pos]
		if row.at == uint32(i) && !visit(row) {
			return
		}
	}
}

// CostSince is how many entries Since would look at.
func (t *Table) CostSince(stamp int64) int {
	at, _ := slices.BinarySearchFunc(t.order, stamp, beforeStamp)
	return len(t.order) - at
}

func beforeStamp(e stamped, want int64) int {
	if e.stamp < want {
		return -1
	}
	return 1
}

// put publishes a row in place of the one at its position (nil for a new one).
func (t *Table) put(row *Row) (old *Row) {
	if int(row.Pos) < len(t.rows) {
		old = t.rows[row.Pos]
		t.rows[row.Pos] = row
	} else {
		t.rows = append(t.rows, row)
	}
	row.at = uint32(len(t.order))
	t.order = append(t.order, stamped{row.Stamp, row.Pos})
	t.reindex(old, row)
	return old
}

// undo takes back the newest put; puts are undone newest first.
func (t *Table) undo(row, old *Row) {
	t.reindex(row, old)
	t.order = t.order[:len(t.order)-1]
	if old == nil {
		t.rows = t.rows[:len(t.rows)-1]
		return
	}
	t.rows[row.Pos] = old
}

// settle drops stale entries of the order when they outnumber the rows. It
// runs between transactions, since undo relies on the order's tail.
func (t *Table) settle() {
	if len(t.order) > 2*len(t.rows)+1024 {
		t.compactOrder()
	}
}

func (t *Table) compactOrder() {
	kept := t.order[:0]
	for i, entry := range t.order {
		if t.rows[entry.pos].at == uint32(i) {
			kept = append(kept, entry)
		}
	}
	t.order = kept
	t.renumber()
}

// sortOrder rebuilds the order from the rows, after loading them.
func (t *Table) sortOrder() {
	t.order = t.order[:0]
	for _, row := range t.rows {
		t.order = append(t.order, stamped{row.Stamp, row.Pos})
	}
	slices.SortFunc(t.order, func(a, b stamped) int {
		return cmp.Or(cmp.Compare(a.stamp, b.stamp), cmp.Compare(a.pos, b.pos))
	})
	t.renumber()
}

func (t *Table) renumber() {
	for i, entry := range t.order {
		t.rows[entry.pos].at = uint32(i)
	}
}

// reindex moves the index entries from one version of a row to the next; nil
// and deleted versions have none.
func (t *Table) reindex(old, row *Row) {
	oldLive, newLive := old != nil && !old.Deleted, row != nil && !row.Deleted
	if oldLive {
		t.live--
	}
	if newLive {
		t.live++
	}
	for _, field := range t.Object.Fields {
		if !field.Indexed() {
			continue
		}
		var before, after string
		if oldLive {
			before = old.Values[field.Index]
		}
		if newLive {
			after = row.Values[field.Index]
		}
		if before == after && oldLive == newLive {
			continue
		}
		if before != "" {
			t.drop(field, before, old.Pos)
		}
		if after != "" {
			t.add(field, after, row.Pos)
		}
	}
}

func (t *Table) add(field *schema.Field, value string, pos uint32) {
	key := field.Fold(value)
	if index := t.unique[field.Index]; index != nil {
		index[key] = pos
		return
	}
	index := t.multi[field.Index]
	index[key] = append(index[key], pos)
}

// drop searches from the end: cascades delete the newest child first, so that
// a parent with many children does not cost their square.
func (t *Table) drop(field *schema.Field, value string, pos uint32) {
	key := field.Fold(value)
	if index := t.unique[field.Index]; index != nil {
		if index[key] == pos {
			delete(index, key)
		}
		return
	}
	index := t.multi[field.Index]
	list := index[key]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == pos {
			list = slices.Delete(list, i, i+1)
			break
		}
	}
	if len(list) == 0 {
		delete(index, key)
		return
	}
	index[key] = list
}

// maxInterned bounds the texts kept for sharing.
const maxInterned = 1 << 16

// share returns one copy of texts that repeat from row to row, such as parent
// ids, status words and family names.
func (t *Table) share(field *schema.Field, value string) string {
	if value == "" || field.Unique || field.LongTxt || len(value) > 64 {
		return value
	}
	if kept, ok := t.intern[value]; ok {
		return kept
	}
	if len(t.intern) < maxInterned {
		t.intern[value] = value
	}
	return value
}
