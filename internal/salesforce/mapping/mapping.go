// Package mapping is what Salesforce records mean: which object is an event, a
// link, a registration, which field is which, and which words a status has.
//
// A Mapping is data, read from YAML: "turnout" (the objects of our package)
// and "campaign" (standard campaigns) come with the program, and an org may
// bring a file of its own. The package does no I/O besides reading that file,
// and the describe calls of Check.
package mapping

import (
	"embed"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
)

//go:embed turnout.yaml campaign.yaml
var shipped embed.FS

// Mapping is one object model. It is not changed after it was read.
type Mapping struct {
	Name         string
	Event        Event
	Link         Link
	Registration Registration
	// Person is the object that a registrant becomes who is not known yet; nil
	// where the registration itself holds the person.
	Person *Person
}

// Fields name the API field of each word that a section knows.
type Fields map[string]string

// Event is the object that events are.
type Event struct {
	Object string
	// Published is true of records that have pages.
	Published Test
	Fields    Fields
	// Details is a text field that holds tickets, agenda and questions as YAML;
	// empty where they are records.
	Details string
	// Note is a text field in which Turnout tells the organiser what keeps the record from
	// being shown; empty where there is none. An org may lack it, or keep it for itself.
	Note string
	// The parts that are records; nil where they are not.
	Tickets, Agenda, Questions *Part
}

// Part is an object whose records belong to an event.
type Part struct {
	Object string
	// Relationship is the event's name for them, Parent their field for the event.
	Relationship string
	Parent       string
	Fields       Fields
}

// Link is the object that AttendeeLinks are.
type Link struct {
	Object string
	Fields Fields
	// Revoked is true of links that no longer count; its field may be empty.
	Revoked Test
}

// Registration is the object that registrations become.
type Registration struct {
	Object string
	// Key is the external id field that holds turnout.Key.
	Key    string
	Fields Fields
	// CreateOnly are words whose fields can be set on a new record only.
	CreateOnly []string
	// Statuses are the picklist values of each status and attendance: the first
	// is written, all are read.
	Statuses map[string][]string
}

// Person is the object that unknown registrants become.
type Person struct {
	Object string
	Key    string
	// Relationship is the registration's name for it.
	Relationship string
	Fields       Fields
	// Defaults fill fields that Salesforce requires.
	Defaults Fields
}

// Test is true of a record whose field has one of the values. A checkbox has
// "true" and "false".
type Test struct {
	Field  string
	Values []string
}

// ReuseInvite reports whether a link is a registration that has not been
// answered yet, so that answering changes it instead of making another.
func (m *Mapping) ReuseInvite() bool { return m.Link.Object == m.Registration.Object }

// Load reads a mapping by its name, "turnout" or "campaign", or from a YAML
// file. The error is CodeInvalid and lists every fault.
func Load(name string) (*Mapping, error) {
	if name == "" {
		name = "turnout"
	}
	data, err := shipped.ReadFile(name + ".yaml")
	if err == nil {
		return Parse(name, data)
	}
	if !strings.ContainsAny(name, "./") {
		return nil, turnout.Errorf(turnout.CodeInvalid, "load mapping", "there is no mapping %q; use turnout, campaign, or the path of a YAML file", name)
	}
	data, err = os.ReadFile(name)
	if err != nil {
		return nil, turnout.Wrap(turnout.CodeInvalid, "load mapping", err)
	}
	return Parse(strings.TrimSuffix(path.Base(name), path.Ext(name)), data)
}

// Words that each section knows.

func eventWords() []string {
	return []string{"title", "slug", "summary", "body", "body_text", "organizer", "starts", "starts_on", "ends", "ends_on", "zone",
		"language", "venue", "address", "online", "join_url", "button", "accent", "image", "private", "opens", "closes", "edit_until", "cancel_until",
		"seats", "waitlist", "max_guests", "once_per_person", "lock_email", "ask_title", "ask_company"}
}

func ticketWords() []string {
	return []string{"id", "name", "about", "seats", "position"}
}

func agendaWords() []string {
	return []string{"id", "name", "about", "room", "starts", "ends", "seats", "position"}
}

func questionWords() []string {
	return []string{"id", "label", "help", "kind", "required", "max_length", "min", "max", "choices", "show_if_question", "show_if_values", "target", "position"}
}

func personWords() []string {
	return []string{"first_name", "last_name", "email", "title", "company"}
}

func linkWords() []string {
	return append([]string{"token", "event", "contact", "lead"}, personWords()...)
}

