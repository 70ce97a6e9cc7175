package schema

import (
	"os"
	"strings"
	"testing"
)

func TestLoadLaysObjectsOver(t *testing.T) {
	s, err := Load([]byte("objects:\n  - name: Lead\n    fields:\n      - {name: Colour__c, type: text, length: 7}\n  - name: Guest__c\n    fields:\n      - {name: Event__c, type: masterdetail, referenceTo: [Turnout_Event__c], childRelationship: Guests__r}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Object("lead").Field("colour__C"); f == nil || f.Length != 7 {
		t.Errorf("%+v", f)
	}
	if c, ok := s.Object("Turnout_Event__c").Child("guests__r"); !ok || !c.Field.Lock || !c.Field.Required {
		t.Errorf("%+v", c)
	}
	if p := s.Object("Guest__c").Prefix; s.ByPrefix(p) != s.Object("Guest__c") {
		t.Error("no prefix was assigned")
	}
}

// Organisers add people by hand, who have no key.
func TestRegistrationsNeedNoKey(t *testing.T) {
	s, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Object("Turnout_Registration__c").Field("Idempotency_Key__c"); f == nil || f.Required || !f.Unique {
		t.Errorf("%+v", f)
	}
}

// Keys may be written in snake_case, as many YAML files are.
func TestSnakeCaseKeysAreAliases(t *testing.T) {
	s, err := Load([]byte(`objects:
  - name: A__c
    no_owner: true
    fields:
      - {name: Key__c, type: text, external_id: true, unique: true, case_sensitive: true}
      - {name: Event__c, type: reference, reference_to: [Turnout_Event__c], child_relationship: As__r, on_delete: Restrict}
      - {name: Once__c, type: picklist, values: [some_value], create_only: true, read_only: false, id_lookup: true}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Object("A__c")
	if key := a.Field("Key__c"); !a.NoOwner || !key.ExternalID || !key.CaseSensitive {
		t.Errorf("%+v", key)
	}
	if lookup := a.Field("Event__c"); lookup.ReferenceTo[0] != "Turnout_Event__c" || lookup.ChildRelationship != "As__r" || lookup.OnDelete != Restrict {
		t.Errorf("%+v", lookup)
	}
	if once := a.Field("Once__c"); !once.CreateOnly || !once.IDLookup || once.Values[0] != "some_value" {
		t.Errorf("%+v", once)
	}
}

// The example in the documentation is read as it stands there.
func TestDocumentedSchema(t *testing.T) {
	text, err := os.ReadFile("../../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\nobjects:")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/simulator.md has no example of a schema")
	}
	s, err := Load([]byte("objects:" + example))
	if err != nil {
		t.Fatal(err)
	}
	workshop, event := s.Object("Workshop__c"), s.Object("Turnout_Event__c")
	if workshop == nil || !workshop.Field("Code__c").ExternalID || !workshop.Field("Event__c").Master || event.Field("Dress_Code__c") == nil || event.Field("Slug__c") == nil {
		t.Errorf("%+v %+v", workshop, event)
	}
	if _, ok := event.Child("Workshops__r"); !ok {
		t.Error("the event has no workshops")
	}
}

func TestLoadRefuses(t *testing.T) {
	for text, part := range map[string]string{
		"objects: [{name: A__c, colour: red}]":                                                             "colour",
		"objects: [{name: A__c, fields: [{name: B__c, type: fog}]}]":                                       `type "fog" is unknown`,
		"objects: [{name: A__c, fields: [{name: B__c, type: reference}]}]":                                 "referenceTo",
		"objects: [{name: A__c, fields: [{name: B__c, type: reference, referenceTo: [Nobody]}]}]":          "unknown object Nobody",
		"objects: [{name: A__c, prefix: '003'}]":                                                           "taken",
		"objects: [{name: A__c, fields: [{name: B__c, type: text, externalId: true, external_id: true}]}]": "external_id are the same key",
		"objects: [{name: A__c, is_red: true}]":                                                            "unknown field",
		"objects: []\n---\nobjects: []\n":                                                                  "one YAML document",
		"objects:\n  - name: A__c\n    fields: !x 0":                                                       "no tags",
		"objects: [&a {name: A__c}, *a]":                                                                   "[1:11] a schema has no tags",
		"objects: [":                                                                                       "1:",
		"objects: [{fields: []}]":                                                                          "no name",
		"objects: [{name: A__c, fields: [{name: B__c, type: text}, {name: b__c, type: text}]}]":            "twice",
	} {
		if _, err := Load([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("objects:\n  - name:\n    fields: !0000000 00"))
	f.Add([]byte("objects:\n  - name: A__c\n    fields: [{name: B__c, type: text}]\n"))
	// Without the built-in objects: parsing them each time leaves no time for text.
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = load(text) })
}
