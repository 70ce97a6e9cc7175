package session

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestLinksAreFew(t *testing.T) {
	s := Begin(turnout.PersonID{1}, noon)
	for i := range MostLinks + 2 {
		s = s.With(Link{turnout.EventID(fmt.Sprint("e", i)), fmt.Sprint("token-000", i)})
	}
	if _, ok := s.Link("e1"); ok || len(s.Links) != MostLinks {
		t.Errorf("kept %v", s.Links)
	}
	again := s.With(Link{"e3", "token-new"})
	if l, _ := again.Link("e3"); l.Token != "token-new" || len(again.Links) != MostLinks {
		t.Errorf("opened anew: %v", again.Links)
	}
	if l, _ := s.Link("e3"); l.Token == "token-new" {
		t.Error("the session that it was made from changed")
	}
}

func TestLive(t *testing.T) {
	for _, c := range []struct {
		began, seen time.Duration
		want        bool
	}{
		{0, 0, true},
		{-Longest, 0, true},
		{-Longest - time.Second, 0, false},
		{-Idle, -Idle, true},
		{-Idle - time.Second, -Idle - time.Second, false},
		{time.Minute, time.Minute, true}, // another instance's clock
		{3 * time.Minute, 3 * time.Minute, false},
		{0, 3 * time.Minute, false},
	} {
		s := Session{Began: noon.Add(c.began), Seen: noon.Add(c.seen)}
		if s.Live(noon) != c.want {
			t.Errorf("%v: live is %v", c, !c.want)
		}
	}
}

func TestBindingsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]Binding{}
	for _, host := range []string{"", "a", "a/b", "b", "1:a"} {
		for _, stack := range []string{"", "a", "b", "/b", "b/"} {
			b := Binding{"acme", host, stack}
			if other, ok := seen[b.Name()]; ok {
				t.Errorf("%v and %v are both %q", b, other, b.Name())
			}
			seen[b.Name()] = b
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := Begin(turnout.PersonID{1}, noon).With(Link{"a0B000000000001AAA", strings.Repeat("t", turnout.MaxToken)})
	f.Add(s.Encode())
	f.Add(s.Encode()[:fixed])
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := Decode(b); ok && !bytes.Equal(s.Encode(), b) {
			t.Errorf("%x reads as %+v, which is %x", b, s, s.Encode())
		}
	})
}

func TestEncoding(t *testing.T) {
	s := Begin(turnout.PersonID{1}, noon).With(Link{"e1", "token-0001"}).With(Link{"e2", "token-0002"})
	if got, ok := Decode(s.Encode()); !ok || !reflect.DeepEqual(got, s) {
		t.Errorf("%+v, want %+v", got, s)
	}
}
