package intake

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

var ctx = context.Background()

// P2: the seats of the whole party go to the store together with the registration.
func TestRegister(t *testing.T) {
	d := newDesk(t)
	v := d.register(submission("key-1"))
	r := v.Registration
	if v.Repeat || r.Status != turnout.StatusRegistered || r.Key != "key-1" || r.Event != d.event.ID || !r.AcceptedAt.Equal(d.now) {
		t.Errorf("registered as %+v", v)
	}
	want := []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 2}, {Pool: turnout.PoolTicket("seat"), Seats: 2}, {Pool: turnout.PoolAgenda("supper"), Seats: 2}}
	if !slices.Equal(d.store.accepts[0].Claims, want) {
		t.Errorf("claims %v, want %v", d.store.accepts[0].Claims, want)
	}
	if !reflect.DeepEqual(v.Details, odilia()) {
		t.Errorf("answered details %+v", v.Details)
	}
	if !slices.Equal(d.told, []told{{d.event.ID, true}}) {
		t.Errorf("Changed was told %v", d.told)
	}
	again, err := d.View(ctx, acme, v.Token)
	if err != nil || !reflect.DeepEqual(again.Details, odilia()) || again.Registration.Revision != 1 {
		t.Errorf("its page shows %+v, %v", again, err)
	}
}

// P8: all that reaches the store is sealed, hashed or a number.
func TestStoreIsHandedNothingPersonal(t *testing.T) {
	d := newDesk(t)
	link, invite := invited(d)
	s := submission("key-1")
	s.Link, s.Invite = link.ID, &invite
	v := d.register(s)
	changed := odilia()
	changed.Guests = nil
	if _, err := d.Edit(ctx, acme, d.event, v.Token, 1, changed); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Cancel(ctx, acme, d.event, v.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decline(ctx, acme, d.event, link, invite, "key-2"); err != nil {
		t.Fatal(err)
	}
	note, err := d.SealNote(ctx, &v.Registration, "Odilia Quentbrook is a duplicate")
	if err != nil {
		t.Fatal(err)
	}
	silent(t, "an acceptance", texts(reflect.ValueOf(d.store.accepts))...)
	silent(t, "a revision", texts(reflect.ValueOf(d.store.revisions))...)
	silent(t, "a note", string(note))
	if len(d.store.accepts) < 2 || len(d.store.revisions) != 2 {
		t.Errorf("the store saw %d acceptances and %d revisions", len(d.store.accepts), len(d.store.revisions))
	}
}

// P8: one address is another person at another org, and says so to nobody.
func TestOrgsShareNoPerson(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	if _, err := d.Register(ctx, "other", d.event, submission("key-2")); err != nil {
		t.Fatal(err)
	}
	one, two := d.store.accepts[0], d.store.accepts[1]
	if one.DataKey.Person == two.DataKey.Person || one.Fingerprint == two.Fingerprint {
		t.Error("person or fingerprint are the same at two orgs")
	}
}

// P1: whoever reads "you're registered" is on disk. Nothing is answered and
// nobody is told while the store is still at it.
func TestAnsweredOnlyAfterTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		durable, answered := make(chan struct{}), make(chan View, 1)
		d.store.arrive = func() error { <-durable; return nil }
		go func() { answered <- d.register(submission("key-1")) }()
		synctest.Wait()
		if len(answered) > 0 || len(d.told) > 0 || len(d.store.accepts) != 1 {
			t.Fatalf("answered %d times, told %v before it was durable", len(answered), d.told)
		}
		close(durable)
		if v := <-answered; v.Token == "" {
			t.Error("no token")
		}
	})
}

// P1: whoever sent something and went away gets it saved, within the time after which it
// is not saved any more.
func TestP1WhoWentAwayIsSavedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		gone, leave := context.WithCancel(t.Context())
		leave()
		v, err := d.Register(gone, acme, d.event, submission("key-1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Edit(gone, acme, d.event, v.Token, 1, odilia()); err != nil {
			t.Error(err)
		}
		if _, err := d.Cancel(gone, acme, d.event, v.Token); err != nil {
			t.Error(err)
		}
		link, invite := invited(d)
		if _, err := d.Decline(gone, acme, d.event, link, invite, "key-2"); err != nil {
			t.Error(err)
		}
		want := time.Now().Add(within)
		if all := []time.Time{want, want, want, want}; !slices.EqualFunc(d.store.until, all, time.Time.Equal) || d.store.ended != 0 {
			t.Errorf("until %v, %d ended, want four times %v", d.store.until, d.store.ended, want)
		}
	})
}

