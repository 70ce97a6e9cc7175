package erasure

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

var ctx = context.Background()

const address = "odilia.quent@example.com"

// engines are store, cache and orgs in memory.
type engines struct {
	mu   sync.Mutex
	held map[turnout.PersonID]turnout.Forgotten
	orgs []turnout.Org

	forgotten []turnout.PersonID
	dropped   []turnout.PersonID
	shreds    []shred
	pruned    []time.Time
	// toShred is how many answers of an org are over.
	toShred map[turnout.OrgID]int

	failForget, failDrop, failOrgs, failPrune error
	failShred                                 map[turnout.OrgID]error
	// failCommit makes forgetting fail after it counted what it would reach.
	failCommit error
}

type shred struct {
	org    turnout.OrgID
	before time.Time
	limit  int
}

func (e *engines) Forget(_ context.Context, _ turnout.OrgID, person turnout.PersonID, _ time.Time) (turnout.Forgotten, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failForget != nil {
		return turnout.Forgotten{}, e.failForget
	}
	f := e.held[person]
	delete(e.held, person)
	e.forgotten = append(e.forgotten, person)
	return f, e.failCommit
}

func (e *engines) Shred(_ context.Context, org turnout.OrgID, before time.Time, limit int) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shreds = append(e.shreds, shred{org, before, limit})
	if err := e.failShred[org]; err != nil {
		return 0, err
	}
	n := min(e.toShred[org], limit)
	if n > 0 {
		e.toShred[org] -= n
	}
	return n, nil
}

func (e *engines) PruneChanges(_ context.Context, before time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.pruned = append(e.pruned, before)
	return e.failPrune
}

func (e *engines) DeletePerson(_ context.Context, _ turnout.OrgID, person turnout.PersonID) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failDrop == nil {
		e.dropped = append(e.dropped, person)
	}
	return e.failDrop
}

func (e *engines) Orgs(context.Context) ([]turnout.Org, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.orgs, e.failOrgs
}

// shelf keeps wrapped org keys in memory.
type shelf struct {
	keys []seal.StoredKey
	fail error
}

func (s *shelf) OrgKeys(_ context.Context, scope string) ([]seal.StoredKey, error) {
	return slices.DeleteFunc(slices.Clone(s.keys), func(k seal.StoredKey) bool { return k.Scope != scope }), s.fail
}

func (s *shelf) AddOrgKeys(_ context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	s.keys = append(s.keys, keys...)
	return keys, nil
}

func (s *shelf) ReplaceOrgKeys(context.Context, []seal.StoredKey) error { return nil }

type bench struct {
	*Erasure
	store *engines
	shelf *shelf
	log   *bytes.Buffer
	now   time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		store: &engines{orgs: []turnout.Org{{ID: "acme"}, {ID: "other"}}, held: map[turnout.PersonID]turnout.Forgotten{}, toShred: map[turnout.OrgID]int{}, failShred: map[turnout.OrgID]error{}},
		shelf: &shelf{}, log: &bytes.Buffer{}, now: time.Date(2031, 3, 1, 9, 0, 0, 123456, time.FixedZone("", 7200)),
	}
	b.Erasure = New(Options{
		Store: b.store, Cache: b.store, Orgs: b.store,
		Keyring: seal.NewKeyring(b.shelf, func() (seal.Master, error) { return master, nil }),
		Logger:  slog.New(slog.NewTextHandler(b.log, nil)), Now: func() time.Time { return b.now },
	})
	return b
}

