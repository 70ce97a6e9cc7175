package sessiontest

import (
	"reflect"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/session"
)

// comesBack: what was sealed opens, on every instance, however often.
func (e *env) comesBack() {
	k := e.keyring()
	one, two := e.instance(k, 0), e.instance(k, 0)
	want := begun(ada, e.now())
	value := e.cookie(one, home, want)
	for range 3 {
		for _, m := range []Made{one, two} {
			if got := e.opens(m, home, value); !reflect.DeepEqual(got, want) {
				e.Errorf("opened %+v, want %+v", got, want)
			}
		}
	}
	if strings.ContainsAny(value, "; ,=\"") {
		e.Errorf("%q is no cookie's value", value)
	}
	if again, _ := one.Seal(e.Context(), home, want); again == value {
		e.Error("it was sealed twice to the same")
	}
}

// neverCrosses: every session is tried on every org, host and stack.
func (e *env) neverCrosses() {
	m := e.instance(e.keyring(), 0)
	var all []session.Binding
	// Names that run into each other when they are put side by side, too.
	for _, org := range []turnout.OrgID{"a", "ab", "b"} {
		for _, host := range []string{"a.localhost", "b.localhost", "ba.localhost", ""} {
			for _, stack := range []string{"", "blue", "green"} {
				all = append(all, session.Binding{Org: org, Host: host, Stack: stack})
			}
		}
	}
	s := begun(ada, e.now())
	for _, from := range all {
		value := e.cookie(m, from, s) // the same session everywhere, so that only the binding differs
		for _, to := range all {
			if from != to {
				if _, ok := m.Open(e.Context(), to, value); ok {
					e.Errorf("P6: a session of %v opens for %v", from, to)
				}
			}
		}
	}
	m.Settle()
}

// otherKeys: two deployments that share whatever the engine shares have nothing
// to do with each other, orgs and people of the same names or not.
func (e *env) otherKeys() {
	ours, theirs := e.instance(e.keyring(), 0), e.instance(e.keyring(), 0)
	s := begun(ada, e.now())
	value := e.cookie(ours, home, s)
	e.isNone(theirs, home, value, "another deployment's key")
	foreign := e.cookie(theirs, home, s)
	e.isNone(ours, home, foreign, "another deployment's key")
	for _, err := range []error{
		theirs.RevokePerson(e.Context(), home.Org, ada), theirs.RevokeOrg(e.Context(), home.Org), theirs.End(e.Context(), home, s),
	} {
		if err != nil {
			e.Fatal(err)
		}
	}
	if got := e.opens(ours, home, value); !reflect.DeepEqual(got, s) {
		e.Errorf("after another deployment ended its own: %+v", got)
	}
}

// forged: what is cut, changed, put together or made up is none.
func (e *env) forged() {
	m := e.instance(e.keyring(), 0)
	value := e.cookie(m, home, begun(ada, e.now()))
	other := e.cookie(m, home, begun(bob, e.now()))
	for i := range value {
		e.isNone(m, home, value[:i], "cut")
		for _, c := range "A_-z0 " {
			if forged := value[:i] + string(c) + value[i+1:]; forged != value {
				if _, ok := m.Open(e.Context(), home, forged); ok {
					e.Fatalf("P6: %q passes for %q", forged, value)
				}
			}
		}
	}
	half := len(value) / 2
	for _, made := range []string{
		"", "a", value + "A", value + value, value[:half] + other[half:], other[:half] + value[half:],
		strings.ToLower(value), value + "=", " " + value, strings.Repeat("A", 1<<20),
	} {
		e.isNone(m, home, made, "made up")
	}
}

// over: sessions end by themselves, on the server as in the cookie.
func (e *env) over() {
	m := e.instance(e.keyring(), 0)
	value := e.cookie(m, home, begun(ada, e.now()))
	e.pass(session.Idle)
	e.opens(m, home, value)
	e.pass(time.Second)
	e.isNone(m, home, value, "not seen for too long")

	s := begun(ada, e.now())
	began := e.now()
	for e.now().Sub(began) <= session.Longest-time.Hour {
		e.cookie(m, home, s.Touched(e.now()))
		e.pass(time.Hour)
	}
	value = e.cookie(m, home, s.Touched(e.now()))
	e.pass(time.Second)
	e.isNone(m, home, value, "began too long ago")
}

// clocksApart: instances whose clocks differ by a minute serve the same sessions,
// and one from farther ahead is none.
func (e *env) clocksApart() {
	k := e.keyring()
	slow, fast := e.instance(k, -time.Minute), e.instance(k, time.Minute)
	for _, from := range []Made{slow, fast} {
		ahead := time.Minute
		if from.Engine == slow.Engine {
			ahead = -time.Minute
		}
		value := e.cookie(from, home, begun(ada, e.now().Add(ahead)))
		e.opens(slow, home, value)
		e.opens(fast, home, value)
	}
	value, err := fast.Seal(e.Context(), home, begun(ada, e.now().Add(5*time.Minute)))
	if err != nil {
		e.Fatal(err)
	}
	e.isNone(slow, home, value, "from the future")
}

// keysRotated: a new org key ends nobody's session.
func (e *env) keysRotated() {
	k := e.keyring()
	m := e.instance(k, 0)
	value := e.cookie(m, home, begun(ada, e.now()))
	if _, err := k.Rotate(e.Context(), string(home.Org)); err != nil {
		e.Fatal(err)
	}
	e.opens(m, home, value)
	e.cookie(m, home, begun(ada, e.now()))
}
