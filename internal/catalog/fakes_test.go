package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cut"
	"github.com/turnout-events/turnout/internal/seal"
)

// keyShelf keeps org keys in memory.
type keyShelf struct {
	mu   sync.Mutex
	keys []seal.StoredKey
}

func (s *keyShelf) OrgKeys(_ context.Context, scope string) ([]seal.StoredKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.keys), func(k seal.StoredKey) bool { return k.Scope != scope }), nil
}

func (s *keyShelf) AddOrgKeys(ctx context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	s.mu.Lock()
	s.keys = append(s.keys, keys...)
	s.mu.Unlock()
	return s.OrgKeys(ctx, keys[0].Scope)
}

func (s *keyShelf) ReplaceOrgKeys(context.Context, []seal.StoredKey) error { return nil }

func newKeyring(t testing.TB, shelf *keyShelf) *seal.Keyring {
	t.Helper()
	line := seal.NewMasterLine()
	return seal.NewKeyring(shelf, func() (seal.Master, error) { return seal.ParseMaster(line) })
}

var errAway = errors.New("away")

// world is store and cache in memory.
type world struct {
	t       testing.TB
	keyring *seal.Keyring

	mu     sync.Mutex
	orgs   []turnout.Org
	events map[turnout.OrgID]map[turnout.EventID]SealedEvent
	seats  map[turnout.OrgID]map[turnout.EventID]turnout.Seatings
	feed   []turnout.Change
	pruned int64
	links  map[spot]turnout.AttendeeLink
	keys   map[turnout.PersonID][]byte
	// down makes reads of the cache fail.
	down bool
	// reads counts point reads of events and of links.
	eventReads, linkReads int
	// hold makes reads of links wait until it is closed.
	hold chan struct{}
}

func newWorld(t testing.TB) *world {
	return &world{t: t, keyring: newKeyring(t, &keyShelf{}), orgs: []turnout.Org{{ID: "acme", Hosts: []string{"Events.Example.com"}}, {ID: "birch"}},
		events: map[turnout.OrgID]map[turnout.EventID]SealedEvent{"acme": {}, "birch": {}},
		seats:  map[turnout.OrgID]map[turnout.EventID]turnout.Seatings{"acme": {}, "birch": {}},
		links:  map[spot]turnout.AttendeeLink{}, keys: map[turnout.PersonID][]byte{}}
}

func (w *world) Orgs(context.Context) ([]turnout.Org, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.orgs), nil
}

func (w *world) Events(_ context.Context, org turnout.OrgID) ([]SealedEvent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errAway
	}
	var all []SealedEvent
	for _, e := range w.events[org] {
		all = append(all, e)
	}
	return all, nil
}

func (w *world) Event(_ context.Context, org turnout.OrgID, id turnout.EventID) (SealedEvent, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.eventReads++
	if w.down {
		return SealedEvent{}, errAway
	}
	e, ok := w.events[org][id]
	if !ok {
		return e, &turnout.Error{Code: turnout.CodeNotFound}
	}
	return e, nil
}

func (w *world) Seatings(_ context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[turnout.EventID]turnout.Seatings{}
	for id, s := range w.seats[org] {
		all[id] = s
	}
	return all, nil
}

func (w *world) Changes(_ context.Context, after int64, limit int) ([]turnout.Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if after < w.pruned {
		return []turnout.Change{{Seq: w.pruned}}, nil
	}
	var found []turnout.Change
	for _, c := range w.feed {
		if c.Seq > after && len(found) < limit {
			found = append(found, c)
		}
	}
	return found, nil
}

func (w *world) LastChange(context.Context) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return int64(len(w.feed)), nil
}

func (w *world) change(kind turnout.ChangeKind, org turnout.OrgID, id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.feed = append(w.feed, turnout.Change{Seq: int64(len(w.feed)) + 1, Kind: kind, Org: org, ID: id})
}

// put caches an event without telling anybody.
func (w *world) put(org turnout.OrgID, e turnout.Event) {
	w.t.Helper()
	ring, err := w.keyring.Ring(context.Background(), string(org))
	if err != nil {
		w.t.Fatal(err)
	}
	plain, _ := json.Marshal(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events[org][e.ID] = SealedEvent{ID: e.ID, Slug: e.Slug, Sealed: ring.Seal(plain, "event", string(e.ID))}
}

func (w *world) publish(org turnout.OrgID, e turnout.Event) {
	w.put(org, e)
	w.change(turnout.ChangeEvent, org, string(e.ID))
}

func (w *world) unpublish(org turnout.OrgID, id turnout.EventID) {
	w.mu.Lock()
	delete(w.events[org], id)
	w.mu.Unlock()
	w.change(turnout.ChangeEvent, org, string(id))
}

func (w *world) setFree(org turnout.OrgID, id turnout.EventID, free int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seats[org][id] = turnout.Seatings{turnout.PoolEvent: {Pool: turnout.PoolEvent, Limit: free}}
}

// renderer draws pages that say what they were drawn from.
type renderer struct {
	now   func() time.Time
	mu    sync.Mutex
	drawn map[turnout.EventID]int
	fail  turnout.EventID
	lists int // how many were drawn
}

func (r *renderer) Event(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (Page, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.ID == r.fail {
		return Page{}, errors.New("does not draw")
	}
	r.drawn[e.ID]++
	return Page{HTML: fmt.Appendf(nil, "%s %s %s free=%d phase=%d", org.ID, org.Name, e.Title, seats.Free(turnout.PoolEvent), e.Phase(r.now()))}, nil
}

func (r *renderer) Form(*turnout.Org, *turnout.Event, turnout.Seatings) (*cut.Template, error) {
	return cut.New(nil, nil), nil
}

func (r *renderer) Card(_ *turnout.Org, e *turnout.Event, seats turnout.Seatings) ([]byte, error) {
	return fmt.Appendf(nil, "[%s free=%d phase=%d]", e.Title, seats.Free(turnout.PoolEvent), e.Phase(r.now())), nil
}

func (r *renderer) List(_ *turnout.Org, entries []*Entry) (Page, error) {
	r.mu.Lock()
	r.lists++
	r.mu.Unlock()
	var html []byte
	for _, e := range entries {
		html = append(html, e.Card...)
	}
	return Page{HTML: html}, nil
}

func (r *renderer) times(id turnout.EventID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.drawn[id]
}

func newCatalog(w *world) (*Catalog, *renderer) {
	r := &renderer{now: time.Now, drawn: map[turnout.EventID]int{}}
	return New(Options{Orgs: w, Cache: w, Seats: w, Feed: w, Keyring: w.keyring, Renderer: r}), r
}

func event(n int, title string) turnout.Event {
	return turnout.Event{ID: turnout.EventID(fmt.Sprintf("a0E%012dAAA", n)), Slug: fmt.Sprintf("event-%d", n), Title: title,
		Starts: time.Now().Add(time.Duration(24+n) * time.Hour), Zone: "Europe/Vienna", Seats: 100,
		Tickets: []turnout.Ticket{{ID: "t", Name: "Ticket", Seats: turnout.Unlimited}}}
}

func (r *renderer) listed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lists
}
