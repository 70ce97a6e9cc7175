package mapping

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// Finding is one way in which an org does not fit a mapping.
type Finding struct {
	Object string
	// Field is empty when the finding is about the whole object.
	Field string
	// Message says what to do.
	Message string
	// Warning findings limit something; the others stop it from working.
	Warning bool
}

// String is the finding on one line.
func (f Finding) String() string {
	place := f.Object
	if f.Field != "" {
		place += "." + f.Field
	}
	return place + ": " + f.Message
}

// Describer tells about objects; *salesforce.Client is one.
type Describer interface {
	Describe(ctx context.Context, object string) (*salesforce.Object, error)
}

// need is what a mapping asks of one field.
type need struct {
	field          string
	create, update bool
	externalID     bool
	length         int
	values         []string
}

// Check holds a mapping against what the org has and the integration user may
// do, with one describe call per object. Nothing found means that it fits.
func Check(ctx context.Context, client Describer, m *Mapping) []Finding {
	c := checker{ctx: ctx, client: client, seen: map[string]*salesforce.Object{}}
	c.event(m.Event)
	c.object(m.Link.Object, reading(append(m.Link.Columns(), m.Link.Revoked.Field)...))
	c.object(m.Registration.Object, m.registrationNeeds())
	if m.Person != nil {
		c.object(m.Person.Object, m.personNeeds())
	}
	return c.found
}

func reading(fields ...string) []need {
	var needs []need
	for _, field := range unique(fields) {
		needs = append(needs, need{field: field})
	}
	return needs
}

func (m *Mapping) registrationNeeds() []need {
	g := m.Registration
	needs := []need{{field: g.Key, create: true, update: true, externalID: true, length: 64}}
	for _, word := range recordWords() {
		field := g.Fields[word]
		if field == "" {
			continue
		}
		n := need{field: field, create: true, update: !slices.Contains(g.CreateOnly, word), length: lengths()[word]}
		if word == "status" {
			n.values = g.Known()
		}
		needs = append(needs, n)
	}
	return needs
}

func (m *Mapping) personNeeds() []need {
	needs := []need{{field: m.Person.Key, create: true, update: true, externalID: true, length: 64}}
	for _, word := range personWords() {
		if field := m.Person.Fields[word]; field != "" {
			needs = append(needs, need{field: field, create: true, update: true, length: lengths()[word]})
		}
	}
	return needs
}

// lengths are what Turnout accepts from registrants, in characters.
func lengths() map[string]int {
	return map[string]int{
		"first_name": turnout.MaxFirstName, "last_name": turnout.MaxLastName, "email": turnout.MaxEmail,
		"title": turnout.MaxTitle, "company": turnout.MaxCompany, "ticket": 80,
	}
}

type checker struct {
	ctx    context.Context
	client Describer
	seen   map[string]*salesforce.Object
	found  []Finding
}

func (c *checker) add(object, field, format string, args ...any) {
	c.found = append(c.found, Finding{Object: object, Field: field, Message: fmt.Sprintf(format, args...)})
}

// describe asks once per object and reports what cannot be described.
func (c *checker) describe(object string) *salesforce.Object {
	if o, ok := c.seen[object]; ok {
		return o
	}
	o, err := c.client.Describe(c.ctx, object)
	switch {
	case turnout.CodeOf(err) == turnout.CodeMisconfigured:
		c.add(object, "", "the object is not there or may not be seen; create it (the Turnout package has it) or give the integration user's permission set access to it (%v)", err)
	case err != nil:
		c.add(object, "", "it could not be checked; try again (%v)", err)
	}
	if err != nil {
		o = nil
	}
	c.seen[object] = o
	return o
}

func (c *checker) event(e Event) {
	fields := append(named(e.Fields, "Id", stamp, e.Published.Field), e.Details)
	c.object(e.Object, reading(fields...))
	parent := c.seen[e.Object]
	if e.Note != "" && parent != nil && !e.TakesNotes(parent) {
		c.found = append(c.found, Finding{Object: e.Object, Field: e.Note, Warning: true, Message: fmt.Sprintf(
			"organisers do not hear in Salesforce why an event cannot be shown; give the integration user edit access to the object and to this text field of %d characters (the Turnout package has it), or leave note out of the mapping", turnout.MaxEventNote)})
	}
	for _, part := range []*Part{e.Tickets, e.Agenda, e.Questions} {
		if part == nil {
			continue
		}
		c.object(part.Object, reading(named(part.Fields, "Id", stamp, part.Parent)...))
		if parent == nil {
			continue
		}
		if !slices.ContainsFunc(parent.Children, func(child salesforce.Child) bool {
			return strings.EqualFold(child.Relationship, part.Relationship) && strings.EqualFold(child.Object, part.Object)
		}) {
			c.add(e.Object, "", "it has no child relationship %s to %s; correct the relationship in the mapping, or name it so at the lookup field %s", part.Relationship, part.Object, part.Parent)
		}
	}
	if parent != nil {
		c.values(e.Object, e.Published.Field, e.Published.Values)
	}
}

func (c *checker) object(name string, needs []need) {
	o := c.describe(name)
	if o == nil {
		return
	}
	if slices.ContainsFunc(needs, func(n need) bool { return n.create }) && (!o.Create || !o.Update) {
		c.add(name, "", "the integration user may not create and edit it; add both rights to its permission set")
	}
	for _, n := range needs {
		c.field(o, n)
	}
}

func (c *checker) field(o *salesforce.Object, n need) {
	f, ok := o.Field(n.field)
	if !ok {
		c.add(o.Name, n.field, "the field is not there or may not be seen; create it, correct its name in the mapping, or give the permission set read access")
		return
	}
	if n.create && !f.Create || n.update && !f.Update {
		c.add(o.Name, n.field, "the integration user may not write it; give the permission set edit access, and make sure that it is no formula")
	}
	if n.externalID && (!f.ExternalID || !f.Unique) {
		c.add(o.Name, n.field, "tick both External ID and Unique at the field: it keeps every registration to one record")
	}
	// Types without a length of their own tell zero.
	if f.Length > 0 && f.Length < n.length && f.Type != "reference" {
		c.found = append(c.found, Finding{Object: o.Name, Field: n.field, Warning: !n.externalID,
			Message: fmt.Sprintf("it takes %d characters and Turnout accepts %d; lengthen the field, or longer values will be refused and parked", f.Length, n.length)})
	}
	c.values(o.Name, n.field, n.values)
}

func (c *checker) values(object, field string, values []string) {
	f, ok := c.seen[object].Field(field)
	if !ok || f.Type != "picklist" {
		return
	}
	for _, v := range values {
		if f.Offers(v) {
			continue
		}
		c.found = append(c.found, Finding{Object: object, Field: field, Warning: !f.Restricted,
			Message: fmt.Sprintf("add %q to the picklist, or name another value in the mapping", v)})
	}
}