func recordWords() []string {
	return append([]string{"event", "link", "contact", "lead", "status", "ticket", "agenda", "guests", "answers", "guest_count", "registered_at", "revision"}, personWords()...)
}

func statusWords() []string {
	return []string{"registered", "waitlisted", "cancelled", "declined", "approved", "attended", "absent"}
}

// Parse reads a mapping from YAML. Unknown keys are faults.
func Parse(name string, data []byte) (*Mapping, error) {
	root, faults, err := readYAML(data)
	if err != nil {
		return nil, &turnout.Error{Code: turnout.CodeInvalid, Op: "read mapping " + name, Detail: err.Error()}
	}
	m := &Mapping{Name: name}
	m.Event = readEvent(root.section("event"))
	m.Link = readLink(root.section("link"))
	m.Registration = readRegistration(root.section("registration"))
	if root.has("person") {
		m.Person = readPerson(root.section("person"))
	}
	root.done()
	m.require(faults)
	if err := faults.err("read mapping " + name); err != nil {
		return nil, err
	}
	return m, nil
}

func readEvent(s *section) Event {
	e := Event{
		Object: s.name("object"), Published: s.test("published"),
		Fields: s.fields("fields", eventWords()), Details: s.name("details"), Note: s.name("note"),
		Tickets: readPart(s, "tickets", ticketWords()), Agenda: readPart(s, "agenda", agendaWords()), Questions: readPart(s, "questions", questionWords()),
	}
	s.done()
	return e
}

func readPart(s *section, key string, words []string) *Part {
	if !s.has(key) {
		return nil
	}
	s = s.section(key)
	p := &Part{Object: s.name("object"), Relationship: s.name("relationship"), Parent: s.name("parent"), Fields: s.fields("fields", words)}
	s.needs(p.Object, "object")
	s.needs(p.Relationship, "relationship")
	s.needs(p.Parent, "parent")
	s.done()
	return p
}

func readLink(s *section) Link {
	l := Link{Object: s.name("object"), Fields: s.fields("fields", linkWords()), Revoked: s.test("revoked")}
	s.done()
	return l
}

func readRegistration(s *section) Registration {
	r := Registration{Object: s.name("object"), Key: s.name("key"), Fields: s.fields("fields", recordWords()), CreateOnly: s.texts("create_only"), Statuses: map[string][]string{}}
	for _, word := range r.CreateOnly {
		if !slices.Contains(recordWords(), word) {
			s.fault("create_only", "%q is none of %s", word, strings.Join(recordWords(), ", "))
		}
	}
	statuses := s.section("statuses")
	for _, word := range statusWords() {
		if values := statuses.texts(word); len(values) > 0 {
			r.Statuses[word] = values
		}
	}
	statuses.done()
	s.done()
	return r
}

func readPerson(s *section) *Person {
	p := &Person{Object: s.name("object"), Key: s.name("key"), Relationship: s.name("relationship"), Fields: s.fields("fields", personWords()), Defaults: Fields{}}
	defaults := s.section("defaults")
	for _, word := range personWords() {
		if v := defaults.text(word); v != "" {
			p.Defaults[word] = v
		}
	}
	defaults.done()
	s.needs(p.Object, "object")
	s.needs(p.Key, "key")
	s.needs(p.Relationship, "relationship")
	s.done()
	return p
}

// require faults what no mapping can do without.
func (m *Mapping) require(faults *faults) {
	need := func(value, path string) {
		if value == "" {
			faults.add(path, "name it: Turnout cannot do without")
		}
	}
	need(m.Event.Object, "event.object")
	need(m.Event.Fields["title"], "event.fields.title")
	need(m.Event.Fields["starts"], "event.fields.starts")
	need(m.Event.Published.Field, "event.published.field")
	need(m.Link.Object, "link.object")
	need(m.Link.Fields["token"], "link.fields.token")
	need(m.Link.Fields["event"], "link.fields.event")
	need(m.Registration.Object, "registration.object")
	need(m.Registration.Key, "registration.key")
	need(m.Registration.Fields["event"], "registration.fields.event")
	need(m.Registration.Fields["status"], "registration.fields.status")
	need(m.Registration.Fields["answers"], "registration.fields.answers")
	for _, word := range []string{"registered", "waitlisted", "cancelled", "declined"} {
		if len(m.Registration.Statuses[word]) == 0 {
			faults.add("registration.statuses."+word, "say which picklist value means it")
		}
	}
}