// P1: a store that says no, or nothing certain, is never answered with a yes.
func TestStoresErrorsPassThrough(t *testing.T) {
	for _, code := range []turnout.Code{turnout.CodeUnavailable, turnout.CodeUnknown, turnout.CodeNoSpace, turnout.CodeFull, turnout.CodeClosed, turnout.CodeReused} {
		t.Run(string(code), func(t *testing.T) {
			d := newDesk(t)
			d.store.arrive = func() error { return turnout.Errorf(code, "accept registration", "no") }
			v, err := d.Register(ctx, acme, d.event, submission("key-1"))
			d.refuses(err, code)
			if !reflect.DeepEqual(v, View{}) || len(d.told) != 0 {
				t.Errorf("answered %+v, told %v", v, d.told)
			}
		})
	}
}

// P1: the reply of a commit is lost, the visitor presses the button again.
func TestLostReplyIsAcceptedOnce(t *testing.T) {
	d := newDesk(t)
	d.store.lost = turnout.Errorf(turnout.CodeUnknown, "accept registration", "it may have happened")
	_, err := d.Register(ctx, acme, d.event, submission("key-1"))
	d.refuses(err, turnout.CodeUnknown)
	d.store.lost = nil
	v := d.register(submission("key-1"))
	if !v.Repeat || len(d.store.rows) != 1 || d.store.taken[turnout.PoolEvent] != 2 {
		t.Errorf("repeat %v, %d registrations, %d seats", v.Repeat, len(d.store.rows), d.store.taken[turnout.PoolEvent])
	}
}

func TestRepeatByKey(t *testing.T) {
	d := newDesk(t)
	first := d.register(submission("key-1"))
	d.now = d.now.AddDate(0, 0, 1)
	again := d.register(submission("key-1"))
	if !again.Repeat || again.Token != first.Token || !reflect.DeepEqual(again.Details, odilia()) {
		t.Errorf("the repeat was answered with %+v", again)
	}
	if !slices.Equal(d.told, []told{{d.event.ID, true}}) {
		t.Errorf("a repeat is no news, but Changed was told %v", d.told)
	}
	other := submission("key-1")
	other.Answers = turnout.Answers{"diet": {"celeriac only"}}
	_, err := d.Register(ctx, acme, d.event, other)
	d.refuses(err, turnout.CodeReused)
}

func TestRepeatByLink(t *testing.T) {
	d := newDesk(t)
	link, invite := invited(d)
	s := submission("key-1")
	s.Link, s.Invite = link.ID, &invite
	first := d.register(s)
	s.Key = "key-2" // the link was opened again, which makes another form
	again := d.register(s)
	if !again.Repeat || again.Registration.Key != "key-1" || again.Token != first.Token {
		t.Errorf("the second form of a link was answered with %+v", again)
	}
}

// The same key twice at once is one registration, and both hear of it.
func TestPressedTwice(t *testing.T) {
	d := newDesk(t)
	d.Intake = New(Options{Store: d.store, Keys: d.store, Keyring: newKeyring(t, d.shelf)})
	answers := make(chan View)
	for range 20 {
		go func() {
			v, err := d.Register(ctx, acme, d.event, submission("key-1"))
			if err != nil {
				t.Error(err)
			}
			answers <- v
		}()
	}
	fresh := 0
	for range 20 {
		v := <-answers
		if !v.Repeat {
			fresh++
		}
		if !reflect.DeepEqual(v.Details, odilia()) {
			t.Errorf("answered %+v", v.Details)
		}
	}
	if fresh != 1 || len(d.store.rows) != 1 {
		t.Errorf("%d were fresh, %d registrations", fresh, len(d.store.rows))
	}
}

