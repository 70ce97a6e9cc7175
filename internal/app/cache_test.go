package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/cache/mongotest"
	"github.com/turnout-events/turnout/internal/config"
)

func mongoConfig(t *testing.T, url string) config.Config {
	t.Helper()
	cfg, err := config.Load("", []string{"TURNOUT_DATA=" + t.TempDir(), "TURNOUT_CACHE=" + url})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func openInstance(t *testing.T, cfg config.Config) *instance {
	t.Helper()
	in, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.close() })
	return in
}

// mirrored does what the mirror does with an event and a link to it.
func mirrored(t *testing.T, in *instance, token string) {
	t.Helper()
	if err := in.Store.SetOrg(t.Context(), turnout.Org{ID: "acme", Mapping: "turnout"}, []byte("s"), time.Now()); err != nil {
		t.Fatal(err)
	}
	e := reading(time.Now().UTC().AddDate(0, 1, 0))
	cacheEvent(t, in, e)
	cacheLink(t, in, e, token)
}

func reading(starts time.Time) *turnout.Event {
	return &turnout.Event{ID: "a01000000000001AAA", Slug: "reading", Version: "1", Title: "A reading", Zone: "UTC",
		Starts: starts, Tickets: []turnout.Ticket{{ID: "seat", Name: "Seat", Seats: turnout.Unlimited}}, Form: turnout.Form{Version: "1"}}
}

func cacheEvent(t *testing.T, in *instance, e *turnout.Event) {
	t.Helper()
	ring, err := in.Keyring.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	event, _ := json.Marshal(e)
	if err := in.cache.PutEvent(t.Context(), "acme", e.ID, e.Slug, ring.Seal(event, "event", string(e.ID)), time.Now()); err != nil {
		t.Fatal(err)
	}
}

func cacheLink(t *testing.T, in *instance, e *turnout.Event, token string) {
	t.Helper()
	ctx := t.Context()
	ring, err := in.Keyring.Ring(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	person := turnout.PersonID(ring.Index("ada@example.org"))
	key, wrapped, err := ring.NewDataKey(person)
	if err != nil {
		t.Fatal(err)
	}
	invite, _ := json.Marshal(turnout.Invite{Person: turnout.Person{Email: "ada@example.org"}})
	id := turnout.LinkID(ring.MAC("link", token)[:16])
	_, known := in.Store.EnsureDataKeys(ctx, "acme", []turnout.DataKey{{Person: person, Wrapped: wrapped}})
	err = errors.Join(known,
		in.cache.PutLinks(ctx, []turnout.AttendeeLink{{ID: id, Org: "acme", Event: e.ID, Person: person, Sealed: key.Seal(invite, "link", string(id[:])), Changed: time.Now()}}))
	if err != nil {
		t.Fatal(err)
	}
}

// TestCacheEngineAway: with MongoDB gone, pages of events and links that were
// known lately go on from memory, what was not says that it cannot be told now,
// and with MongoDB back everything works without a hand.
func TestCacheEngineAway(t *testing.T) {
	s, ctx := mongotest.New(t), t.Context()
	in := openInstance(t, mongoConfig(t, s.Database("turnout_test_app")))
	token, other := strings.Repeat("a", 32), strings.Repeat("b", 32)
	mirrored(t, in, token)
	if err := in.catalog.Load(ctx); err != nil {
		t.Fatal(err)
	}
	look := func(when string, unknown turnout.Code) {
		t.Helper()
		if _, ok := in.catalog.EventByID("acme", "a01000000000001AAA"); !ok {
			t.Errorf("%s: the event is gone", when)
		}
		if l, err := in.links.Open(ctx, "acme", token); err != nil || l.Invite.Person.Email != "ada@example.org" {
			t.Errorf("%s: the link answers %v", when, err)
		}
		if _, err := in.links.Open(ctx, "acme", other); turnout.CodeOf(err) != unknown {
			t.Errorf("%s: an unknown link answers %v, want %s", when, err, unknown)
		}
		if err := in.storeAnswers(ctx); err != nil {
			t.Errorf("%s: not ready: %v", when, err)
		}
	}
	if _, err := in.links.Open(ctx, "acme", token); err != nil { // known from here on
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	look("away", turnout.CodeUnavailable)
	if err := s.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, err := in.cache.Events(ctx, "acme"); err == nil {
			break
		}
		<-poll.C
	}
	look("back", turnout.CodeNotFound)
}

// TestP8ForgettingWithoutTheCache: a command destroys the key at once, and says
// that the links were not reached.
func TestP8ForgettingWithoutTheCache(t *testing.T) {
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	cfg := mongoConfig(t, "mongodb://127.0.0.1:1/turnout?serverSelectionTimeoutMS=100")
	e, err := OpenEngines(ctx, cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.Store.SetOrg(ctx, turnout.Org{ID: "acme", Mapping: "turnout"}, []byte("s"), time.Now()); err != nil {
		t.Fatal(err)
	}
	ring, err := e.Keyring.Ring(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	person := turnout.PersonID(ring.Index("ada@example.org"))
	if _, err := e.Store.EnsureDataKeys(ctx, "acme", []turnout.DataKey{{Person: person, Wrapped: []byte("wrapped")}}); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDesk(ctx, cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if kind, err := d.CacheKind(); kind != MongoDB || err == nil {
		t.Errorf("the cache is %s, %v", kind, err)
	}
	if _, err := d.Erasure.Forget(ctx, "acme", "ada@example.org"); turnout.CodeOf(err) != turnout.CodeUnavailable || !strings.Contains(err.Error(), "drop links") {
		t.Errorf("forgetting answers %v", err)
	}
	if _, err := e.Store.DataKey(ctx, "acme", person); turnout.CodeOf(err) != turnout.CodeForgotten {
		t.Errorf("P8: the key answers %v", err)
	}
}

// TestCacheOfOneDeployment: another store's instances do not get in, those of the
// same store do, and a store that was restored begins the cache anew.
func TestCacheOfOneDeployment(t *testing.T) {
	s, ctx := mongotest.New(t), t.Context()
	cfg := mongoConfig(t, s.Database("turnout_test_deployment"))
	in := openInstance(t, cfg)
	mirrored(t, in, strings.Repeat("a", 32))
	if moved, err := in.cache.SetCursor(ctx, "acme", "links", time.Time{}, time.Now()); err != nil || !moved {
		t.Fatal(moved, err)
	}
	if n, err := openInstance(t, cfg).cache.CountLinks(ctx, "acme"); err != nil || n != 1 {
		t.Errorf("the second instance counts %d links, %v", n, err)
	}
	_, err := open(ctx, mongoConfig(t, cfg.Cache), slog.New(slog.DiscardHandler))
	if turnout.CodeOf(err) != turnout.CodeMisconfigured || !strings.Contains(err.Error(), "another deployment's") {
		t.Errorf("another deployment's instance: %v", err)
	}
	if err := clearCache(context.Background(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	n, err := in.cache.CountLinks(ctx, "acme")
	at, cursor := in.cache.Cursor(ctx, "acme", "links")
	if n != 0 || err != nil || !at.IsZero() || cursor != nil {
		t.Errorf("after a restore: %d links, cursor %v; %v %v", n, at, err, cursor)
	}
}
