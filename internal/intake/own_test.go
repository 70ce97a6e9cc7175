package intake

import (
	"reflect"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

func TestTokens(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	elsewhere, err := d.Register(ctx, "other", d.event, submission("key-1x"))
	if err != nil {
		t.Fatal(err)
	}
	mac, key := v.Token[:macLength], v.Token[macLength:]
	if key != "key-1" {
		t.Fatalf("the token is %q", v.Token)
	}
	for name, tok := range map[string]string{
		"empty":               "",
		"key alone":           key,
		"mac alone":           mac,
		"truncated":           v.Token[:len(v.Token)-1],
		"mac truncated":       v.Token[1:],
		"longer":              v.Token + "0",
		"another key":         mac + "key-2",
		"of another org":      elsewhere.Token,
		"case of the key":     mac + "KEY-1",
		"case of the mac":     swapCase(mac) + key,
		"no mac":              strings.Repeat("A", macLength) + key,
		"trailing bits":       v.Token[:macLength-1] + nextDigit(v.Token[macLength-1]) + key,
		"not a key":           mac + "key 1",
		"over the length":     mac + strings.Repeat("k", 65),
		"personal, not a key": mac + "odilia.quent@example.com",
	} {
		t.Run(name, func(t *testing.T) {
			d.t, d.store.looked = t, nil
			_, err := d.View(ctx, acme, tok)
			d.refuses(err, turnout.CodeNotFound)
			_, err = d.Edit(ctx, acme, d.event, tok, 1, odilia())
			d.refuses(err, turnout.CodeNotFound)
			_, err = d.Cancel(ctx, acme, d.event, tok)
			d.refuses(err, turnout.CodeNotFound)
			if len(d.store.looked) != 0 {
				t.Errorf("the store was asked for %q", d.store.looked)
			}
		})
	}
}

func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, s)
}

// nextDigit is a base64 digit that differs from c in its last bit, which a
// MAC of 16 bytes does not use.
func nextDigit(c byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, c)^1])
}

// A token that was lost with its registration finds nothing.
func TestTokenOfNoRegistration(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	d.store.rows = nil
	_, err := d.View(ctx, acme, v.Token)
	d.refuses(err, turnout.CodeNotFound)
}

func FuzzToken(f *testing.F) {
	d := newDesk(f)
	v := d.register(submission("key-1"))
	f.Add(v.Token)
	f.Add(v.Token[:macLength])
	f.Add(v.Token + "1")
	f.Add(strings.Repeat("A", 30))
	f.Add("key-1")
	f.Fuzz(func(t *testing.T, tok string) {
		got, err := d.View(ctx, acme, tok)
		if (err == nil) != (tok == v.Token) {
			t.Errorf("token %q opens %+v, %v", tok, got, err)
		}
		if err != nil && turnout.CodeOf(err) != turnout.CodeNotFound {
			t.Errorf("token %q: %v", tok, err)
		}
	})
}

func TestByLink(t *testing.T) {
	d := newDesk(t)
	link, invite := invited(d)
	if _, ok, err := d.ByLink(ctx, acme, link); ok || err != nil {
		t.Fatalf("an unanswered link has a registration: %v, %v", ok, err)
	}
	s := submission("key-1")
	s.Link, s.Invite = link.ID, &invite
	v := d.register(s)
	got, ok, err := d.ByLink(ctx, acme, link)
	if err != nil || !ok || got.Token != v.Token || !reflect.DeepEqual(got.Details.Person, odilia().Person) {
		t.Errorf("found %+v, %v, %v", got, ok, err)
	}
}

func TestEdit(t *testing.T) {
	d := newDesk(t)
	link, invite := invited(d)
	s := submission("key-1")
	s.Link, s.Invite = link.ID, &invite
	v := d.register(s)
	change := odilia()
	change.Person.Email, change.Person.Company = "thief@example.org", "Meadery"
	change.Guests, change.Agenda = nil, nil
	change.Invite = &turnout.Invite{Contact: "forged"}
	d.now = d.now.AddDate(0, 0, 1)
	e, err := d.Edit(ctx, acme, d.event, v.Token, 1, change)
	if err != nil {
		t.Fatal(err)
	}
	if e.Registration.Revision != 2 || e.Token != v.Token || !e.Registration.ChangedAt.Equal(d.now) {
		t.Errorf("edited to %+v", e.Registration)
	}
	if d.store.taken[turnout.PoolEvent] != 1 || d.store.taken[turnout.PoolAgenda("supper")] != 0 {
		t.Errorf("seats taken %v", d.store.taken)
	}
	again, err := d.View(ctx, acme, v.Token)
	if err != nil || !reflect.DeepEqual(again.Details, e.Details) {
		t.Errorf("its page shows %+v, %v", again.Details, err)
	}
	// Whose registration it is stays: neither address nor link can be edited.
	p := again.Details.Person
	if p.Email != odilia().Person.Email || p.Company != "Meadery" || !reflect.DeepEqual(again.Details.Invite, &invite) {
		t.Errorf("kept %+v with invite %+v", p, again.Details.Invite)
	}
	if last := d.told[len(d.told)-1]; last != (told{d.event.ID, false}) {
		t.Errorf("Changed was told %v", d.told)
	}
}

