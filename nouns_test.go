package turnout_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func TestCodeOf(t *testing.T) {
	full := turnout.Errorf(turnout.CodeFull, "accept", "no seat")
	for want, err := range map[turnout.Code]error{
		"":                      nil,
		turnout.CodeFull:        fmt.Errorf("somewhere: %w", full),
		turnout.CodeUnavailable: fmt.Errorf("x: %w", context.DeadlineExceeded),
		turnout.CodeInternal:    errors.New("odd"),
	} {
		if got := turnout.CodeOf(err); got != want {
			t.Errorf("%v: got %q, want %q", err, got, want)
		}
	}
	if turnout.Wrap(turnout.CodeInternal, "x", nil) != nil {
		t.Error("no error stays no error")
	}
	if got := turnout.CodeOf(turnout.Wrap(turnout.CodeUnavailable, "outer", full)); got != turnout.CodeUnavailable {
		t.Errorf("the outermost code counts, got %s", got)
	}
}

func TestKeys(t *testing.T) {
	now := time.UnixMilli(1893456000000)
	a, b, later := turnout.NewKey(now), turnout.NewKey(now), turnout.NewKey(now.Add(time.Hour))
	if a == b || !a.Valid() || len(a) != 26 || later < a || later < b {
		t.Errorf("keys %s %s %s", a, b, later)
	}
	for text, want := range map[string]turnout.Key{
		`"8E03978E-40d5-43dd-bc93-6894a57f9324"`: "8e03978e-40d5-43dd-bc93-6894a57f9324",
		"x":                                      "x", "": "", `""`: "", "a.b": "", "a b": "", "ä": "",
	} {
		got, err := turnout.ParseKey(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(`"a-b_c"`)
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := turnout.ParseKey(s); err == nil && !k.Valid() {
			t.Fatalf("%q gave %q", s, k)
		}
	})
}

func TestState(t *testing.T) {
	for want, r := range map[turnout.State]turnout.Registration{
		turnout.StateAccepted:   {Status: turnout.StatusRegistered, Revision: 2, Delivered: 1},
		turnout.StateDelivered:  {Status: turnout.StatusRegistered, Revision: 2, Delivered: 2},
		turnout.StateParked:     {Status: turnout.StatusRegistered, Revision: 1, Parked: &turnout.Parked{}},
		turnout.StateWaitlisted: {Status: turnout.StatusWaitlisted, Revision: 1, Delivered: 1},
		turnout.StateCancelled:  {Status: turnout.StatusDeclined, Revision: 1, Delivered: 1},
	} {
		if got := r.State(); got != want {
			t.Errorf("%+v: got %s, want %s", r, got, want)
		}
	}
}

func TestFreeSeats(t *testing.T) {
	event := turnout.Seating{Pool: turnout.PoolEvent, Limit: 10, Taken: 4, Outside: 2}
	s := turnout.Seatings{
		turnout.PoolEvent: event,
		"ticket/many":     {Pool: "ticket/many", Limit: turnout.Unlimited},
		"ticket/few":      {Pool: "ticket/few", Limit: 3, Taken: 1},
		"ticket/queue":    {Pool: "ticket/queue", Limit: 3, Taken: 1, Waiting: 1},
		"ticket/over":     {Pool: "ticket/over", Limit: 3, Taken: 9},
	}
	for pool, want := range map[turnout.Pool]int{
		turnout.PoolEvent: 4, "ticket/many": 4, "ticket/few": 2, "ticket/queue": 0, "ticket/over": 0, "ticket/unknown": 4,
	} {
		if got := s.Free(pool); got != want {
			t.Errorf("%s: %d free, want %d", pool, got, want)
		}
	}
}

func TestPlainForms(t *testing.T) {
	for slug, want := range map[string]bool{"a": true, "a-b": true, "a--b": false, "-a": false, "A": false, "": false, "ä": false} {
		if turnout.ValidSlug(slug) != want {
			t.Errorf("slug %q", slug)
		}
	}
	for token, want := range map[string]bool{"12345678": true, "1234567": false, "ab/cdefgh": false, "AZaz09-_": true} {
		if turnout.ValidToken(token) != want {
			t.Errorf("token %q", token)
		}
	}
	for id, want := range map[turnout.OrgID]bool{"acme": true, "a-1": true, "Acme": false, "-a": false, "": false, "a.b": false} {
		if id.Valid() != want {
			t.Errorf("org %q", id)
		}
	}
	for mail, want := range map[string]bool{"ä@example.com": false, "a@exämple.com": false, "a@xn--exmple-cua.com": true, "a@-x.com": false, "a@x_y.com": false,
		"a@example.com": true, "a.b+c@sub.example.com": true, "a@b": false, "a@.com": false, "a@b.": false, "a b@example.com": false,
		`"x y"@example.com`: false, "a@b..example.com": false, "@example.com": false,
	} {
		if turnout.ValidEmail(mail) != want {
			t.Errorf("e-mail %q: want %v", mail, want)
		}
	}
}

func TestSeats(t *testing.T) {
	party := []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 4}, {Pool: turnout.PoolTicket("std"), Seats: 4}, {Pool: turnout.PoolAgenda("lunch"), Seats: 4}}
	for status, want := range map[turnout.Status]int{
		turnout.StatusRegistered: 4, turnout.StatusWaitlisted: 0, turnout.StatusCancelled: 0, turnout.StatusDeclined: 0,
	} {
		if got := (&turnout.Registration{Status: status, Claims: party}).Seats(); got != want {
			t.Errorf("%s holds %d seats, want %d", status, got, want)
		}
	}
}

func TestReference(t *testing.T) {
	for key, want := range map[turnout.Key]string{"0123456789abcdefghijklmnop": "IJKL-MNOP", "short": "SHORT", "": ""} {
		if got := key.Reference(); got != want {
			t.Errorf("reference of %s is %s, want %s", key, got, want)
		}
	}
}
