package mapping

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// Composed is one registration as Salesforce takes it.
type Composed struct {
	// ID is the record to change; empty means upsert by the key.
	ID string
	// Record holds the key and every field that can be changed.
	Record salesforce.Record
	// Birth holds the fields that are set on a new record only.
	Birth salesforce.Record
	// Known holds what Salesforce has already: it is written only where the
	// record turns out to be gone and was made anew.
	Known salesforce.Record
	// Person is written before Record, by its own key; nil for none.
	Person salesforce.Record
}

// Compose writes a registration of an event. def may be nil, and then answers
// go by their question's id. object is what describe told of the registration
// object; without it nothing is cut and no answer has a field of its own.
//
// Of a registration whose answers were shredded only its status and revision
// are written: what Salesforce has of the person is the organiser's to keep.
func (m *Mapping) Compose(event turnout.EventID, def *turnout.Event, d turnout.Dispatch, object *salesforce.Object) Composed {
	w := writer{m: m, def: def, d: d, object: object, c: Composed{Record: salesforce.Record{}, Birth: salesforce.Record{}}}
	if d.Sealed == nil {
		return w.shredded()
	}
	w.c.Record[m.Registration.Key] = string(d.Key)
	w.identify()
	w.set("event", string(event))
	w.status()
	w.person()
	w.place()
	w.set("guest_count", len(d.Details.Guests))
	if !d.AcceptedAt.IsZero() {
		w.set("registered_at", salesforce.Time(d.AcceptedAt))
	}
	w.set("revision", d.Revision)
	w.answers()
	return w.c
}

// shredded writes what is left of a registration without its answers.
func (w *writer) shredded() Composed {
	g := w.m.Registration
	if w.m.ReuseInvite() {
		w.c.ID = salesforce.ID(w.d.Record)
	}
	if w.c.ID == "" {
		w.c.Record[g.Key] = string(w.d.Key)
	}
	w.status()
	w.set("revision", w.d.Revision)
	return w.c
}

// status writes where the registration stands, into a record that has it
// already only where it changed: what an organiser decided there since, and
// Turnout has not read yet, must not be undone by an edit (P5).
func (w *writer) status() {
	g := w.m.Registration
	name, value := g.Fields["status"], g.statusValue(w.d.Status, w.d.Attendance)
	if name != "" && w.d.Told == w.d.Status && value != "" {
		w.c.Known = salesforce.Record{name: value}
		return
	}
	w.set("status", value)
}

type writer struct {
	m      *Mapping
	def    *turnout.Event
	d      turnout.Dispatch
	object *salesforce.Object
	c      Composed
	// lines are what the answers field holds.
	lines []string
}

// set writes a word's field, if the mapping has one. An empty text empties it.
func (w *writer) set(word string, value any) bool {
	name := w.m.Registration.Fields[word]
	if name == "" {
		return false
	}
	if value == "" {
		value = nil
	}
	if slices.Contains(w.m.Registration.CreateOnly, word) {
		w.c.Birth[name] = value
	} else {
		w.c.Record[name] = value
	}
	return true
}

// identify decides which record it is: the invite's own where answering an
// invite changes it, and then or later the one that was written before.
func (w *writer) identify() {
	invite := w.d.Details.Invite
	if !w.m.ReuseInvite() {
		if invite != nil {
			w.set("link", salesforce.ID(invite.Record))
			w.set("contact", salesforce.ID(invite.Contact))
			w.set("lead", salesforce.ID(invite.Lead))
		}
		return
	}
	w.c.ID = salesforce.ID(w.d.Record)
	if invite == nil {
		return
	}
	if w.c.ID == "" {
		w.c.ID = salesforce.ID(invite.Record)
	}
	if contact, lead := salesforce.ID(invite.Contact), salesforce.ID(invite.Lead); contact != "" {
		w.set("contact", contact)
	} else if lead != "" {
		w.set("lead", lead)
	}
}

// person writes name, e-mail address, title and company: into the
// registration, into a person's record of its own, or, where an invite's
// person is somebody else's to change, what differs among the answers.
func (w *writer) person() {
	p, fields := w.d.Details.Person, w.m.Registration.Fields
	own := w.m.Person != nil && !w.invited()
	if own {
		w.newPerson(p)
	}
	was := turnout.Person{}
	if invite := w.d.Details.Invite; invite != nil {
		was = invite.Person
	}
	for _, part := range []struct{ word, label, value, was string }{
		{"first_name", "First name", p.FirstName, was.FirstName},
		{"last_name", "Last name", p.LastName, was.LastName},
		{"email", "E-mail", p.Email, was.Email},
		{"title", "Title", p.Title, was.Title},
		{"company", "Company", p.Company, was.Company},
	} {
		if fields[part.word] != "" {
			w.set(part.word, part.value)
			continue
		}
		if !own && part.value != "" && part.value != part.was {
			w.line(part.label, part.value)
		}
	}
}

