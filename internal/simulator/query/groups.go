package query

import (
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Groups answers an aggregate query: one JSON object per group, with OFFSET
// and LIMIT applied.
func (p *Plan) Groups(v records.View, deleted bool) [][]byte {
	table := v.Table(p.Object)
	groups := p.collect(v, table, p.candidates(v, table, deleted || p.Query.AllRows))
	if p.having != nil {
		groups = slices.DeleteFunc(groups, func(members []uint32) bool { return !p.kept(v, table, members, p.having) })
	}
	p.sortGroups(v, table, groups)
	groups = groups[min(p.Query.Offset, len(groups)):]
	if p.Query.Limit >= 0 {
		groups = groups[:min(p.Query.Limit, len(groups))]
	}
	out := make([][]byte, len(groups))
	for i, members := range groups {
		out[i] = p.renderGroup(v, table, members)
	}
	return out
}

// collect gathers the records of each group. Without GROUP BY everything is
// one group, even when it is empty.
func (p *Plan) collect(v records.View, table *records.Table, found []uint32) [][]uint32 {
	if len(p.groups) == 0 {
		return [][]uint32{found}
	}
	at := map[string]int{}
	var groups [][]uint32
	for _, pos := range found {
		var key strings.Builder
		for _, g := range p.groups {
			key.WriteString(g.field.Fold(valueAt(v, table, table.At(pos), g)))
			key.WriteByte(0)
		}
		i, ok := at[key.String()]
		if !ok {
			i = len(groups)
			at[key.String()] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], pos)
	}
	return groups
}

func (p *Plan) sortGroups(v records.View, table *records.Table, groups [][]uint32) {
	if len(p.orders) == 0 {
		return
	}
	slices.SortStableFunc(groups, func(a, b []uint32) int {
		for _, o := range p.orders {
			x, y := p.groupValue(v, table, a, o.function, o.path), p.groupValue(v, table, b, o.function, o.path)
			c := 0
			if o.function != "" {
				if c = compareNumbers(x, y); o.desc {
					c = -c
				}
			} else {
				c = o.compare(x, y)
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
}

func (p *Plan) renderGroup(v records.View, table *records.Table, members []uint32) []byte {
	b := []byte(`{"attributes":{"type":"AggregateResult"}`)
	unnamed := 0
	for _, c := range p.columns {
		key := c.alias
		if key == "" && c.function == "" {
			key = c.path.names[len(c.path.names)-1]
		}
		if key == "" {
			key = "expr" + strconv.Itoa(unnamed)
			unnamed++
		}
		b = append(appendString(append(b, ','), key), ':')
		value := p.groupValue(v, table, members, c.function, c.path)
		switch c.function {
		case "":
			b = AppendValue(b, c.path.field, value)
		case "COUNT", "COUNT_DISTINCT":
			b = append(b, value...)
		case "SUM", "AVG":
			b = AppendValue(b, &schema.Field{Type: schema.Double}, value)
		default:
			b = AppendValue(b, c.path.field, value)
		}
	}
	return append(b, '}')
}

func (p *Plan) groupValue(v records.View, table *records.Table, members []uint32, function string, of path) string {
	if function == "COUNT" && of.field == nil {
		return strconv.Itoa(len(members))
	}
	if function == "" {
		if len(members) == 0 {
			return ""
		}
		return valueAt(v, table, table.At(members[0]), of)
	}
	var values []string
	for _, pos := range members {
		if value := valueAt(v, table, table.At(pos), of); value != "" {
			values = append(values, value)
		}
	}
	return aggregate(function, of.field, values)
}

// aggregate folds the non-null values of a group.
func aggregate(function string, field *schema.Field, values []string) string {
	switch function {
	case "COUNT":
		return strconv.Itoa(len(values))
	case "COUNT_DISTINCT":
		slices.Sort(values)
		return strconv.Itoa(len(slices.Compact(values)))
	}
	if len(values) == 0 {
		return ""
	}
	if function == "MIN" || function == "MAX" {
		o := order{path: path{field: field}}
		if function == "MIN" {
			return slices.MinFunc(values, o.compare)
		}
		return slices.MaxFunc(values, o.compare)
	}
	sum := 0.0
	for _, value := range values {
		number, _ := strconv.ParseFloat(value, 64)
		sum += number
	}
	if function == "AVG" {
		sum /= float64(len(values))
	}
	return strconv.FormatFloat(sum, 'f', -1, 64)
}
