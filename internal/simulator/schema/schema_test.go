package schema

import (
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

func TestLoadRefuses(t *testing.T) {
	for text, part := range map[string]string{
		"objects: [{name: A__c, colour: red}]":                                                    "colour",
		"objects: [{name: A__c, fields: [{name: B__c, type: fog}]}]":                              `type "fog" is unknown`,
		"objects: [{name: A__c, fields: [{name: B__c, type: reference}]}]":                        "referenceTo",
		"objects: [{name: A__c, fields: [{name: B__c, type: reference, referenceTo: [Nobody]}]}]": "unknown object Nobody",
		"objects: [{name: A__c, prefix: '003'}]":                                                  "taken",
		"objects: [{fields: []}]":                                                                 "no name",
		"objects: [{name: A__c, fields: [{name: B__c, type: text}, {name: b__c, type: text}]}]":   "twice",
	} {
		if _, err := Load([]byte(text)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("objects:\n  - name: A__c\n    fields: [{name: B__c, type: text}]\n"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = Load(text) })
}