func TestEditRefused(t *testing.T) {
	cases := map[string]struct {
		from   int64
		change func(d *desk, v View)
		code   turnout.Code
	}{
		"seen before another change": {0, func(*desk, View) {}, turnout.CodeConflict},
		"after the deadline":         {1, func(d *desk, _ View) { d.event.EditUntil = d.now }, turnout.CodeClosed},
		"after the start":            {1, func(d *desk, _ View) { d.now = d.event.Starts }, turnout.CodeClosed},
		"cancelled":                  {1, func(d *desk, v View) { cancelled(d, v) }, turnout.CodeClosed},
		"shredded":                   {1, func(d *desk, v View) { shredded(d, v) }, turnout.CodeClosed},
		"checked in":                 {1, func(d *desk, v View) { checkedIn(d, v) }, turnout.CodeClosed},
		"forgotten":                  {1, func(d *desk, v View) { d.store.forget(v.Registration.Person) }, turnout.CodeForgotten},
		"store says full": {1, func(d *desk, _ View) {
			d.store.arrive = func() error { return turnout.Errorf(turnout.CodeFull, "revise registration", "no") }
		}, turnout.CodeFull},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			v := d.register(submission("key-1"))
			c.change(d, v)
			before := len(d.told)
			_, err := d.Edit(ctx, acme, d.event, v.Token, c.from, odilia())
			d.refuses(err, c.code)
			if name == "cancelled" && !strings.Contains(err.Error(), "it is cancelled") {
				t.Errorf("the reason given is %v", err)
			}
			if len(d.told) != before {
				t.Error("Changed was told of nothing")
			}
		})
	}
}

func cancelled(d *desk, v View) {
	d.store.change(v.Registration.Key, func(r *turnout.Registration) { r.Status = turnout.StatusCancelled })
}

func checkedIn(d *desk, v View) {
	d.store.change(v.Registration.Key, func(r *turnout.Registration) { r.Attendance = turnout.AttendanceAttended })
}

func shredded(d *desk, v View) {
	d.store.change(v.Registration.Key, func(r *turnout.Registration) { r.Sealed = nil })
}

func TestEditInvalid(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	change := odilia()
	change.Person.FirstName = strings.Repeat("Odilia", 10)
	_, err := d.Edit(ctx, acme, d.event, v.Token, 1, change)
	d.refuses(err, turnout.CodeInvalid)
	if len(d.store.revisions) != 0 {
		t.Error("an invalid change reached the store")
	}
}

// An operator's change has no deadline, and starts from what there is.
func TestAmend(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	d.store.change("key-1", func(r *turnout.Registration) { r.Revision = 7 })
	d.now = d.event.Starts.AddDate(0, 0, 1)
	change := odilia()
	change.Person.Title = "Beekeeper"
	v, err := d.Amend(ctx, acme, d.event, "key-1", change)
	if err != nil || v.Registration.Revision != 8 || v.Details.Person.Title != "Beekeeper" {
		t.Errorf("amended to %+v, %v", v, err)
	}
	_, err = d.Amend(ctx, acme, d.event, "key-2", change)
	d.refuses(err, turnout.CodeNotFound)
}

func TestCancel(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	for range 2 {
		c, err := d.Cancel(ctx, acme, d.event, v.Token)
		if err != nil || c.Registration.Status != turnout.StatusCancelled || !reflect.DeepEqual(c.Details, odilia()) {
			t.Errorf("cancelled as %+v, %v", c, err)
		}
	}
	if len(d.store.revisions) != 1 || d.store.taken[turnout.PoolEvent] != 0 {
		t.Errorf("%d revisions, %v seats taken", len(d.store.revisions), d.store.taken)
	}
	if r := d.store.revisions[0]; r.Sealed != nil || len(r.Claims) != 3 {
		t.Errorf("cancelling handed over %+v: what was said and what was held stays", r)
	}
}

func TestCancelRefused(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	d.event.CancelUntil = d.now
	_, err := d.Cancel(ctx, acme, d.event, v.Token)
	d.refuses(err, turnout.CodeClosed)
	d.store.forget(v.Registration.Person)
	_, err = d.Cancel(ctx, acme, d.event, v.Token)
	d.refuses(err, turnout.CodeForgotten)
}

// Who was there is the organiser's to say: whoever was checked in cancels nothing any more.
func TestCancelAfterCheckIn(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	checkedIn(d, v)
	_, err := d.Cancel(ctx, acme, d.event, v.Token)
	d.refuses(err, turnout.CodeClosed)
	if got, err := d.View(ctx, acme, v.Token); err != nil || got.Registration.Status != turnout.StatusRegistered {
		t.Errorf("%+v, %v", got.Registration, err)
	}
}

// Shredded answers do not keep anybody from cancelling.
func TestCancelShredded(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	shredded(d, v)
	c, err := d.Cancel(ctx, acme, d.event, v.Token)
	if err != nil || c.Registration.Status != turnout.StatusCancelled {
		t.Errorf("cancelled as %+v, %v", c, err)
	}
}

