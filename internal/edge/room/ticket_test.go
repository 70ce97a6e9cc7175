package room

import (
	"strings"
	"testing"
	"time"
)

func keyOf(b byte) []byte { return []byte(strings.Repeat(string(rune(b)), 32)) }

func sealerOf(t testing.TB, room string, current byte, older ...byte) sealer {
	t.Helper()
	var rest [][]byte
	for _, b := range older {
		rest = append(rest, keyOf(b))
	}
	k, err := NewKeys(keyOf(current), rest...)
	if err != nil {
		t.Fatal(err)
	}
	return k.forRoom(room)
}

func TestTicketOpensWhereItWasSealed(t *testing.T) {
	s := sealerOf(t, "acme/summit", 'a')
	want := Ticket{Number: 1<<60 + 7, Issued: start, Expires: start.Add(time.Hour)}
	text := s.text(want)
	if got, ok := s.open(text, start); !ok || got.Number != want.Number || !got.Issued.Equal(want.Issued) || !got.Expires.Equal(want.Expires) {
		t.Errorf("got %+v, %v", got, ok)
	}
	if _, ok := sealerOf(t, "acme/summit", 'b', 'a').open(text, start); !ok {
		t.Error("an older key does not verify")
	}
	for name, c := range map[string]struct {
		s    sealer
		text string
		at   time.Time
	}{
		"expired":           {s, text, start.Add(time.Hour)},
		"another event":     {sealerOf(t, "acme/other", 'a'), text, start},
		"another org":       {sealerOf(t, "other/summit", 'a'), text, start},
		"another key":       {sealerOf(t, "acme/summit", 'b'), text, start},
		"truncated":         {s, text[:42], start},
		"longer":            {s, text + "A", start},
		"empty":             {s, "", start},
		"padded":            {s, text[:42] + "=", start},
		"not base64":        {s, text[:42] + "!", start},
		"with a line break": {s, text[:42] + "\n", start},
		"number 0":          {s, s.text(Ticket{Expires: start.Add(time.Hour)}), start},
	} {
		if got, ok := c.s.open(c.text, c.at); ok {
			t.Errorf("%s: opened to %+v", name, got)
		}
	}
	for i := range text {
		for _, c := range "AQgw_-09az" {
			if forged := text[:i] + string(c) + text[i+1:]; forged != text {
				if _, ok := s.open(forged, start); ok {
					t.Fatalf("opened with %q at %d", c, i)
				}
			}
		}
	}
}

func TestShortKeys(t *testing.T) {
	if _, err := NewKeys(make([]byte, 31)); err == nil {
		t.Error("31 bytes passed for a key")
	}
	if _, err := NewKeys(make([]byte, 32), nil); err == nil {
		t.Error("nothing passed for an older key")
	}
}

func FuzzTicket(f *testing.F) {
	s := sealerOf(f, "acme/summit", 'a')
	real := s.text(Ticket{Number: 5, Issued: start, Expires: start.Add(time.Hour)})
	f.Add(real)
	f.Add(real[:20])
	f.Add(sealerOf(f, "acme/other", 'a').text(Ticket{Number: 5, Issued: start, Expires: start.Add(time.Hour)}))
	f.Fuzz(func(t *testing.T, text string) {
		if got, ok := s.open(text, start); ok && text != real && s.text(got) != text {
			t.Fatalf("%q opened to %+v", text, got)
		}
	})
}
