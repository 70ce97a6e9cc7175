package sessiontest

import (
	"reflect"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/session"
)

// later is long enough after an end for a session to begin that it does not concern.
const later = 3 * time.Minute

// personRevoked: a forgotten person's cookies are worth nothing, replayed or not;
// everybody else's stay.
func (e *env) personRevoked() {
	m := e.instance(e.keyring(), 0)
	hers, another := e.cookie(m, home, begun(ada, e.now())), e.cookie(m, home, begun(ada, e.now()))
	his := e.cookie(m, home, begun(bob, e.now()))
	elsewhere := home
	elsewhere.Org = "other"
	there := e.cookie(m, elsewhere, begun(ada, e.now()))
	unsent, _ := m.Seal(e.Context(), home, begun(ada, e.now())) // its browser never sent it back
	e.pass(time.Minute)
	if err := m.RevokePerson(e.Context(), home.Org, ada); err != nil {
		e.Fatal(err)
	}
	for _, value := range []string{hers, another, unsent} {
		e.isNone(m, home, value, "a revoked person's")
	}
	e.opens(m, home, his)
	e.opens(m, elsewhere, there)
	e.pass(later)
	e.isNone(m, home, hers, "a revoked person's, replayed")
	e.cookie(m, home, begun(ada, e.now())) // she was invited anew
}

// orgRevoked: so are all of an org's, and of no other.
func (e *env) orgRevoked() {
	m := e.instance(e.keyring(), 0)
	values := []string{e.cookie(m, home, begun(ada, e.now())), e.cookie(m, home, begun(bob, e.now()))}
	elsewhere := home
	elsewhere.Org = "other"
	there := e.cookie(m, elsewhere, begun(ada, e.now()))
	e.pass(time.Minute)
	if err := m.RevokeOrg(e.Context(), home.Org); err != nil {
		e.Fatal(err)
	}
	for _, value := range values {
		e.isNone(m, home, value, "a revoked org's")
	}
	e.opens(m, elsewhere, there)
	e.pass(later)
	e.isNone(m, home, values[0], "a revoked org's, replayed")
	e.cookie(m, home, begun(ada, e.now()))
}

// revokedElsewhere: what one instance ends is over on the others, whose clocks
// differ by a minute, and one that has seen the session before.
func (e *env) revokedElsewhere() {
	k := e.keyring()
	one, two := e.instance(k, time.Minute), e.instance(k, 0)
	if !one.Shared {
		return // its instances have nothing in common
	}
	hers, his := e.cookie(one, home, begun(ada, e.now().Add(time.Minute))), e.cookie(one, home, begun(bob, e.now().Add(time.Minute)))
	e.opens(two, home, hers)
	e.opens(two, home, his)
	if err := two.RevokePerson(e.Context(), home.Org, ada); err != nil {
		e.Fatal(err)
	}
	e.becomesNone(one, hers)
	e.opens(one, home, his)
	if err := two.RevokeOrg(e.Context(), home.Org); err != nil {
		e.Fatal(err)
	}
	e.becomesNone(one, his)
}

// becomesNone waits for the server's word that something changed.
func (e *env) becomesNone(m Made, value string) {
	e.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if _, ok := m.Open(e.Context(), home, value); !ok {
			m.Settle()
			e.isNone(m, home, value, "revoked on another instance")
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			e.Fatal("P6: what another instance revoked still opens")
		}
	}
}

// ended: who left on a shared device leaves nothing behind.
func (e *env) ended() {
	m := e.instance(e.keyring(), 0)
	if !m.Shared {
		return // it ends a session by taking its cookie back
	}
	s := begun(ada, e.now())
	value, other := e.cookie(m, home, s), e.cookie(m, home, begun(ada, e.now()))
	if err := m.End(e.Context(), home, s); err != nil {
		e.Fatal(err)
	}
	e.becomesNone(m, value)
	e.opens(m, home, other)
	e.pass(session.Idle - time.Minute)
	e.isNone(m, home, value, "ended, replayed")
}

// samePerson: a session is one person's at one org, though the same number names
// somebody there too.
func (e *env) samePerson() {
	m := e.instance(e.keyring(), 0)
	s := begun(ada, e.now())
	value := e.cookie(m, home, s)
	e.pass(2 * time.Minute)
	mixed := s.With(session.Link{Event: "a0B000000000001AAA", Token: "token-of-another"}).Touched(e.now())
	mixed.Person = bob // the same id under another person: never made by us
	e.cookie(m, home, mixed)
	if got := e.opens(m, home, value); !reflect.DeepEqual(got, s) {
		e.Errorf("P6: it became %+v", got)
	}
}

// heard: what an instance is told by the change feed it knows without asking.
func (e *env) heard() {
	m := e.instance(e.keyring(), 0)
	hers, his := e.cookie(m, home, begun(ada, e.now())), e.cookie(m, home, begun(bob, e.now()))
	m.Heard(home.Org, ada, e.now())
	e.isNone(m, home, hers, "heard of its person")
	e.opens(m, home, his)
	m.Heard(home.Org, turnout.PersonID{}, e.now())
	e.isNone(m, home, his, "heard of its org")
}
