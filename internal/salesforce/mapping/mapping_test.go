package mapping

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

func load(t testing.TB, name string) *Mapping {
	t.Helper()
	m, err := Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShippedMappings(t *testing.T) {
	for name, reuse := range map[string]bool{"turnout": false, "campaign": true, "": false} {
		if m := load(t, name); m.ReuseInvite() != reuse {
			t.Errorf("%s: reuse %v", name, m.ReuseInvite())
		}
	}
	if _, err := Load("nothing"); turnout.CodeOf(err) != turnout.CodeInvalid {
		t.Errorf("an unknown name gives %v", err)
	}
	if _, err := Load("./missing.yaml"); turnout.CodeOf(err) != turnout.CodeInvalid {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestOwnFile(t *testing.T) {
	data, err := os.ReadFile("campaign.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "acme.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(string(data), "Turnout_Slug__c", "Web_Name__c", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if m := load(t, file); m.Name != "acme" || m.Event.Fields["slug"] != "Web_Name__c" {
		t.Errorf("%+v", m)
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	data, err := os.ReadFile("turnout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"slug: Slug__c", "slugg: Slug__c", // an unknown word
		"venue: Venue__c", "venue: Venue c; DROP", // not an API name
		"key: Idempotency_Key__c", "", // missing
		"declined: Declined", "", // missing
		"relationship: Tickets__r", "relationships: Tickets__r", // unknown and missing
		"\nlink:", "\nextra: 1\nlink:", // unknown section
	).Replace(string(data))
	_, err = Parse("broken", []byte(text))
	var got []string
	for _, f := range turnout.FieldsOf(err) {
		got = append(got, f.Field)
	}
	for _, want := range []string{"event.fields.slugg", "event.fields.venue", "registration.key", "registration.statuses.declined", "event.tickets.relationship", "event.tickets.relationships", "extra"} {
		if !slices.Contains(got, want) {
			t.Errorf("%s is not among the faults %v", want, got)
		}
	}
	if !strings.Contains(err.Error(), "slugg") {
		t.Errorf("the text names nothing: %v", err)
	}
	for _, bad := range []string{"[", "- a", "a: &x 1\nb: *x", "a: 1\na: 2", "a: !!binary x", strings.Repeat("[", 5000), "--- 1\n--- 2", strings.Repeat("a", maxYAML+1)} {
		if _, err := Parse("bad", []byte(bad)); turnout.CodeOf(err) != turnout.CodeInvalid {
			t.Errorf("%.20q gives %v", bad, err)
		}
	}
}

type described map[string]*salesforce.Object

func (d described) Describe(_ context.Context, object string) (*salesforce.Object, error) {
	if o, ok := d[object]; ok {
		return o, nil
	}
	if object == "Away" {
		return nil, errors.New("no reply")
	}
	return nil, &turnout.Error{Code: turnout.CodeMisconfigured, Err: &salesforce.APIError{HTTPStatus: 404, Status: "NOT_FOUND"}}
}

// fitting describes objects that a mapping finds nothing wrong with.
func fitting(m *Mapping) described {
	d := described{}
	add := func(object string, needs []need) *salesforce.Object {
		if d[object] == nil {
			d[object] = &salesforce.Object{Name: object, Create: true, Update: true, Query: true}
		}
		o := d[object]
		for _, n := range needs {
			if _, ok := o.Field(n.field); ok {
				continue
			}
			f := salesforce.Field{Name: n.field, Type: "string", Length: 255, Create: true, Update: true, ExternalID: n.externalID, Unique: n.externalID}
			if len(n.values) > 0 {
				f.Type, f.Restricted = "picklist", true
				for _, v := range n.values {
					f.Values = append(f.Values, struct {
						Value  string `json:"value"`
						Active bool   `json:"active"`
					}{v, true})
				}
			}
			o.Fields = append(o.Fields, f)
		}
		return o
	}
	event := add(m.Event.Object, reading(append(named(m.Event.Fields, "Id", stamp), m.Event.Details)...))
	add(m.Event.Object, []need{{field: m.Event.Published.Field, values: m.Event.Published.Values}})
	for _, p := range []*Part{m.Event.Tickets, m.Event.Agenda, m.Event.Questions} {
		if p != nil {
			add(p.Object, reading(named(p.Fields, "Id", stamp, p.Parent)...))
			event.Children = append(event.Children, salesforce.Child{Object: p.Object, Field: p.Parent, Relationship: p.Relationship})
		}
	}
	event.Fields = append(event.Fields, salesforce.Field{Name: m.Event.Note, Type: "textarea", Length: turnout.MaxEventNote, Update: true})
	add(m.Registration.Object, m.registrationNeeds())
	add(m.Link.Object, reading(m.Link.Columns()...))
	if m.Person != nil {
		add(m.Person.Object, m.personNeeds())
	}
	return d
}

func TestCheck(t *testing.T) {
	for _, name := range []string{"turnout", "campaign"} {
		m := load(t, name)
		if found := Check(t.Context(), fitting(m), m); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
	m := load(t, "turnout")
	change := func(d described, object, field string, to func(*salesforce.Field)) {
		for i := range d[object].Fields {
			if d[object].Fields[i].Name == field {
				to(&d[object].Fields[i])
			}
		}
	}
	for _, test := range []struct {
		name    string
		break_  func(described)
		want    string
		warning bool
	}{
		{"missing object", func(d described) { delete(d, "Turnout_Link__c") }, "Turnout_Link__c: the object is not there", false},
		{"missing field", func(d described) {
			change(d, "Turnout_Event__c", "Venue__c", func(f *salesforce.Field) { f.Name = "Place__c" })
		}, "Turnout_Event__c.Venue__c: the field is not there", false},
		{"object not writable", func(d described) { d["Turnout_Registration__c"].Create = false }, "Turnout_Registration__c: the integration user may not create", false},
		{"field not writable", func(d described) {
			change(d, "Turnout_Registration__c", "Email__c", func(f *salesforce.Field) { f.Update = false })
		}, "Turnout_Registration__c.Email__c: the integration user may not write", false},
		{"no external id", func(d described) {
			change(d, "Turnout_Registration__c", "Idempotency_Key__c", func(f *salesforce.Field) { f.ExternalID = false })
		}, "Turnout_Registration__c.Idempotency_Key__c: tick both", false},
		{"not unique", func(d described) {
			change(d, "Turnout_Registration__c", "Idempotency_Key__c", func(f *salesforce.Field) { f.Unique = false })
		}, "tick both", false},
		{"short key", func(d described) {
			change(d, "Turnout_Registration__c", "Idempotency_Key__c", func(f *salesforce.Field) { f.Length = 30 })
		}, "it takes 30 characters and Turnout accepts 64", false},
		{"short company", func(d described) {
			change(d, "Turnout_Registration__c", "Company__c", func(f *salesforce.Field) { f.Length = 80 })
		}, "it takes 80 characters and Turnout accepts 255", true},
		{"no note", func(d described) {
			change(d, "Turnout_Event__c", "Page_Note__c", func(f *salesforce.Field) { f.Update = false })
		}, "Turnout_Event__c.Page_Note__c: organisers do not hear", true},
		{"a short note", func(d described) {
			change(d, "Turnout_Event__c", "Page_Note__c", func(f *salesforce.Field) { f.Length = 255 })
		}, "Turnout_Event__c.Page_Note__c: organisers do not hear", true},
		{"status missing", func(d described) {
			change(d, "Turnout_Registration__c", "Status__c", func(f *salesforce.Field) { f.Values = f.Values[1:] })
		}, `add "Registered" to the picklist`, false},
		{"relationship", func(d described) { d["Turnout_Event__c"].Children = nil }, "no child relationship Tickets__r", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := fitting(m)
			test.break_(d)
			found := Check(t.Context(), d, m)
			if !slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains(f.String(), test.want) && f.Warning == test.warning }) {
				t.Errorf("%v", found)
			}
		})
	}
}