func TestStaleForm(t *testing.T) {
	d := newDesk(t)
	s := submission("key-1")
	s.FormVersion = "f0"
	_, err := d.Register(ctx, acme, d.event, s)
	d.refuses(err, turnout.CodeStale)
	if len(d.store.accepts) != 0 {
		t.Error("a stale form reached the store")
	}
	s.FormVersion = "" // an API client that does not say
	d.register(s)
}

// P1: an answer that got lost is given again, even if the organiser changed
// the form in between, so that nobody is asked twice or registered twice.
func TestRepeatOfAFormThatChangedSince(t *testing.T) {
	for name, change := range map[string]func(*turnout.Event){
		"another version":  func(e *turnout.Event) { e.Form.Version = "f2" },
		"no longer valid":  func(e *turnout.Event) { e.Form.Questions[0].Kind = turnout.KindNumber },
		"ticket is gone":   func(e *turnout.Event) { e.Form.Version, e.Tickets[0].ID = "f2", "balcony" },
		"question is gone": func(e *turnout.Event) { e.Form.Questions = nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			first := d.register(submission("key-1"))
			change(d.event)
			v := d.register(submission("key-1"))
			if !v.Repeat || v.Token != first.Token || !reflect.DeepEqual(v.Details, odilia()) {
				t.Errorf("answered %+v", v)
			}
			if len(d.store.accepts) != 1 {
				t.Errorf("the store saw %d acceptances", len(d.store.accepts))
			}
		})
	}
}

// A key alone is no ticket to somebody's answers: who is asked about must match.
func TestStaleFormOfSomebodyElse(t *testing.T) {
	for name, change := range map[string]func(*turnout.Submission){
		"address": func(s *turnout.Submission) { s.Person.Email = "someone@example.org" },
		"name":    func(s *turnout.Submission) { s.Person.LastName = "Other" },
		"party":   func(s *turnout.Submission) { s.Guests = nil },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.register(submission("key-1"))
			s := submission("key-1")
			s.FormVersion = "f0"
			change(&s)
			v, err := d.Register(ctx, acme, d.event, s)
			d.refuses(err, turnout.CodeStale)
			if !reflect.DeepEqual(v, View{}) {
				t.Errorf("answered %+v", v)
			}
		})
	}
}

// A key that was used at another event does not answer for this one.
func TestStaleFormOfAnotherEvent(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	d.event = reading()
	d.event.ID, d.event.Form.Version = "a01000000000002AAA", "f2"
	_, err := d.Register(ctx, acme, d.event, submission("key-1"))
	d.refuses(err, turnout.CodeStale)
}

func TestInvalid(t *testing.T) {
	d := newDesk(t)
	s := submission("key-1")
	s.Person.LastName, s.Ticket = "", "throne"
	s.Answers = turnout.Answers{"diet": {"no celeriac\nat all"}}
	_, err := d.Register(ctx, acme, d.event, s)
	d.refuses(err, turnout.CodeInvalid)
	var fields []string
	for _, f := range turnout.FieldsOf(err) {
		fields = append(fields, f.Field)
		silent(t, "the fault of "+f.Field, f.Message)
	}
	if want := []string{"last_name", "ticket", "answers.diet"}; !slices.Equal(fields, want) {
		t.Errorf("faults at %v, want %v", fields, want)
	}
	if len(d.store.accepts) != 0 {
		t.Error("an invalid submission reached the store")
	}
}

// invited makes a link to the desk's event for odilia.
func invited(d *desk) (turnout.AttendeeLink, turnout.Invite) {
	person := odilia().Person
	person.Email = "odilia.quent@example.com"
	return turnout.AttendeeLink{ID: turnout.LinkID{1, 2, 3}, Org: acme, Event: d.event.ID},
		turnout.Invite{Person: person, Record: "REC-PLAIN", Contact: "003"}
}

