// Package query answers SOQL from the records of a simulated org. [Compile]
// holds a parsed query against the schema and refuses it in Salesforce's
// words; [Plan.Find] lists the matching records without scanning more than the
// indexes make necessary; [Plan.Render] writes records as JSON.
//
// A Plan is immutable and safe for concurrent use.
package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/schema"
	"github.com/turnout-events/turnout/internal/simulator/soql"
)

// path is a resolved field path: lookups to follow, then a field. When the
// last step differs by the kind of parent (Owner, Who), field is found then.
type path struct {
	text  string
	names []string
	via   []*schema.Field
	field *schema.Field
}

type column struct {
	path     path
	function string
	alias    string
	children *Plan
	child    schema.Child
}

type order struct {
	path
	function  string
	desc      bool
	nullsLast bool
}

// Plan is a query that fits the schema.
type Plan struct {
	Object *schema.Object
	Query  *soql.Query
	// LongTexts counts the long text fields selected: two or more bound a
	// page to 200 records.
	LongTexts int

	columns []column
	where   condition
	orders  []order
	groups  []path
	having  condition // nil for all groups
}

// Compile parses a query and resolves its names. Errors are *soql.Error.
func Compile(s *schema.Schema, text string, now time.Time) (*Plan, error) {
	q, err := soql.Parse(text)
	if err != nil {
		return nil, err
	}
	c := compiler{schema: s, text: text, now: now}
	object := s.Object(q.From.Text)
	if object == nil {
		return nil, c.unknownObject(q.From)
	}
	plan, fault := c.plan(object, q)
	if fault != nil {
		return nil, fault
	}
	return plan, nil
}

type compiler struct {
	schema *schema.Schema
	text   string
	now    time.Time
}

func (c *compiler) fail(code string, at int, format string, args ...any) *soql.Error {
	return soql.Fail(code, c.text, at, fmt.Sprintf(format, args...))
}

func (c *compiler) unknownObject(name soql.Name) *soql.Error {
	return c.fail("INVALID_TYPE", name.At, "sObject type '%s' is not supported. If you are attempting to use a custom object, "+
		"be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.", name.Text)
}

func (c *compiler) plan(object *schema.Object, q *soql.Query) (*Plan, *soql.Error) {
	p := &Plan{Object: object, Query: q}
	if q.Offset > 2000 {
		return nil, &soql.Error{Code: "NUMBER_OUTSIDE_VALID_RANGE", Message: "Maximum SOQL offset allowed is 2000"}
	}
	if err := c.columns(p, q); err != nil {
		return nil, err
	}
	if q.Where != nil {
		where, err := c.condition(object, q.Where)
		if err != nil {
			return nil, err
		}
		p.where = where
	}
	for _, g := range q.GroupBy {
		resolved, err := c.resolve(object, g)
		if err != nil {
			return nil, err
		}
		p.groups = append(p.groups, resolved)
	}
	if err := c.grouped(p); err != nil {
		return nil, err
	}
	if err := c.having(p, q); err != nil {
		return nil, err
	}
	return p, c.orders(p, q)
}

func (c *compiler) orders(p *Plan, q *soql.Query) *soql.Error {
	for _, o := range q.OrderBy {
		resolved := order{function: o.Func, desc: o.Desc, nullsLast: o.NullsLast}
		if o.Func == "" || len(o.Path.Names) > 0 {
			path, err := c.resolve(p.Object, o.Path)
			if err != nil {
				return err
			}
			if path.field.LongTxt {
				return c.fail("MALFORMED_QUERY", o.Path.At, "field '%s' can not be sorted in a query call", o.Path)
			}
			resolved.path = path
		}
		p.orders = append(p.orders, resolved)
	}
	return nil
}

func (c *compiler) columns(p *Plan, q *soql.Query) *soql.Error {
	for _, item := range q.Select {
		switch {
		case item.Children != nil:
			if err := c.children(p, item.Children); err != nil {
				return err
			}
		case item.Fields != "":
			if item.Fields != "STANDARD" && (q.Limit < 0 || q.Limit > 200) {
				return c.fail("MALFORMED_QUERY", q.From.At, "The SOQL FIELDS function must have a LIMIT of at most 200")
			}
			for _, field := range p.Object.Fields {
				if item.Fields == "ALL" || field.Custom() == (item.Fields == "CUSTOM") {
					p.add(path{text: field.Name, names: []string{field.Name}, field: field}, "")
				}
			}
		case item.Func != "" && len(item.Path.Names) == 0:
			p.columns = append(p.columns, column{function: item.Func, alias: item.Alias})
		default:
			resolved, err := c.resolve(p.Object, item.Path)
			if err != nil {
				return err
			}
			p.add(resolved, item.Func)
			p.columns[len(p.columns)-1].alias = item.Alias
		}
	}
	return nil
}

func (p *Plan) add(resolved path, function string) {
	if resolved.field.LongTxt {
		p.LongTexts++
	}
	p.columns = append(p.columns, column{path: resolved, function: function})
}

func (c *compiler) children(p *Plan, q *soql.Query) *soql.Error {
	child, ok := p.Object.Child(q.From.Text)
	if !ok || child.Name == "" {
		return c.fail("INVALID_TYPE", q.From.At, "Didn't understand relationship '%s' in FROM part of query call. If you are attempting to use a custom relationship, "+
			"be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", q.From.Text)
	}
	sub, err := c.plan(child.Object, q)
	if err != nil {
		return err
	}
	p.columns = append(p.columns, column{children: sub, child: child})
	return nil
}

// grouped refuses plain fields beside aggregates unless they are grouped by.
func (c *compiler) grouped(p *Plan) *soql.Error {
	if !p.Query.Aggregates() {
		return nil
	}
	for i, col := range p.columns {
		if col.children != nil {
			return c.fail("MALFORMED_QUERY", 0, "Aggregate queries cannot select child records")
		}
		if col.function != "" {
			continue
		}
		found := false
		for _, g := range p.groups {
			found = found || strings.EqualFold(g.text, col.path.text)
		}
		if !found {
			return c.fail("MALFORMED_QUERY", p.Query.Select[min(i, len(p.Query.Select)-1)].Path.At,
				"Field must be grouped or aggregated: %s", col.path.text)
		}
	}
	return nil
}

// resolve follows a path's names through the schema.
func (c *compiler) resolve(object *schema.Object, p soql.Path) (path, *soql.Error) {
	names := p.Names
	if len(names) > 1 && strings.EqualFold(names[0], object.Name) {
		names = names[1:] // SELECT Account.Name FROM Account
	}
	resolved := path{text: strings.Join(names, "."), names: names}
	for _, name := range names[:len(names)-1] {
		lookup := object.Relationship(name)
		if lookup == nil {
			return resolved, c.fail("INVALID_FIELD", p.At, "Didn't understand relationship '%s' in field path. If you are attempting to use a custom relationship, "+
				"be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.", name)
		}
		resolved.via = append(resolved.via, lookup)
		object = c.schema.Object(lookup.ReferenceTo[0])
	}
	last := names[len(names)-1]
	if resolved.field = object.Field(last); resolved.field == nil {
		return resolved, c.fail("INVALID_FIELD", p.At, "No such column '%s' on entity '%s'. If you are attempting to use a custom field, "+
			"be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.", last, object.Name)
	}
	return resolved, nil
}
