package ledger

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

var start = time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)

func pools(event, ticket int) []turnout.Claim {
	return []turnout.Claim{{Pool: turnout.PoolEvent, Seats: event}, {Pool: "ticket/a", Seats: ticket}}
}

func opened(event, ticket int) *Ledger {
	l := New(1)
	l.Set(turnout.Ledger{Open: true, Opens: start, Closes: start.Add(time.Hour), Ends: start.Add(2 * time.Hour), Pools: pools(event, ticket)}, start)
	l.Promote(nil)
	return l
}

func TestWhatASubmissionGets(t *testing.T) {
	nobody := func() (bool, error) { return false, nil }
	somebody := func() (bool, error) { return true, nil }
	full := opened(0, 0)
	for name, c := range map[string]struct {
		l     *Ledger
		a     turnout.Acceptance
		holds func() (bool, error)
		want  turnout.Status
		code  turnout.Code
	}{
		"a seat":               {opened(2, 2), turnout.Acceptance{At: start, Claims: pools(1, 1)}, nobody, turnout.StatusRegistered, ""},
		"nobody knows it":      {nil, turnout.Acceptance{At: start}, nobody, "", turnout.CodeNotFound},
		"too early":            {opened(2, 2), turnout.Acceptance{At: start.Add(-time.Millisecond)}, nobody, "", turnout.CodeClosed},
		"too late":             {opened(2, 2), turnout.Acceptance{At: start.Add(time.Hour)}, nobody, "", turnout.CodeClosed},
		"declined early":       {opened(2, 2), turnout.Acceptance{At: start.Add(-time.Hour), Status: turnout.StatusDeclined}, nobody, turnout.StatusDeclined, ""},
		"declined when over":   {opened(2, 2), turnout.Acceptance{At: start.Add(2 * time.Hour), Status: turnout.StatusDeclined}, nobody, "", turnout.CodeClosed},
		"once, and again":      {opened(2, 2), turnout.Acceptance{At: start, OncePerPerson: true, Claims: pools(1, 1)}, somebody, "", turnout.CodeConflict},
		"once, for the first":  {opened(2, 2), turnout.Acceptance{At: start, OncePerPerson: true, Claims: pools(1, 1)}, nobody, turnout.StatusRegistered, ""},
		"a pool that went":     {opened(2, 2), turnout.Acceptance{At: start, Claims: []turnout.Claim{{Pool: "ticket/gone", Seats: 1}}}, nobody, "", turnout.CodeStale},
		"full":                 {full, turnout.Acceptance{At: start, Claims: pools(1, 1)}, nobody, "", turnout.CodeFull},
		"full, and would wait": {full, turnout.Acceptance{At: start, Claims: pools(1, 1), Waitlist: true}, nobody, turnout.StatusWaitlisted, ""},
		"no limit":             {opened(turnout.Unlimited, turnout.Unlimited), turnout.Acceptance{At: start, Claims: pools(900, 900)}, nobody, turnout.StatusRegistered, ""},
	} {
		if got, err := c.l.Admit(&c.a, c.holds); got != c.want || turnout.CodeOf(err) != c.code {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, c.want, c.code)
		}
	}
}

func TestWhichKeyIsUsed(t *testing.T) {
	mine := turnout.DataKey{Wrapped: []byte("mine")}
	stored := turnout.DataKey{Wrapped: []byte("mine"), Stored: true}
	for name, c := range map[string]struct {
		key   turnout.DataKey
		rests []byte
		other bool
		code  turnout.Code
	}{
		"new":               {mine, nil, false, ""},
		"as it rests":       {stored, []byte("mine"), false, ""},
		"made twice":        {mine, []byte("first"), true, ""},
		"P8: was destroyed": {stored, nil, false, turnout.CodeForgotten},
		"came back anew":    {stored, []byte("anew"), true, ""},
	} {
		other, err := KeyToUse(c.key, c.rests)
		if (other != nil) != c.other || turnout.CodeOf(err) != c.code {
			t.Errorf("%s: %+v, %v", name, other, err)
		}
	}
}

