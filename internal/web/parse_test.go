package web

import (
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/turnout-events/turnout"
)

func TestParseForm(t *testing.T) {
	f, err := parseForm("key=ABC-1&form=f1&revision=3&first_name=Ada+%26+Co&agenda=a&agenda=&agenda=b&ticket=t&join_waitlist=yes&action=decline" +
		"&guests.0.first_name=+&guests.2.last_name=Sample&answers.q=x&answers.q=y&answers.empty=")
	if err != nil {
		t.Fatal(err)
	}
	want := filled{Revision: 3, Decline: true, Submission: turnout.Submission{
		Key: "abc-1", FormVersion: "f1", JoinWaitlist: true,
		Details: turnout.Details{
			Person: turnout.Person{FirstName: "Ada & Co"}, Ticket: "t", Agenda: []string{"a", "b"},
			Guests: []turnout.Guest{{LastName: "Sample"}}, Answers: turnout.Answers{"q": {"x", "y"}},
		},
	}}
	if !reflect.DeepEqual(f, want) {
		t.Errorf("got  %+v\nwant %+v", f, want)
	}
}

// A field that no form of ours has would be lost without a word.
func TestUnknownFieldsAreTold(t *testing.T) {
	for _, body := range []string{"other=1", "Email=a%40example.com", "guests.21.first_name=Bo", "guests.0.email=x", "guests.first_name=x", "answers.=x", "=x"} {
		if _, err := parseForm("key=abc-1&" + body); turnout.CodeOf(err) != turnout.CodeMalformed {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzParseForm: whatever comes in, what comes out is UTF-8, bounded and has a
// key that is valid or none.
func FuzzParseForm(f *testing.F) {
	f.Add("key=a&first_name=Ada&guests.0.first_name=Bo&answers.q=1")
	f.Add("revision=-1")
	f.Add("a=%ff&b=%zz;c")
	f.Add("answers.=x&answers.a.b=&key=%22a%22")
	f.Add(strings.Repeat("&", 700))
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseForm(body)
		if err != nil {
			if turnout.CodeOf(err) != turnout.CodeMalformed {
				t.Fatalf("error %v", err)
			}
			return
		}
		if got.Key != "" && !got.Key.Valid() || got.Revision < 0 || len(got.Guests) > turnout.MaxGuests+1 || len(got.Answers) > maxPairs {
			t.Fatalf("%+v", got)
		}
		for id, values := range got.Answers {
			if !utf8.ValidString(id + strings.Join(values, "")) {
				t.Fatalf("not UTF-8: %q", values)
			}
		}
		if p := got.Person; !utf8.ValidString(p.FirstName + p.LastName + p.Email + p.Title + p.Company) {
			t.Fatalf("not UTF-8: %+v", p)
		}
	})
}

// FuzzRegistrationToken: a token that is looked up stands in a path as it is.
func FuzzRegistrationToken(f *testing.F) {
	f.Add("abcdefgh")
	f.Add("../../etc/passwd")
	f.Add(strings.Repeat("a", 300))
	f.Fuzz(func(t *testing.T, s string) {
		if validRegistrationToken(s) && (url.PathEscape(s) != s || len(s) > 256) {
			t.Errorf("%q", s)
		}
	})
}

func TestStatusOfEveryCode(t *testing.T) {
	for code, want := range map[turnout.Code]int{
		turnout.CodeMalformed: 400, turnout.CodeInvalid: 422, turnout.CodeStale: 409, turnout.CodeReused: 409, turnout.CodeNotFound: 404,
		turnout.CodeFull: 409, turnout.CodeClosed: 409, turnout.CodeConflict: 409, turnout.CodeUnauthorized: 403, turnout.CodeForbidden: 403,
		turnout.CodeTooLarge: 413, turnout.CodeThrottled: 429, turnout.CodeUnavailable: 503, turnout.CodeUnknown: 503, turnout.CodeNoSpace: 503,
		turnout.CodeForgotten: 410, turnout.CodeInternal: 500, turnout.CodeRefused: 500, turnout.CodeMisconfigured: 500,
	} {
		if got := status(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}
