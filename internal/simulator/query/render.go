package query

import (
	"encoding/json"
	"strconv"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Render appends one record as JSON: attributes, then the selected fields in
// their order, parents nested and children as query results of their own. It
// returns how many records that was, children included. base is the versioned
// path of the API, "/services/data/v65.0".
func (p *Plan) Render(b []byte, v records.View, pos uint32, base string) ([]byte, int) {
	table := v.Table(p.Object)
	tree := newNode()
	for i := range p.columns {
		if p.columns[i].children == nil {
			tree.add(&p.columns[i].path)
		} else {
			tree.children = append(tree.children, &p.columns[i])
			tree.order = append(tree.order, "")
		}
	}
	return tree.render(b, v, table, table.At(pos), base)
}

// node is the part of the selected fields that belongs to one record.
type node struct {
	order    []string // keys in the order of the query; "" stands for the next child query
	fields   map[string]*schema.Field
	parents  map[string]*parent
	children []*column
}

type parent struct {
	lookup *schema.Field
	node   *node
}

func newNode() *node {
	return &node{fields: map[string]*schema.Field{}, parents: map[string]*parent{}}
}

func (n *node) add(p *path) {
	at := n
	for _, lookup := range p.via {
		key := lookup.Relationship
		if at.parents[key] == nil {
			at.parents[key] = &parent{lookup: lookup, node: newNode()}
			at.order = append(at.order, key)
		}
		at = at.parents[key].node
	}
	if at.fields[p.field.Name] == nil {
		at.fields[p.field.Name] = p.field
		at.order = append(at.order, p.field.Name)
	}
}

func (n *node) render(b []byte, v records.View, t *records.Table, row *records.Row, base string) ([]byte, int) {
	b = append(b, `{"attributes":`...)
	b = AppendAttributes(b, t, row, base)
	count, child := 1, 0
	for _, key := range n.order {
		b = append(b, ',')
		if key == "" {
			more := 0
			b, more = n.children[child].renderChildren(b, v, t, row, base)
			count += more
			child++
			continue
		}
		b = append(appendString(b, key), ':')
		if p := n.parents[key]; p != nil {
			parents, found := v.ByID(v.Value(t, row, p.lookup))
			if found == nil {
				b = append(b, "null"...)
				continue
			}
			b, _ = p.node.render(b, v, parents, found, base)
			continue
		}
		field := n.fields[key]
		if own := t.Object.Field(key); own != nil {
			field = own
		}
		b = AppendValue(b, field, v.Value(t, row, field))
	}
	return append(b, '}'), count
}

func (c *column) renderChildren(b []byte, v records.View, t *records.Table, row *records.Row, base string) ([]byte, int) {
	b = append(appendString(b, c.child.Name), ':')
	table := v.Table(c.child.Object)
	var found []uint32
	for _, pos := range table.Find(c.child.Field, t.ID(row)) {
		if c.children.where == nil || c.children.where.holds(v, table, table.At(pos)) {
			found = append(found, pos)
		}
	}
	c.children.sort(v, table, found)
	found = c.children.bounded(found)
	if len(found) == 0 {
		return append(b, "null"...), 0
	}
	b = append(b, `{"totalSize":`...)
	b = strconv.AppendInt(b, int64(len(found)), 10)
	b = append(b, `,"done":true,"records":[`...)
	count := 0
	for i, pos := range found {
		if i > 0 {
			b = append(b, ',')
		}
		more := 0
		b, more = c.children.Render(b, v, pos, base)
		count += more
	}
	return append(b, `]}`...), count
}

// AppendAttributes appends a record's type and address.
func AppendAttributes(b []byte, t *records.Table, row *records.Row, base string) []byte {
	b = append(appendString(append(b, `{"type":`...), t.Object.Name), `,"url":`...)
	return append(appendString(b, base+"/sobjects/"+t.Object.Name+"/"+t.ID(row)), '}')
}

// AppendValue appends a canonical value as JSON in Salesforce's shapes.
func AppendValue(b []byte, field *schema.Field, value string) []byte {
	if value == "" {
		return append(b, "null"...)
	}
	switch field.Type {
	case schema.Boolean:
		return append(b, value...)
	case schema.Double:
		b = append(b, value...)
		for i := range len(value) {
			if value[i] == '.' {
				return b
			}
		}
		return append(b, '.', '0') // doubles always show a fraction
	case schema.Int:
		return append(b, value...)
	case schema.DateTime:
		return appendString(b, value[:len(value)-1]+"+0000")
	}
	return appendString(b, value)
}

func appendString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // a string always marshals
		return append(b, `""`...)
	}
	return append(b, quoted...)
}

// Columns names the selected fields for CSV: paths, in order. Child queries
// and aggregates have none.
func (p *Plan) Columns() []string {
	var names []string
	for _, c := range p.columns {
		if c.children == nil && c.path.field != nil {
			names = append(names, c.name())
		}
	}
	return names
}

func (c *column) name() string {
	name := ""
	for _, lookup := range c.path.via {
		name += lookup.Relationship + "."
	}
	return name + c.path.field.Name
}

// Row lists a record's selected values as CSV texts, in the order of Columns.
func (p *Plan) Row(v records.View, pos uint32) []string {
	table := v.Table(p.Object)
	row := table.At(pos)
	var values []string
	for _, c := range p.columns {
		if c.children == nil && c.path.field != nil {
			values = append(values, valueAt(v, table, row, c.path))
		}
	}
	return values
}

// Exportable reports whether a bulk query may run the plan: no aggregates, no
// child queries, no OFFSET.
func (p *Plan) Exportable() bool {
	for _, c := range p.columns {
		if c.children != nil || c.function != "" {
			return false
		}
	}
	return len(p.groups) == 0 && p.Query.Offset == 0
}
