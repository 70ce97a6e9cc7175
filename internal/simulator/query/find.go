package query

import (
	"cmp"
	"slices"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Find lists the positions of the matching records, ordered, with OFFSET and
// LIMIT applied. deleted includes records in the recycle bin (queryAll).
func (p *Plan) Find(v records.View, deleted bool) []uint32 {
	table := v.Table(p.Object)
	deleted = deleted || p.Query.AllRows
	found := p.candidates(v, table, deleted)
	p.sort(v, table, found)
	return p.bounded(found)
}

// Count counts the matching records, without OFFSET and LIMIT.
func (p *Plan) Count(v records.View, deleted bool) int {
	table := v.Table(p.Object)
	if p.where == nil && !deleted {
		return table.Live()
	}
	return len(p.candidates(v, table, deleted))
}

func (p *Plan) bounded(found []uint32) []uint32 {
	found = found[min(p.Query.Offset, len(found)):]
	if p.Query.Limit >= 0 {
		found = found[:min(p.Query.Limit, len(found))]
	}
	return found
}

// candidates filters the records that the best index leaves.
func (p *Plan) candidates(v records.View, table *records.Table, deleted bool) []uint32 {
	var found []uint32
	keep := func(row *records.Row) {
		if (deleted || !row.Deleted) && (p.where == nil || p.where.holds(v, table, row)) {
			found = append(found, row.Pos)
		}
	}
	if keys, field := p.keyed(deleted); field != nil {
		for _, pos := range positions(table, field, keys) {
			keep(table.At(pos))
		}
		return found
	}
	if since, ok := p.since(); ok && table.CostSince(since) < table.Len() {
		p.sinceStamp(table, since, keep, &found)
		return found
	}
	for pos := p.first(table); pos < table.Len(); pos++ {
		keep(table.At(uint32(pos)))
		if p.enough(len(found)) {
			break
		}
	}
	return found
}

// first is where a scan may start: behind the Id of a client that reads a whole
// object in slices (WHERE Id > '…' ORDER BY Id LIMIT n).
func (p *Plan) first(table *records.Table) int {
	for _, c := range p.conjuncts() {
		if len(c.path.via) == 0 && c.path.field.Index == schema.AtID && (c.op == ">" || c.op == ">=") && len(c.values) == 1 {
			return int(table.After(c.values[0]))
		}
	}
	return 0
}

// enough stops a scan once LIMIT is reached when it needs no sorting: without
// ORDER BY, or by Id, which is the order of the scan.
func (p *Plan) enough(n int) bool {
	inOrder := len(p.orders) == 0 || len(p.orders) == 1 && !p.orders[0].desc && len(p.orders[0].via) == 0 &&
		p.orders[0].field != nil && p.orders[0].field.Index == schema.AtID
	return inOrder && p.Query.Limit >= 0 && n >= p.Query.Limit+p.Query.Offset && !p.Query.Aggregates() && !p.Query.CountAll()
}

// sinceStamp walks the table in the order of its stamps. A query that is
// ordered the same way may stop at its limit, one tie later.
func (p *Plan) sinceStamp(table *records.Table, since int64, keep func(*records.Row), found *[]uint32) {
	ordered := len(p.orders) > 0 && p.orders[0].field != nil && p.orders[0].field.Index == schema.AtStamp &&
		len(p.orders[0].via) == 0 && !p.orders[0].desc && p.Query.Limit >= 0 && !p.Query.Aggregates()
	table.Since(since, func(row *records.Row) bool {
		if n := len(*found); ordered && n >= p.Query.Limit+p.Query.Offset && n > 0 && row.Stamp > table.At((*found)[n-1]).Stamp {
			return false
		}
		keep(row)
		return true
	})
	if len(p.orders) == 0 {
		slices.Sort(*found)
	}
}

// conjuncts are the comparisons that every match must pass.
func (p *Plan) conjuncts() []*comparison {
	var out []*comparison
	var walk func(condition)
	walk = func(c condition) {
		switch c := c.(type) {
		case allOf:
			for _, term := range c {
				walk(term)
			}
		case *comparison:
			out = append(out, c)
		}
	}
	walk(p.where)
	return out
}

// keyed finds an equality on an indexed field: the id first, then unique
// fields, then lookups. Deleted records are in no index but that of ids.
func (p *Plan) keyed(deleted bool) ([]string, *schema.Field) {
	var best *comparison
	rank := func(c *comparison) int {
		f := c.path.field
		switch {
		case f.Index == schema.AtID:
			return 3
		case f.Unique:
			return 2
		}
		return 1
	}
	for _, c := range p.conjuncts() {
		f := c.path.field
		usable := len(c.path.via) == 0 && (c.op == "=" || c.op == "IN") && c.query == nil && !c.span &&
			(f.Index == schema.AtID || f.Indexed() && !deleted) && !slices.Contains(c.values, "")
		if usable && (best == nil || rank(c) > rank(best)) {
			best = c
		}
	}
	if best == nil {
		return nil, nil
	}
	return best.values, best.path.field
}

func positions(table *records.Table, field *schema.Field, keys []string) []uint32 {
	var found []uint32
	for _, key := range keys {
		if field.Index == schema.AtID {
			if row := table.ByID(key); row != nil {
				found = append(found, row.Pos)
			}
			continue
		}
		found = append(found, table.Find(field, key)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// since finds the lower bound on SystemModstamp, in Unix milliseconds.
func (p *Plan) since() (int64, bool) {
	for _, c := range p.conjuncts() {
		if len(c.path.via) > 0 || c.path.field.Index != schema.AtStamp {
			continue
		}
		from := c.from
		if len(c.values) == 1 {
			from = c.values[0]
		}
		at, ok := records.ParseTime(from)
		if ok && (c.op == ">" || c.op == ">=" || c.op == "=") {
			return at.UnixMilli(), true
		}
	}
	return 0, false
}

func (p *Plan) sort(v records.View, table *records.Table, found []uint32) {
	if len(p.orders) == 0 || p.Query.Aggregates() {
		return
	}
	if p.naturally(table, found) {
		return
	}
	type keyed struct {
		pos  uint32
		keys []string
	}
	rows := make([]keyed, len(found))
	for i, pos := range found {
		rows[i] = keyed{pos, make([]string, len(p.orders))}
		for k, o := range p.orders {
			rows[i].keys[k] = valueAt(v, table, table.At(pos), o.path)
		}
	}
	slices.SortFunc(rows, func(a, b keyed) int {
		for i, o := range p.orders {
			if c := o.compare(a.keys[i], b.keys[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.pos, b.pos)
	})
	for i := range rows {
		found[i] = rows[i].pos
	}
}

// naturally sorts by Id, or by SystemModstamp and then Id, without making
// texts of them: the two orders in which whole objects are read.
func (p *Plan) naturally(table *records.Table, found []uint32) bool {
	byStamp := false
	for i, o := range p.orders {
		switch {
		case o.desc || len(o.via) > 0 || o.field == nil:
			return false
		case o.field.Index == schema.AtStamp && i == 0:
			byStamp = true
		case o.field.Index != schema.AtID:
			return false
		}
	}
	slices.SortFunc(found, func(a, b uint32) int {
		if byStamp {
			if c := cmp.Compare(table.At(a).Stamp, table.At(b).Stamp); c != 0 {
				return c
			}
		}
		return cmp.Compare(a, b)
	})
	return true
}

// compare orders two canonical values; nulls go where the query put them.
func (o order) compare(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "" || b == "":
		if (a == "") == o.nullsLast {
			return 1
		}
		return -1
	}
	var c int
	switch o.field.Type {
	case schema.Double, schema.Int:
		c = compareNumbers(a, b)
	case schema.Date, schema.DateTime, schema.ID, schema.Reference, schema.Boolean:
		c = strings.Compare(a, b)
	default:
		c = cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	}
	if o.desc {
		return -c
	}
	return c
}
