package intake

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// store is what a store promises to intake, in memory. It notes everything
// that it was handed.
type store struct {
	mu     sync.Mutex
	people map[turnout.PersonID][]byte
	rows   []*turnout.Registration
	taken  map[turnout.Pool]int
	limits map[turnout.Pool]int // pools that are missing are unlimited
	closed bool

	accepts   []turnout.Acceptance
	revisions []turnout.Revision
	looked    []turnout.Key
	// arrive is called before an acceptance or a revision is looked at; its
	// error is the store's answer. It may use the store.
	arrive func() error
	// until are the deadlines of what was handed in, and ended how many had ended.
	until []time.Time
	ended int
	// lost is answered after the work was done: an outcome nobody knows.
	lost error
}

func newStore() *store {
	return &store{people: map[turnout.PersonID][]byte{}, taken: map[turnout.Pool]int{}, limits: map[turnout.Pool]int{}}
}

// handed notes the context of a change. Its caller holds mu.
func (s *store) handed(ctx context.Context) {
	until, _ := ctx.Deadline()
	s.until = append(s.until, until)
	if ctx.Err() != nil {
		s.ended++
	}
}

func (s *store) Accept(ctx context.Context, a turnout.Acceptance) (turnout.Accepted, error) {
	s.mu.Lock()
	s.handed(ctx)
	s.accepts = append(s.accepts, a)
	arrive := s.arrive
	s.mu.Unlock()
	if arrive != nil {
		if err := arrive(); err != nil {
			return turnout.Accepted{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.accept(a)
	if err == nil && s.lost != nil {
		return turnout.Accepted{}, s.lost
	}
	return out, err
}

func (s *store) accept(a turnout.Acceptance) (turnout.Accepted, error) {
	if first := s.first(a); first != nil {
		if first.Key == a.Key && first.Fingerprint != a.Fingerprint {
			return turnout.Accepted{}, turnout.Errorf(turnout.CodeReused, "accept registration", "another submission has this key")
		}
		return turnout.Accepted{Registration: *first, Repeat: true}, nil
	}
	status, err := s.admit(a)
	if err != nil {
		return turnout.Accepted{}, err
	}
	have, known := s.people[a.DataKey.Person]
	switch {
	case !known && a.DataKey.Stored:
		return turnout.Accepted{}, turnout.Errorf(turnout.CodeForgotten, "accept registration", "the key was destroyed")
	case known && !bytes.Equal(have, a.DataKey.Wrapped):
		return turnout.Accepted{DataKey: &turnout.DataKey{Person: a.DataKey.Person, Wrapped: have, Stored: true}}, nil
	}
	s.people[a.DataKey.Person] = a.DataKey.Wrapped
	r := turnout.Registration{
		Org: a.Org, Event: a.Event, Key: a.Key, Fingerprint: a.Fingerprint, Person: a.DataKey.Person, Link: a.Link,
		Status: status, Claims: a.Claims, Sealed: a.Sealed, Revision: 1, Due: a.At, AcceptedAt: a.At, ChangedAt: a.At,
	}
	s.rows = append(s.rows, &r)
	if status == turnout.StatusRegistered {
		s.take(a.Claims, 1)
	}
	return turnout.Accepted{Registration: r}, nil
}

func (s *store) first(a turnout.Acceptance) *turnout.Registration {
	var byLink *turnout.Registration
	for _, r := range s.rows {
		if r.Key == a.Key {
			return r
		}
		answered := r.Status.Holds() || (a.Status == turnout.StatusDeclined && r.Status == turnout.StatusDeclined)
		if !a.Link.IsZero() && r.Link == a.Link && answered {
			byLink = r
		}
	}
	return byLink
}

func (s *store) admit(a turnout.Acceptance) (turnout.Status, error) {
	switch {
	case s.closed:
		return "", turnout.Errorf(turnout.CodeClosed, "accept registration", "not open")
	case a.Status == turnout.StatusDeclined:
		return a.Status, nil
	case a.OncePerPerson && slices.ContainsFunc(s.rows, func(r *turnout.Registration) bool {
		return r.Person == a.DataKey.Person && r.Event == a.Event && r.Status.Holds()
	}):
		return "", turnout.Errorf(turnout.CodeConflict, "accept registration", "registered already")
	}
	for _, c := range a.Claims {
		if limit, ok := s.limits[c.Pool]; ok && s.taken[c.Pool]+c.Seats > limit {
			if a.Waitlist {
				return turnout.StatusWaitlisted, nil
			}
			return "", turnout.Errorf(turnout.CodeFull, "accept registration", "no seats left")
		}
	}
	return turnout.StatusRegistered, nil
}

func (s *store) take(claims []turnout.Claim, sign int) {
	for _, c := range claims {
		s.taken[c.Pool] += sign * c.Seats
	}
}

func (s *store) Revise(ctx context.Context, v turnout.Revision) (turnout.Registration, error) {
	s.mu.Lock()
	s.handed(ctx)
	s.revisions = append(s.revisions, v)
	arrive := s.arrive
	s.mu.Unlock()
	if arrive != nil {
		if err := arrive(); err != nil {
			return turnout.Registration{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.row(v.Key)
	switch {
	case r == nil:
		return turnout.Registration{}, turnout.Errorf(turnout.CodeNotFound, "revise registration", "no such registration")
	case r.Revision != v.From:
		return turnout.Registration{}, turnout.Errorf(turnout.CodeConflict, "revise registration", "changed meanwhile")
	}
	if r.Status == turnout.StatusRegistered {
		s.take(r.Claims, -1)
	}
	if v.Status == turnout.StatusRegistered {
		s.take(v.Claims, 1)
	}
	r.Status, r.Claims, r.ChangedAt, r.Due = v.Status, v.Claims, v.At, v.At
	r.Revision++
	if v.Sealed != nil {
		r.Sealed = v.Sealed
	}
	return *r, nil
}

func (s *store) row(key turnout.Key) *turnout.Registration {
	for _, r := range s.rows {
		if r.Key == key {
			return r
		}
	}
	return nil
}

func (s *store) Registration(_ context.Context, _ turnout.OrgID, key turnout.Key) (turnout.Registration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = append(s.looked, key)
	if r := s.row(key); r != nil {
		return *r, nil
	}
	return turnout.Registration{}, turnout.Errorf(turnout.CodeNotFound, "read registration", "no such registration")
}

func (s *store) LinkRegistration(_ context.Context, _ turnout.OrgID, link turnout.LinkID) (turnout.Registration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range slices.Backward(s.rows) {
		if r.Link == link {
			return *r, true, nil
		}
	}
	return turnout.Registration{}, false, nil
}

func (s *store) DataKey(_ context.Context, _ turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if wrapped, ok := s.people[person]; ok {
		return turnout.DataKey{Person: person, Wrapped: wrapped, Stored: true}, nil
	}
	return turnout.DataKey{}, turnout.Errorf(turnout.CodeForgotten, "read data key", "there is none")
}

// change edits the rows as somebody else would.
func (s *store) change(key turnout.Key, edit func(*turnout.Registration)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit(s.row(key))
}

// forget destroys a person's key and what was sealed under it, as the store does.
func (s *store) forget(person turnout.PersonID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.people, person)
	for _, r := range s.rows {
		if r.Person == person {
			r.Person, r.Sealed, r.Link, r.Status = turnout.PersonID{}, nil, turnout.LinkID{}, turnout.StatusCancelled
		}
	}
}

// shelf keeps wrapped org keys in memory.
type shelf struct {
	mu   sync.Mutex
	keys []seal.StoredKey
	fail error
}

func (s *shelf) OrgKeys(_ context.Context, scope string) ([]seal.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []seal.StoredKey
	for _, k := range s.keys {
		if k.Scope == scope {
			out = append(out, k)
		}
	}
	return out, s.fail
}

func (s *shelf) AddOrgKeys(_ context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, keys...)
	return keys, nil
}

func (s *shelf) ReplaceOrgKeys(context.Context, []seal.StoredKey) error { return nil }

func newKeyring(tb testing.TB, s *shelf) *seal.Keyring {
	tb.Helper()
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		tb.Fatal(err)
	}
	return seal.NewKeyring(s, func() (seal.Master, error) { return master, nil })
}

const acme turnout.OrgID = "acme"

// desk is an intake with everything it works on.
type desk struct {
	t testing.TB
	*Intake
	store *store
	shelf *shelf
	now   time.Time
	event *turnout.Event
	// told is what Changed was told.
	told []told
}

type told struct {
	event turnout.EventID
	fresh bool
}

func newDesk(tb testing.TB) *desk {
	d := &desk{t: tb, store: newStore(), shelf: &shelf{}, now: time.Date(2031, 3, 1, 9, 0, 0, 0, time.UTC), event: reading()}
	d.Intake = New(Options{
		Store: d.store, Keys: d.store, Keyring: newKeyring(tb, d.shelf), Now: func() time.Time { return d.now },
		Changed: func(_ turnout.OrgID, event turnout.EventID, fresh bool) { d.told = append(d.told, told{event, fresh}) },
	})
	return d
}

// reading is an event a week after the desk's clock.
func reading() *turnout.Event {
	return &turnout.Event{
		ID: "a01000000000001AAA", Slug: "reading", Version: "1", Title: "A reading", Zone: "UTC", MaxGuests: 2,
		Starts: time.Date(2031, 3, 8, 18, 0, 0, 0, time.UTC), Seats: 100,
		Tickets: []turnout.Ticket{{ID: "seat", Name: "Seat", Seats: turnout.Unlimited}},
		Agenda:  []turnout.AgendaItem{{ID: "supper", Name: "Supper", Seats: turnout.Unlimited}},
		Form:    turnout.Form{Version: "f1", Questions: []turnout.Question{{ID: "diet", Label: "Diet", Kind: turnout.KindText}}},
	}
}

// odilia is what one registrant says; no word of it may be seen outside.
func odilia() turnout.Details {
	return turnout.Details{
		Person: turnout.Person{Email: "Odilia.Quent@Example.com", FirstName: "Odilia", LastName: "Quentbrook", Title: "Beekeeper-in-chief", Company: "Honeyworks"},
		Ticket: "seat", Agenda: []string{"supper"}, Guests: []turnout.Guest{{FirstName: "Tancred", LastName: "Vossberg"}},
		Answers: turnout.Answers{"diet": {"no celeriac"}},
	}
}

func plaintexts() []string {
	return []string{
		"odilia", "quentbrook", "example.com", "beekeeper", "honeyworks", "tancred", "vossberg", "celeriac", "REC-PLAIN",
	}
}

func submission(key turnout.Key) turnout.Submission {
	return turnout.Submission{Key: key, FormVersion: "f1", Details: odilia()}
}

func (d *desk) register(s turnout.Submission) View {
	d.t.Helper()
	v, err := d.Register(context.Background(), acme, d.event, s)
	if err != nil {
		d.t.Fatalf("register: %v", err)
	}
	return v
}

// refuses checks an error's code, and that its text names nobody (P8).
func (d *desk) refuses(err error, code turnout.Code) {
	d.t.Helper()
	if turnout.CodeOf(err) != code {
		d.t.Fatalf("error %v has code %q, want %q", err, turnout.CodeOf(err), code)
	}
	silent(d.t, "the error", err.Error())
}

// silent fails when something that was written down says who somebody is.
func silent(tb testing.TB, what string, texts ...string) {
	tb.Helper()
	for _, text := range texts {
		for _, plain := range plaintexts() {
			if strings.Contains(strings.ToLower(text), strings.ToLower(plain)) {
				tb.Errorf("%s says %q", what, plain)
			}
		}
	}
}

// texts collects every string and byte string inside v.
func texts(v reflect.Value) []string {
	var out []string
	switch v.Kind() {
	case reflect.String:
		return []string{v.String()}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return []string{fmt.Sprintf("%s", v.Interface())}
		}
		for i := range v.Len() {
			out = append(out, texts(v.Index(i))...)
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return nil
		}
		for i := range v.NumField() {
			out = append(out, texts(v.Field(i))...)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return texts(v.Elem())
		}
	}
	return out
}
