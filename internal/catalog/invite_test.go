package catalog

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// invites are as json.Marshal writes them: quick says which are read quickly.
var invites = []struct {
	invite turnout.Invite
	quick  bool
}{
	{turnout.Invite{}, true},
	{turnout.Invite{Person: person(1)}, true},
	{turnout.Invite{Person: turnout.Person{Email: "é@example.com", FirstName: "日本", LastName: "O'Neill {}[],:", Title: "T", Company: "C"}, Record: "a02", Contact: "003", Lead: "00Q"}, true},
	{turnout.Invite{Person: turnout.Person{FirstName: `He said "hi"`, LastName: `back\slash`}}, false},
	{turnout.Invite{Person: turnout.Person{FirstName: "<b>", LastName: "line\nbreak"}, Lead: "&"}, false},
}

func TestReadInvite(t *testing.T) {
	for _, test := range invites {
		plain, err := json.Marshal(test.invite)
		if err != nil {
			t.Fatal(err)
		}
		var got, quick turnout.Invite
		if err := readInvite(plain, &got); err != nil || got != test.invite {
			t.Errorf("%s is read as %+v, %v", plain, got, err)
		}
		if plainInvite(string(plain), &quick) != test.quick {
			t.Errorf("%s is read quickly: %v", plain, !test.quick)
		}
	}
	var got turnout.Invite
	if err := readInvite([]byte(`{"person":{"email":"a@example.com","age":"7"},"later":{"x":1}}`), &got); err != nil || got.Person.Email != "a@example.com" {
		t.Errorf("a later version's is read as %+v, %v", got, err)
	}
}

// FuzzReadInvite: what is read quickly is what encoding/json reads, wherever that
// reads anything.
func FuzzReadInvite(f *testing.F) {
	for _, test := range invites {
		plain, _ := json.Marshal(test.invite)
		f.Add(string(plain))
	}
	for _, s := range []string{`{"person":{}}`, `{"person":{"email":"x"},}`, `{"person":{"email":"x"}`, `{"person":{"email":"x"}}x`, `{"person":{"a":"b":"c"}}`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var quick, want turnout.Invite
		if !plainInvite(text, &quick) || strings.ToValidUTF8(text, "") != text {
			return
		}
		if err := json.Unmarshal([]byte(text), &want); err == nil && quick != want {
			t.Errorf("%s is read as %+v, want %+v", text, quick, want)
		}
	})
}

func BenchmarkReadInvite(b *testing.B) {
	for _, test := range invites[2:4] {
		plain, _ := json.Marshal(test.invite)
		name := map[bool]string{true: "plain", false: "escaped"}[test.quick]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var into turnout.Invite
				if err := readInvite(plain, &into); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
