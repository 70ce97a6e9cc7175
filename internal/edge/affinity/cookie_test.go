package affinity

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func signer(t testing.TB, keys ...byte) *Signer {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, KeySize))
	}
	s, err := NewSigner(all...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSessionSurvivesARestart(t *testing.T) {
	b := Binding{"acme", "events.acme.example", "blue"}
	want := Fresh(Handle("one"), noon)
	value := signer(t, 1).Sign(want, b)
	got, ok := signer(t, 1).Read(value, b, noon.Add(time.Hour)) // another process with the key
	if !ok || got != want {
		t.Errorf("read %+v, %v; want %+v", got, ok, want)
	}
	if len(value) != textSize || strings.ContainsAny(value, "; ,=") {
		t.Errorf("%q is no cookie's value", value)
	}
}

// P6: every session is tried on every org, host and stack, and opens its own alone.
func TestP6NoSessionCrosses(t *testing.T) {
	var all []Binding
	// Names that run into each other when they are put side by side, too.
	for _, org := range []string{"a", "ab", "b"} {
		for _, host := range []string{"a.localhost", "b.localhost", "ba.localhost", ""} {
			for _, stack := range []string{"", "blue", "green"} {
				all = append(all, Binding{org, host, stack})
			}
		}
	}
	s := signer(t, 1)
	for _, from := range all {
		value := s.Sign(Fresh(1, noon), from)
		for _, to := range all {
			if _, ok := s.Read(value, to, noon); ok != (from == to) {
				t.Errorf("a session of %v on %v: %v", from, to, ok)
			}
		}
	}
}

func TestP6ForgedSessionsAreNone(t *testing.T) {
	b := Binding{"acme", "acme.localhost", "blue"}
	s := signer(t, 1)
	value := s.Sign(Fresh(1, noon), b)
	for i := range value {
		for _, c := range "A_-z0" {
			forged := value[:i] + string(c) + value[i+1:]
			if _, ok := s.Read(forged, b, noon); ok && forged != value {
				t.Errorf("%q passes for %q", forged, value)
			}
		}
		if _, ok := s.Read(value[:i], b, noon); ok {
			t.Errorf("cut to %d it passes", i)
		}
	}
	if _, ok := signer(t, 2).Read(value, b, noon); ok {
		t.Error("it passes under another key")
	}
}

func TestSessionsEnd(t *testing.T) {
	b := Binding{"acme", "acme.localhost", "blue"}
	s := signer(t, 1)
	for _, c := range []struct {
		began, seen time.Duration
		want        bool
	}{
		{0, 0, true},
		{-Longest, 0, true},
		{-Longest - time.Minute, 0, false},
		{-Idle, -Idle, true},
		{-Idle - time.Minute, -Idle - time.Minute, false},
		{time.Minute, time.Minute, true}, // another edge's clock
		{5 * time.Minute, 0, false},
		{0, 5 * time.Minute, false},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			value := s.Sign(Session{Began: noon.Add(c.began), Seen: noon.Add(c.seen)}, b)
			if _, ok := s.Read(value, b, noon); ok != c.want {
				t.Errorf("it counts: %v", ok)
			}
		})
	}
}

func TestKeysAreReplaced(t *testing.T) {
	b := Binding{"acme", "acme.localhost", "blue"}
	old := signer(t, 1).Sign(Fresh(1, noon), b)
	both := signer(t, 2, 1)
	if _, ok := both.Read(old, b, noon); !ok {
		t.Error("a session under the former key ended")
	}
	if _, ok := signer(t, 2).Read(both.Sign(Fresh(1, noon), b), b, noon); !ok {
		t.Error("the first key does not sign")
	}
}

func TestKeysThatAreTooShort(t *testing.T) {
	if _, err := NewSigner(make([]byte, KeySize-1)); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := NewSigner(); err == nil {
		t.Error("no key was taken")
	}
}

func FuzzRead(f *testing.F) {
	b := Binding{"acme", "acme.localhost", "blue"}
	s := signer(f, 1)
	good := s.Sign(Fresh(1, noon), b)
	f.Add(good)
	f.Add(good[:10])
	f.Add("")
	f.Fuzz(func(t *testing.T, value string) {
		if session, ok := s.Read(value, b, noon); ok && s.Sign(session, b) != value {
			t.Errorf("%q counts and was never signed", value)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	binding := Binding{"acme", "events.acme.example", "blue"}
	s := signer(b, 1)
	value := s.Sign(Fresh(1, noon), binding)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Read(value, binding, noon); !ok {
			b.Fatal("no session")
		}
	}
}