// person is the blind index of an address at acme.
func (b *bench) person(t *testing.T, email string) turnout.PersonID {
	t.Helper()
	ring, err := b.o.Keyring.Ring(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	return turnout.PersonID(ring.Index(email))
}

// P8: the receipt counts what was reached, is the same for the same address
// however it is typed, and names nobody.
func TestForget(t *testing.T) {
	b := newBench(t)
	held := turnout.Forgotten{Keys: 1, Registrations: 3, SeatsReturned: 2}
	person := b.person(t, address)
	b.store.held[person] = held
	r, err := b.Forget(ctx, "acme", "  Odilia.QUENT@Example.com ")
	if err != nil {
		t.Fatal(err)
	}
	want := Receipt{ID: person.String()[:12], Org: "acme", At: time.Date(2031, 3, 1, 7, 0, 0, 0, time.UTC), Forgotten: held}
	if r != want {
		t.Errorf("receipt %+v, want %+v", r, want)
	}
	if !slices.Equal(b.store.forgotten, []turnout.PersonID{person}) || !slices.Equal(b.store.dropped, b.store.forgotten) {
		t.Errorf("forgot %v in the store and %v in the cache", b.store.forgotten, b.store.dropped)
	}
	again, err := b.Forget(ctx, "acme", address)
	want.Forgotten = turnout.Forgotten{}
	if err != nil || again != want {
		t.Errorf("the second receipt is %+v, %v", again, err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(text), b.log.String()} {
		if l := strings.ToLower(text); strings.Contains(l, "odilia") || strings.Contains(l, "example.com") {
			t.Errorf("%s names somebody", text)
		}
	}
	if !strings.Contains(string(text), `"registrations":3`) {
		t.Errorf("the receipt reads %s", text)
	}
}

// P8: without an org's key nobody computes its receipts.
func TestReceiptsDifferBetweenOrgsAndPeople(t *testing.T) {
	b := newBench(t)
	seen := map[string]bool{}
	for _, org := range []turnout.OrgID{"acme", "other"} {
		for _, email := range []string{address, "odilia.quent@example.org"} {
			r, err := b.Forget(ctx, org, email)
			if err != nil {
				t.Fatal(err)
			}
			seen[r.ID] = true
		}
	}
	elsewhere, err := newBench(t).Forget(ctx, "acme", address) // another master key
	if err != nil {
		t.Fatal(err)
	}
	if seen[elsewhere.ID] = true; len(seen) != 5 {
		t.Errorf("%d different receipts, want 5", len(seen))
	}
}

// What Salesforce lets into an e-mail field was cached, so it is forgotten (P8),
// though no form takes it.
func TestForgetWhatNoFormTakes(t *testing.T) {
	b := newBench(t)
	for n, email := range []string{"john..doe@example.com", "Odilia@localhost", ".odilia@example.com"} {
		if turnout.ValidEmail(turnout.FoldEmail(email)) {
			t.Errorf("a form takes %s", email)
		}
		if _, err := b.Forget(t.Context(), "acme", email); err != nil || len(b.store.forgotten) != n+1 {
			t.Errorf("%s: %v, %d forgotten", email, err, len(b.store.forgotten))
		}
	}
}

func TestForgetNoAddress(t *testing.T) {
	b := newBench(t)
	for _, email := range []string{"", " ", "odilia", "odilia.example.com"} {
		_, err := b.Forget(ctx, "acme", email)
		if turnout.CodeOf(err) != turnout.CodeInvalid {
			t.Errorf("%q: %v", email, err)
		}
		if strings.Contains(strings.ToLower(err.Error()), "odilia") {
			t.Errorf("the error %v repeats what was typed", err)
		}
	}
	if len(b.store.forgotten) != 0 {
		t.Error("somebody was forgotten")
	}
}

// An org that nobody set up gets no keys by being mistyped.
func TestForgetAtUnknownOrg(t *testing.T) {
	b := newBench(t)
	_, err := b.Forget(ctx, "amce", address)
	if turnout.CodeOf(err) != turnout.CodeNotFound || strings.Contains(err.Error(), "odilia") {
		t.Errorf("answered %v", err)
	}
	if len(b.shelf.keys) != 0 || len(b.store.forgotten) != 0 {
		t.Errorf("it has %d keys", len(b.shelf.keys))
	}
}

func TestForgetFails(t *testing.T) {
	cases := map[string]struct {
		fail func(b *bench)
		code turnout.Code
	}{
		"keys away": {func(b *bench) { b.shelf.fail = errors.New("disk on fire") }, turnout.CodeUnavailable},
		"orgs away": {func(b *bench) { b.store.failOrgs = turnout.Errorf(turnout.CodeUnavailable, "list orgs", "away") }, turnout.CodeUnavailable},
		"store away": {func(b *bench) {
			b.store.failForget = turnout.Errorf(turnout.CodeUnavailable, "forget person", "away")
		}, turnout.CodeUnavailable},
		"cache away": {func(b *bench) { b.store.failDrop = turnout.Errorf(turnout.CodeUnavailable, "delete links", "away") }, turnout.CodeUnavailable},
		// P8: what was counted before a commit that failed is no receipt.
		"disk full at the commit": {func(b *bench) {
			b.store.held[b.person(t, address)] = turnout.Forgotten{Keys: 1, Registrations: 1}
			b.store.failCommit = turnout.Errorf(turnout.CodeNoSpace, "commit", "disk full")
		}, turnout.CodeNoSpace},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.fail(b)
			r, err := b.Forget(ctx, "acme", address)
			if name != "cache away" && r != (Receipt{}) {
				t.Errorf("a receipt for nothing: %+v", r)
			}
			if turnout.CodeOf(err) != c.code {
				t.Errorf("error %v has code %q, want %q", err, turnout.CodeOf(err), c.code)
			}
			if strings.Contains(err.Error(), "odilia") {
				t.Errorf("the error %v names somebody", err)
			}
			if len(b.store.dropped) != 0 {
				t.Error("the cache was reached")
			}
		})
	}
}