func TestLockedEmail(t *testing.T) {
	d := newDesk(t)
	d.event.LockEmail = true
	link, invite := invited(d)
	s := submission("key-1")
	s.Link, s.Invite = link.ID, &invite
	s.Person.Email = "friend@example.com"
	_, err := d.Register(ctx, acme, d.event, s)
	d.refuses(err, turnout.CodeInvalid)
	if f := turnout.FieldsOf(err); len(f) != 1 || f[0].Field != "email" {
		t.Errorf("faults %v", f)
	}
	s.Person.Email = " ODILIA.quent@example.com" // the same address
	d.register(s)

	open := newDesk(t)
	s.Person.Email = "friend@example.com"
	open.register(s) // an event that does not lock it
}

func TestOncePerPerson(t *testing.T) {
	d := newDesk(t)
	d.event.OncePerPerson = true
	v := d.register(submission("key-1"))
	s := submission("key-2")
	s.Person.Email = "odilia.QUENT@example.com"
	got, err := d.Register(ctx, acme, d.event, s)
	d.refuses(err, turnout.CodeConflict)
	if !reflect.DeepEqual(got, View{}) {
		t.Errorf("P8: whoever types the address sees %+v", got)
	}
	if again := d.register(submission("key-1")); !again.Repeat {
		t.Error("their own repeat was not recognised")
	}
	if _, err := d.Cancel(ctx, acme, d.event, v.Token); err != nil {
		t.Fatal(err)
	}
	d.register(s)
}

func TestFullAndWaitlist(t *testing.T) {
	d := newDesk(t)
	d.store.limits[turnout.PoolEvent] = 1
	s := submission("key-1")
	s.JoinWaitlist = true // but the event has none
	_, err := d.Register(ctx, acme, d.event, s)
	d.refuses(err, turnout.CodeFull)
	d.event.Waitlist = true
	if v := d.register(s); v.Registration.Status != turnout.StatusWaitlisted {
		t.Errorf("status %s", v.Registration.Status)
	}
	_, err = d.Register(ctx, acme, d.event, submission("key-2")) // who does not agree to wait
	d.refuses(err, turnout.CodeFull)
}

// A person has one data key. Whoever is known already is sealed under that
// one: with a link at once, without one in a second round.
func TestExistingDataKey(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	known := d.store.accepts[0].DataKey
	known.Stored = true // as it is from now on
	second := d.register(submission("key-2"))
	if rounds := d.store.accepts[1:]; len(rounds) != 2 || !reflect.DeepEqual(rounds[1].DataKey, known) || reflect.DeepEqual(rounds[0].Sealed, rounds[1].Sealed) {
		t.Errorf("without a link it took %d rounds", len(rounds))
	}
	link, invite := invited(d)
	s := submission("key-3")
	s.Link, s.Invite = link.ID, &invite
	third := d.register(s)
	if rounds := d.store.accepts[3:]; len(rounds) != 1 || !reflect.DeepEqual(rounds[0].DataKey, known) {
		t.Errorf("with a link it took %d rounds", len(rounds))
	}
	for _, v := range []View{second, third} {
		if again, err := d.View(ctx, acme, v.Token); err != nil || again.Details.Person != odilia().Person {
			t.Errorf("%s opens to %+v, %v", v.Registration.Key, again.Details, err)
		}
	}
	if len(d.store.people) != 1 {
		t.Errorf("one person has %d data keys", len(d.store.people))
	}
}

// P8: somebody is forgotten after their key was read and comes back under a
// new one before the acceptance arrives: what they say is readable under the
// key that the store has in the end.
func TestForgottenBetweenRounds(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	person := d.store.accepts[0].DataKey.Person
	rounds := 0
	d.store.arrive = func() error {
		if rounds++; rounds == 2 {
			d.store.forget(person)
			d.store.people[person] = d.freshKey(person)
		}
		return nil
	}
	v := d.register(submission("key-2"))
	if rounds != 3 {
		t.Errorf("it took %d rounds, want 3", rounds)
	}
	if again, err := d.View(ctx, acme, v.Token); err != nil || again.Details.Person != odilia().Person {
		t.Errorf("it opens to %+v, %v", again.Details, err)
	}
}