// invited reports whether Salesforce knows the person already.
func (w *writer) invited() bool {
	invite := w.d.Details.Invite
	return invite != nil && (invite.Contact != "" || invite.Lead != "" || w.m.ReuseInvite() && invite.Record != "")
}

func (w *writer) newPerson(p turnout.Person) {
	person := w.m.Person
	if w.c.ID != "" && !w.d.Status.Holds() {
		return // a cancellation says nothing new about the person
	}
	key := string(w.d.Key)
	w.c.Birth[person.Relationship] = map[string]any{person.Key: key}
	record := salesforce.Record{person.Key: key}
	values := map[string]string{"first_name": p.FirstName, "last_name": p.LastName, "email": p.Email, "title": p.Title, "company": p.Company}
	for word, name := range person.Fields {
		value := values[word]
		if value == "" {
			value = person.Defaults[word]
		}
		if record[name] = value; value == "" {
			record[name] = nil
		}
	}
	w.c.Person = record
}

// place writes ticket, sessions and guests, by name where the event is known.
// What the mapping has no field for goes among the answers.
func (w *writer) place() {
	details := w.d.Details
	ticket := details.Ticket
	sessions := slices.Clone(details.Agenda)
	if w.def != nil {
		if t, ok := w.def.Ticket(ticket); ok {
			ticket = t.Name
		}
		for i, id := range sessions {
			if item, ok := w.def.AgendaItem(id); ok {
				sessions[i] = item.Name
			}
		}
	}
	guests := make([]string, len(details.Guests))
	for i, guest := range details.Guests {
		guests[i] = strings.TrimSpace(guest.FirstName + " " + guest.LastName)
	}
	if !w.set("ticket", ticket) && ticket != "" {
		w.line("Ticket", ticket)
	}
	if !w.set("agenda", strings.Join(sessions, "\n")) && len(sessions) > 0 {
		w.line("Sessions", strings.Join(sessions, "; "))
	}
	if !w.set("guests", w.fit("guests", strings.Join(guests, "\n"))) && len(guests) > 0 {
		w.line("Guests", strings.Join(guests, "; "))
	}
}

// answers writes each answer into its target field, and the others as lines.
func (w *writer) answers() {
	asked := map[string]bool{}
	if w.def != nil {
		for _, q := range w.def.Form.Questions {
			asked[q.ID] = true
			values := w.d.Details.Answers[q.ID]
			if !w.target(q, values) && len(values) > 0 {
				w.line(q.Label, strings.Join(values, "; "))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.d.Details.Answers)) {
		if values := w.d.Details.Answers[id]; !asked[id] && len(values) > 0 {
			w.line(id, strings.Join(values, "; "))
		}
	}
	w.set("answers", w.fit("answers", strings.Join(w.lines, "\n")))
}

func (w *writer) line(label, value string) {
	w.lines = append(w.lines, label+": "+strings.ReplaceAll(value, "\n", "\n  "))
}

// target writes an answer into a field of its own. It is false where the
// question names none, or one that is not there or is Turnout's: an
// organiser's slip must not fail a whole batch.
func (w *writer) target(q turnout.Question, values []string) bool {
	if w.object == nil || !salesforce.APIName(q.Target) || w.taken(q.Target) {
		return false
	}
	field, ok := w.object.Field(q.Target)
	if !ok || !field.Create || !field.Update {
		return false
	}
	if len(values) > 0 {
		w.c.Record[q.Target] = typed(field.Type, values)
	} else if w.d.Revision > 1 { // only an edit can have taken an answer away
		w.c.Record[q.Target] = emptied(field.Type)
	}
	return true
}

func (w *writer) taken(field string) bool {
	g := w.m.Registration
	if strings.EqualFold(field, "Id") || strings.EqualFold(field, g.Key) {
		return true
	}
	for _, name := range g.Fields {
		if strings.EqualFold(name, field) {
			return true
		}
	}
	return false
}

func emptied(fieldType string) any {
	if fieldType == "boolean" {
		return false
	}
	return nil
}

// typed is an answer as a field of its type takes it.
func typed(fieldType string, values []string) any {
	switch fieldType {
	case "boolean":
		return values[0] == "yes"
	case "multipicklist":
		return strings.Join(values, ";")
	case "double", "int", "currency", "percent":
		if n, err := strconv.ParseFloat(values[0], 64); err == nil && !math.IsInf(n, 0) && json.Valid([]byte(values[0])) {
			return json.Number(values[0]) // with all its digits
		}
	}
	return strings.Join(values, "; ")
}