// Who is forgotten leaves nothing that names them; Salesforce hears what it has.
func TestP8WhatIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		status    turnout.Status
		delivered int64
		due       bool
	}{
		"never delivered": {turnout.StatusRegistered, 0, false},
		"delivered":       {turnout.StatusRegistered, 3, true},
		"cancelled":       {turnout.StatusCancelled, 3, false},
		"cancelling":      {turnout.StatusCancelled, 2, true},
		"waiting":         {turnout.StatusWaitlisted, 1, true},
	} {
		l := opened(5, 5)
		l.Enter(c.status, pools(1, 1))
		r := turnout.Registration{
			Status: c.status, Revision: 3, Claims: pools(1, 1), Sealed: []byte("s"), Person: turnout.PersonID{1}, Link: turnout.LinkID{1},
			Fingerprint: turnout.Fingerprint{1}, Parked: &turnout.Parked{}, Attempts: 2, Due: start, AcceptedAt: start,
		}
		r.Delivered = r.Delivered + c.delivered
		l.Erase(&r, start.Add(time.Minute))
		if r.Sealed != nil || !r.Person.IsZero() || !r.Link.IsZero() || r.Fingerprint != (turnout.Fingerprint{}) || r.Parked != nil || r.Attempts != 0 {
			t.Errorf("%s: %+v", name, r)
		}
		if r.Status != turnout.StatusCancelled || r.Due.IsZero() == c.due || (r.Delivered == r.Revision) == c.due {
			t.Errorf("%s: rests as %s, revision %d of which %d is delivered, due %v", name, r.Status, r.Revision, r.Delivered, r.Due)
		}
		if taken := l.pools[turnout.PoolEvent].Taken; taken != 0 {
			t.Errorf("%s: %d seats are still taken", name, taken)
		}
	}
}

// Whatever happens in whatever order, what is written satisfies the engines' own
// constraint: nobody new is let in beyond a limit (P2), and nothing is negative.
func TestP2CountersStayWithinTheConstraint(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		l := opened(rng.IntN(6), rng.IntN(6))
		var held []turnout.Registration
		for range 60 {
			step(l, rng, &held)
			for c := range l.Changed() {
				if c.Taken < 0 || c.Waiting < 0 || c.Excess < 0 || c.Counted && c.Limit >= 0 && c.Taken+c.Outside > c.Limit+c.Excess {
					t.Fatalf("%+v", c)
				}
			}
		}
	}
}

func step(l *Ledger, rng *rand.Rand, held *[]turnout.Registration) {
	n := 1 + rng.IntN(2)
	switch i := rng.IntN(10); {
	case i < 5:
		a := turnout.Acceptance{At: start, Claims: pools(n, n), Waitlist: rng.IntN(2) == 0}
		if status, err := l.Admit(&a, nil); err == nil {
			l.Enter(status, a.Claims)
			*held = append(*held, Registration(&a, status))
		}
	case i < 8 && len(*held) > 0:
		r := &(*held)[rng.IntN(len(*held))]
		_ = l.Revise(r, &turnout.Revision{Status: []turnout.Status{turnout.StatusRegistered, turnout.StatusCancelled}[rng.IntN(2)],
			Claims: pools(n, n), At: start, Source: []turnout.Source{turnout.SourceRegistrant, turnout.SourceSalesforce}[rng.IntN(2)]})
	case i < 9:
		l.Set(turnout.Ledger{Open: true, Pools: pools(rng.IntN(6), rng.IntN(6))}, start)
	default:
		l.SetOutside(map[turnout.Pool]int{turnout.PoolEvent: rng.IntN(3)}, start)
	}
	if l.Promoting() {
		promote(l, *held)
	}
}

// promote does what an engine does before it commits.
func promote(l *Ledger, held []turnout.Registration) {
	var line []Party
	for i, r := range held {
		if r.Status == turnout.StatusWaitlisted {
			line = append(line, Party{ID: int64(i), Claims: r.Claims})
		}
	}
	registered, _ := l.Promote(line)
	for i := range held {
		if slices.Contains(registered, int64(i)) {
			held[i].Status = turnout.StatusRegistered
		}
	}
}
