package misbehave

import (
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

func known(t testing.TB) *schema.Schema {
	t.Helper()
	s, err := schema.Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParseReject(t *testing.T) {
	for text, want := range map[string]Rejects{
		`{"field":"Last_Name__c","value":"Bad"}`:                                     {{Field: "Last_Name__c", Value: "Bad"}},
		`{"field":"Last_Name__c"}`:                                                   {{Field: "Last_Name__c"}},
		`{"field":"Last_Name__c","value":"Bad","code":"X","message":"No"}`:           {{Field: "Last_Name__c", Value: "Bad", Code: "X", Message: "No"}},
		`{"Last_Name__c":"Bad"}`:                                                     {{Field: "Last_Name__c", Value: "Bad"}},
		`{"last_name__c":["A","B"]}`:                                                 {{Field: "last_name__c", Value: "A"}, {Field: "last_name__c", Value: "B"}},
		`[{"field":"Seats__c","value":12000000},{"field":"Online__c","value":true}]`: {{Field: "Seats__c", Value: "12000000"}, {Field: "Online__c", Value: "true"}},
		`{"Seats__c":12000000}`:                                                      {{Field: "Seats__c", Value: "12000000"}},
		`null`:                                                                       nil,
	} {
		f, err := Parse([]byte(`{"reject":`+text+`}`), known(t))
		if err != nil || len(f.Reject) != len(want) {
			t.Errorf("%s: %+v %v", text, f.Reject, err)
			continue
		}
		for i := range want {
			if f.Reject[i] != want[i] {
				t.Errorf("%s: %+v, want %+v", text, f.Reject[i], want[i])
			}
		}
	}
	for text, part := range map[string]string{
		`{"Lst_Name__c":"Bad"}`:               `no object of this org has a field "Lst_Name__c"`,
		`{"field":"Nope__c","value":"x"}`:     `"Nope__c"`,
		`[{"field":"Last_Name__c","is":"x"}]`: "unknown field",
		`{"value":"x"}`:                       `a field "value"`,
		`[{"value":"x"}]`:                     "no field",
		`7`:                                   "reject is a map",
		`{"Last_Name__c":{"a":1}}`:            "Last_Name__c: a value is text",
		`[{"field":"Email__c","value":[1]}]`:  "Email__c: a value is text",
	} {
		if _, err := Parse([]byte(`{"reject":`+text+`}`), known(t)); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestParseExpireTokens(t *testing.T) {
	for text, want := range map[string]Switch{"true": true, "false": false, "1": true, "0": false, "60": true, "null": false} {
		if f, err := Parse([]byte(`{"expire_tokens":`+text+`}`), known(t)); err != nil || f.ExpireTokens != want {
			t.Errorf("%s: %v %v", text, f.ExpireTokens, err)
		}
	}
	if _, err := Parse([]byte(`{"expire_tokens":"soon"}`), known(t)); err == nil {
		t.Error("a word is taken for yes or no")
	}
}

func FuzzParse(f *testing.F) {
	s := known(f)
	f.Add([]byte(`{"reject":{"field":"Last_Name__c","value":"Bad"},"expire_tokens":1}`))
	f.Add([]byte(`{"reject":[{"field":"Name"}],"daily_limit":0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		faults, err := Parse(body, s)
		for _, r := range faults.Reject {
			if err == nil && !s.HasField(r.Field) {
				t.Errorf("%q refuses by %q", body, r.Field)
			}
		}
	})
}

// A value is refused in whatever form it was written: rows keep one form.
func TestRefuseAnyForm(t *testing.T) {
	s := known(t)
	object := s.Object("Turnout_Event__c")
	for text, row := range map[string]struct{ field, value string }{
		`{"Seats__c":12.0}`: {"Seats__c", "12"},
		`{"field":"Starts_At__c","value":"2027-01-01T10:00:00Z"}`: {"Starts_At__c", records.FormatTime(1798797600000)},
		`{"online__c":"TRUE"}`: {"Online__c", "true"},
		`{"Name":" Fair "}`:    {"Name", "Fair"},
	} {
		f, err := Parse([]byte(`{"reject":`+text+`}`), s)
		if err != nil {
			t.Fatal(err)
		}
		refused := func(value string) bool {
			return f.Refuse(&records.Write{Object: object, Sets: []records.Set{{Field: object.Field(row.field), Value: value}}}) != nil
		}
		if !refused(row.value) || refused("13") {
			t.Errorf("%s: %s is refused: %t, 13: %t", text, row.value, refused(row.value), refused("13"))
		}
	}
}