// A cancel that meets somebody else's change starts again from what there is now.
func TestCancelRacesChanges(t *testing.T) {
	cases := map[string]struct {
		changes int
		edit    func(*turnout.Registration)
		code    turnout.Code
	}{
		"one change":     {1, func(r *turnout.Registration) { r.Claims = r.Claims[:1] }, ""},
		"seven changes":  {7, func(*turnout.Registration) {}, ""},
		"always":         {100, func(*turnout.Registration) {}, turnout.CodeConflict},
		"another cancel": {1, func(r *turnout.Registration) { r.Status = turnout.StatusCancelled }, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			v := d.register(submission("key-1"))
			d.store.arrive = func() error {
				if c.changes--; c.changes >= 0 {
					d.store.change("key-1", func(r *turnout.Registration) { r.Revision++; c.edit(r) })
				}
				return nil
			}
			got, err := d.Cancel(ctx, acme, d.event, v.Token)
			if c.code != "" {
				d.refuses(err, c.code)
				return
			}
			if err != nil || got.Registration.Status != turnout.StatusCancelled {
				t.Fatalf("cancelled as %+v, %v", got, err)
			}
			if last := d.store.revisions[len(d.store.revisions)-1]; name == "one change" && len(last.Claims) != 1 {
				t.Errorf("cancelled with old claims %v", last.Claims)
			}
		})
	}
}

func TestCancelStoreAway(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	d.store.arrive = func() error { return turnout.Errorf(turnout.CodeUnavailable, "revise registration", "away") }
	_, err := d.Cancel(ctx, acme, d.event, v.Token)
	d.refuses(err, turnout.CodeUnavailable)
	if len(d.store.revisions) != 1 || len(d.told) != 1 {
		t.Errorf("%d tries, told %v", len(d.store.revisions), d.told)
	}
}

func TestShreddedAndForgotten(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	shredded(d, v)
	got, err := d.View(ctx, acme, v.Token)
	if err != nil || !reflect.DeepEqual(got.Details, turnout.Details{}) || got.Registration.Status != turnout.StatusRegistered {
		t.Errorf("shredded opens to %+v, %v", got, err)
	}
	d.store.forget(v.Registration.Person)
	got, err = d.View(ctx, acme, v.Token)
	d.refuses(err, turnout.CodeForgotten)
	if got.Registration.Status != turnout.StatusCancelled {
		t.Errorf("forgotten is %s", got.Registration.Status)
	}
}

// P8: sealed bytes cannot be moved to another registration or person.
func TestSealedCannotBeMoved(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	d.register(submission("key-2"))
	d.store.change("key-2", func(r *turnout.Registration) { r.Sealed = d.store.rows[0].Sealed })
	r := *d.store.row("key-2")
	_, err := d.Open(ctx, &r)
	d.refuses(err, turnout.CodeInternal)
	_, err = d.OpenDue(ctx, &turnout.DueRegistration{Registration: r, Wrapped: d.store.people[r.Person]})
	d.refuses(err, turnout.CodeInternal)
}

func TestOpenDue(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	due := turnout.DueRegistration{Registration: v.Registration, Wrapped: d.store.people[v.Registration.Person]}
	if got, err := d.OpenDue(ctx, &due); err != nil || !reflect.DeepEqual(got, v.Details) {
		t.Errorf("opens to %+v, %v, want %+v", got, err, v.Details)
	}
	shredded(d, v)
	due.Registration = *d.store.row("key-1")
	if got, err := d.OpenDue(ctx, &due); err != nil || !reflect.DeepEqual(got, turnout.Details{}) {
		t.Errorf("shredded opens to %+v, %v", got, err)
	}
	due.Wrapped = nil
	_, err := d.OpenDue(ctx, &due)
	d.refuses(err, turnout.CodeForgotten)
}

func TestNote(t *testing.T) {
	d := newDesk(t)
	r := d.register(submission("key-1")).Registration
	if text, err := d.Note(ctx, &r); text != "" || err != nil {
		t.Errorf("a note on nothing: %q, %v", text, err)
	}
	const said = "Last Name: Quentbrook is not allowed"
	sealed, err := d.SealNote(ctx, &r, said)
	if err != nil {
		t.Fatal(err)
	}
	r.Parked = &turnout.Parked{Code: "FIELD_CUSTOM_VALIDATION_EXCEPTION", Sealed: sealed}
	if text, err := d.Note(ctx, &r); text != said || err != nil {
		t.Errorf("noted %q, %v", text, err)
	}
	r.Parked.Sealed = r.Sealed // of another kind
	_, err = d.Note(ctx, &r)
	d.refuses(err, turnout.CodeInternal)
	d.store.forget(r.Person)
	_, err = d.Note(ctx, &r)
	d.refuses(err, turnout.CodeForgotten)
	_, err = d.SealNote(ctx, &r, said)
	d.refuses(err, turnout.CodeForgotten)
}