// P8: whoever asks again after the cache failed finds the rest gone too, since
// the data key went first.
func TestForgetAgainAfterTheCacheFailed(t *testing.T) {
	b := newBench(t)
	person := b.person(t, address)
	b.store.held[person] = turnout.Forgotten{Keys: 1, Registrations: 1}
	b.store.failDrop = errors.New("cache away")
	r, err := b.Forget(ctx, "acme", address)
	if err == nil || r.Keys != 1 {
		t.Errorf("answered %+v, %v", r, err)
	}
	b.store.failDrop = nil
	if _, err := b.Forget(ctx, "acme", address); err != nil || !slices.Equal(b.store.dropped, []turnout.PersonID{person}) {
		t.Errorf("dropped %v, %v", b.store.dropped, err)
	}
}

// P8: answers go when their org's time is over, in batches, until none is left.
func TestRetain(t *testing.T) {
	b := newBench(t)
	b.store.orgs = []turnout.Org{{ID: "brief", Retention: 48 * time.Hour}, {ID: "unsaid"}}
	b.store.toShred["unsaid"] = 2*shredBatch + 1
	if err := b.Retain(ctx); err != nil {
		t.Fatal(err)
	}
	month := b.now.Add(-30 * 24 * time.Hour)
	want := []shred{
		{"brief", b.now.Add(-48 * time.Hour), shredBatch},
		{"unsaid", month, shredBatch}, {"unsaid", month, shredBatch}, {"unsaid", month, shredBatch},
	}
	if !slices.Equal(b.store.shreds, want) || b.store.toShred["unsaid"] != 0 {
		t.Errorf("shredded %v", b.store.shreds)
	}
	if !slices.Equal(b.store.pruned, []time.Time{b.now.Add(-feedKept)}) {
		t.Errorf("pruned the feed before %v", b.store.pruned)
	}
}

// P7: one org's trouble keeps nobody else's answers, and every fault is told.
func TestRetainFails(t *testing.T) {
	b := newBench(t)
	b.store.orgs = []turnout.Org{{ID: "sick"}, {ID: "well"}}
	b.store.failShred["sick"], b.store.failPrune = errors.New("page is torn"), errors.New("feed is locked")
	b.store.toShred["well"] = 3
	err := b.Retain(ctx)
	if err == nil || !strings.Contains(err.Error(), "page is torn") || !strings.Contains(err.Error(), "feed is locked") {
		t.Errorf("told %v", err)
	}
	if b.store.toShred["well"] != 0 || len(b.store.shreds) != 2 {
		t.Errorf("shredded %v", b.store.shreds)
	}
	b.store.failOrgs = errors.New("no orgs today")
	if err := b.Retain(ctx); !errors.Is(err, b.store.failOrgs) {
		t.Errorf("told %v", err)
	}
}

// Run looks after retention by itself, and a fault does not end it.
func TestRunRetains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.store.orgs, b.store.failPrune = []turnout.Org{{ID: "acme"}}, errors.New("feed is locked")
		ctx, cancel := context.WithTimeout(t.Context(), 3*retainEvery+time.Second)
		defer cancel()
		if err := b.Run(ctx); err != nil {
			t.Errorf("Run ended with %v", err)
		}
		if len(b.store.shreds) != 3 {
			t.Errorf("looked %d times", len(b.store.shreds))
		}
		if n := strings.Count(b.log.String(), "feed is locked"); n != 3 {
			t.Errorf("logged %d times:\n%s", n, b.log)
		}
	})
}

func TestDefaults(t *testing.T) {
	b := newBench(t)
	o := b.o
	o.Logger, o.Now = nil, nil
	r, err := New(o).Forget(ctx, "acme", address)
	if err != nil || time.Since(r.At) > time.Minute {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

// ended are people whose sessions were.
type ended struct {
	people []turnout.PersonID
	fail   error
}

func (e *ended) RevokePerson(_ context.Context, _ turnout.OrgID, person turnout.PersonID) error {
	if e.fail == nil {
		e.people = append(e.people, person)
	}
	return e.fail
}

// P8: a person's sessions are over with them; while those cannot be reached there
// is no receipt that says so.
func TestP8SessionsAreForgottenToo(t *testing.T) {
	b, sessions := newBench(t), &ended{fail: turnout.Errorf(turnout.CodeUnavailable, "end sessions", "away")}
	b.o.Sessions = sessions
	if _, err := b.Forget(ctx, "acme", address); turnout.CodeOf(err) != turnout.CodeUnavailable || strings.Contains(b.log.String(), "person forgotten") {
		t.Errorf("with sessions out of reach: %v\n%s", err, b.log)
	}
	sessions.fail = nil
	if _, err := b.Forget(ctx, "acme", address); err != nil || !slices.Equal(sessions.people, []turnout.PersonID{b.person(t, address)}) {
		t.Errorf("asked again: %v, %v", err, sessions.people)
	}
}