// P8: a key that was destroyed between two rounds does not come back.
func TestP8DestroyedKeyIsNotHandedInAgain(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	person := d.store.accepts[0].DataKey.Person
	old := d.store.people[person]
	rounds := 0
	d.store.arrive = func() error {
		if rounds++; rounds == 2 {
			d.store.forget(person)
		}
		return nil
	}
	v := d.register(submission("key-2"))
	if again, err := d.View(ctx, acme, v.Token); err != nil || again.Details.Person != odilia().Person {
		t.Errorf("it opens to %+v, %v", again.Details, err)
	}
	if bytes.Equal(d.store.people[person], old) {
		t.Error("the destroyed key is back")
	}
}

// Rounds have an end.
func TestDataKeyKeepsChanging(t *testing.T) {
	d := newDesk(t)
	d.register(submission("key-1"))
	person := d.store.accepts[0].DataKey.Person
	d.store.arrive = func() error {
		d.store.people[person] = d.freshKey(person)
		return nil
	}
	_, err := d.Register(ctx, acme, d.event, submission("key-2"))
	d.refuses(err, turnout.CodeConflict)
	if n := len(d.store.accepts) - 1; n != 4 {
		t.Errorf("gave up after %d rounds", n)
	}
}

func (d *desk) freshKey(person turnout.PersonID) []byte {
	d.t.Helper()
	ring, err := d.o.Keyring.Ring(ctx, string(acme))
	if err != nil {
		d.t.Fatal(err)
	}
	_, wrapped, err := ring.NewDataKey(person)
	if err != nil {
		d.t.Fatal(err)
	}
	return wrapped
}

func TestKeysAway(t *testing.T) {
	d := newDesk(t)
	d.shelf.fail = errors.New("disk on fire")
	_, err := d.Register(ctx, acme, d.event, submission("key-1"))
	d.refuses(err, turnout.CodeUnavailable)
	_, err = d.View(ctx, acme, "tok")
	d.refuses(err, turnout.CodeUnavailable)
	link, invite := invited(d)
	_, err = d.Decline(ctx, acme, d.event, link, invite, "key-1")
	d.refuses(err, turnout.CodeUnavailable)
	if len(d.store.accepts) != 0 {
		t.Error("something reached the store unsealed")
	}
}

func TestDecline(t *testing.T) {
	d := newDesk(t)
	link, invite := invited(d)
	v, err := d.Decline(ctx, acme, d.event, link, invite, "key-1")
	if err != nil || v.Registration.Status != turnout.StatusDeclined || v.Registration.Link != link.ID || v.Details.Person != invite.Person {
		t.Fatalf("declined as %+v, %v", v, err)
	}
	if claims := d.store.accepts[0].Claims; claims == nil || len(claims) != 0 || len(d.store.taken) != 0 {
		t.Errorf("declining took %v", d.store.taken)
	}
	again, err := d.Decline(ctx, acme, d.event, link, invite, "key-2")
	if err != nil || !again.Repeat || again.Registration.Key != "key-1" {
		t.Errorf("declined again as %+v, %v", again, err)
	}
	// They change their mind.
	s := submission("key-3")
	s.Link, s.Invite = link.ID, &invite
	if v := d.register(s); v.Repeat || v.Registration.Status != turnout.StatusRegistered {
		t.Errorf("registered as %+v", v.Registration)
	}
	if want := []told{{d.event.ID, true}, {d.event.ID, true}}; !slices.Equal(d.told, want) {
		t.Errorf("Changed was told %v", d.told)
	}
}

func TestDeclineAfterRegister(t *testing.T) {
	d := newDesk(t)
	link, invite := invited(d)
	s := submission("key-1")
	s.Link, s.Invite = link.ID, &invite
	d.register(s)
	v, err := d.Decline(ctx, acme, d.event, link, invite, "key-2")
	if err != nil || !v.Repeat || v.Registration.Status != turnout.StatusRegistered || v.Registration.Key != "key-1" {
		t.Errorf("declined as %+v, %v", v, err)
	}
	if d.store.taken[turnout.PoolEvent] != 2 {
		t.Errorf("%d seats are taken", d.store.taken[turnout.PoolEvent])
	}
}

func TestDeclineWhenClosed(t *testing.T) {
	d := newDesk(t)
	d.store.closed = true
	link, invite := invited(d)
	_, err := d.Decline(ctx, acme, d.event, link, invite, "key-1")
	d.refuses(err, turnout.CodeClosed)
}
