package cookie

import (
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/conformance/gotest"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
	"github.com/turnout-events/turnout/internal/session/sessiontest"
)

func TestConformance(t *testing.T) {
	sessiontest.Run(gotest.New(t), func(conformance.T) func(sessiontest.Instance) sessiontest.Made {
		return func(i sessiontest.Instance) sessiontest.Made {
			return sessiontest.Made{Engine: New(Options{Keyring: i.Keyring, Now: i.Now})}
		}
	})
}

func engine(t testing.TB) *Engine {
	t.Helper()
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Keyring: seal.NewKeyring(sessiontest.NewShelf(), func() (seal.Master, error) { return master, nil })})
}

// The largest session fits a cookie, of which browsers take 4096 bytes.
func TestLargest(t *testing.T) {
	e, b := engine(t), session.Binding{Org: "acme", Host: "events.acme.example"}
	s := session.Begin(turnout.PersonID{1}, time.Now())
	for _, event := range []turnout.EventID{"a0B000000000001AAA", "a0B000000000002AAA", "a0B000000000003AAA", "a0B000000000004AAA"} {
		s = s.With(session.Link{Event: event, Token: strings.Repeat("t", turnout.MaxToken)})
	}
	value, err := e.Seal(t.Context(), b, s)
	if err != nil || len(value) > longest {
		t.Fatalf("%d characters, %v", len(value), err)
	}
	if _, ok := e.Open(t.Context(), b, value); !ok {
		t.Error("it does not open")
	}
}

func FuzzOpen(f *testing.F) {
	e, b := engine(f), session.Binding{Org: "acme", Host: "events.acme.example", Stack: "blue"}
	good, err := e.Seal(f.Context(), b, session.Begin(turnout.PersonID{1}, time.Now()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:10])
	f.Fuzz(func(t *testing.T, value string) {
		if _, ok := e.Open(t.Context(), b, value); ok && value != good {
			t.Errorf("%q opens and was never sealed", value)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	e, binding := engine(b), session.Binding{Org: "acme", Host: "events.acme.example", Stack: "blue"}
	value, err := e.Seal(b.Context(), binding, session.Begin(turnout.PersonID{1}, time.Now()))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := e.Open(b.Context(), binding, value); !ok {
			b.Fatal("no session")
		}
	}
}
