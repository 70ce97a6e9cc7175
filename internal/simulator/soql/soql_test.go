package soql

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	q, err := Parse(`select Id, Event__r.Public_Id__c, (SELECT Name FROM Tickets__r ORDER BY Position__c DESC NULLS LAST LIMIT 2)
		from Turnout_Link__c where (Email__c like 'a\_b%' or Name != null) and not (Seats__c in (1, -2.5) ) order by Name limit 10 offset 5`)
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Select) != 3 || q.Select[1].Path.String() != "Event__r.Public_Id__c" || q.Select[2].Children.Limit != 2 || q.Limit != 10 || q.Offset != 5 {
		t.Errorf("%+v", q)
	}
	and, ok := q.Where.(*And)
	if !ok || len(and.Terms) != 2 {
		t.Fatalf("%#v", q.Where)
	}
}

func TestRefusals(t *testing.T) {
	for query, part := range map[string]string{
		"SELECT":                    "unexpected token: '<EOF>'",
		"SELECT Id FROM Lead WHERE": "unexpected token: '<EOF>'",
		"SELECT Id FROM Lead WHERE a=1 AND b=2 OR c=3":                  "unexpected token: 'OR'",
		"SELECT Id FROM Lead WHERE a = 'x":                              "<EOF>",
		`SELECT Id FROM Lead WHERE a = '\q'`:                            "Illegal escape",
		"SELECT Id FROM Lead LIMIT -1":                                  "unexpected token",
		"SELECT a.b.c.d.e.f.g FROM Lead":                                "5 levels",
		"SELECT Id FROM Lead WHERE " + strings.Repeat("(", 100) + "a=1": "nested too deeply",
	} {
		_, err := Parse(query)
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != "MALFORMED_QUERY" || !strings.Contains(refused.Message, part) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"a%", "Abc", true}, {"%c", "abc", true}, {"a_c", "abc", true}, {"a_c", "ac", false}, {"%", "", true}, {"a\x00%", "a%", true},
		{"a\x00%", "ab", false}, {"%a%b%", "xxaxxbxx", true}, {"", "a", false}, {"é%", "Éa", true},
	} {
		if Like(c.pattern, c.value) != c.want {
			t.Errorf("%q like %q is not %v", c.value, c.pattern, c.want)
		}
	}
}

func TestRelativeDates(t *testing.T) {
	now := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
	from, to := Literal{Text: "LAST_N_DAYS", N: 3}.Range(now)
	if from.Format(time.DateOnly) != "2026-11-19" || to.Format(time.DateOnly) != "2026-11-23" {
		t.Error(from, to)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("SELECT Id, COUNT(x) c FROM A.B WHERE a INCLUDES ('x;y') AND b >= 2026-01-01T00:00:00Z GROUP BY a ALL ROWS")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := Parse(query)
		if (q == nil) == (err == nil) {
			t.Error("neither a query nor an error, or both")
		}
	})
}
