package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"path/filepath"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	cachedb "github.com/turnout-events/turnout/internal/cache/sqlite"
	"github.com/turnout-events/turnout/internal/interest"
	"github.com/turnout-events/turnout/internal/mirror"
)

// An instance that polls nothing shows what another one wrote into the cache.
func TestMirroringIsReadFromTheCache(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "cache.db")
	open := func() *cachedb.Cache {
		c, err := cachedb.Open(ctx, cachedb.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	polls, watches := open(), open()
	in := &instance{cache: watches, log: slog.New(slog.DiscardHandler), mirror: mirror.New(mirror.Options{Cursors: watches, Faults: watches, Every: 2 * time.Minute})}
	if m, err := in.mirroring(ctx, "acme"); err != nil || !m.Success.IsZero() || len(m.Behind(time.Now())) != 3 {
		t.Errorf("never read: %+v, %v", m, err)
	}
	now := time.Now().Truncate(time.Millisecond).UTC()
	for what, age := range map[string]time.Duration{"events": time.Second, "links": time.Minute, "registrations": time.Second} {
		if moved, err := polls.SetCursor(ctx, "acme", "read "+what, time.Time{}, now.Add(-age)); err != nil || !moved {
			t.Fatal(moved, err)
		}
	}
	err := errors.Join(
		polls.PutEvent(ctx, "acme", "a0E1", "spring", []byte("sealed"), now),
		polls.NoteFetched(ctx, "acme", []turnout.EventID{"a0E1"}, now.Add(-time.Hour)),
		polls.PutLinks(ctx, []turnout.AttendeeLink{{ID: turnout.LinkID{1}, Org: "acme", Event: "a0E1", Person: turnout.PersonID{1}, Sealed: []byte("sealed"), Changed: now}}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := in.mirroring(ctx, "acme")
	if err != nil || !m.Success.Equal(now.Add(-time.Minute)) || len(m.Behind(now)) != 0 || m.Every != 2*time.Minute || *m.Links != 1 {
		t.Errorf("%+v, %v", m, err)
	}
	if at := m.Events["a0E1"].At; !at.Equal(now.Add(-time.Hour)) {
		t.Errorf("the event was fetched at %v", at)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := in.mirroring(cancelled, "acme"); err == nil {
		t.Error("what could not be read is shown")
	}
}

func TestFunnelsOf(t *testing.T) {
	got := funnelsOf(map[turnout.EventID]int{"both": 9, "invited": 4}, map[turnout.EventID]interest.Counts{"both": {Opened: 7, Started: 6}, "seen": {Opened: 1}},
		map[turnout.EventID]turnout.Progress{"both": {Registered: 5, Delivered: 3, Parked: 1}, "open": {Registered: 1}})
	numbers := map[turnout.EventID][6]int{}
	for event, f := range got {
		numbers[event] = [6]int{*f.Invited, *f.Opened, *f.Started, *f.Registered, *f.Delivered, *f.Parked}
	}
	if want := map[turnout.EventID][6]int{"both": {9, 7, 6, 5, 3, 1}, "invited": {4}, "seen": {0, 1}, "open": {0, 0, 0, 1}}; !maps.Equal(numbers, want) {
		t.Errorf("got %v, want %v", numbers, want)
	}
	if f := got["both"]; f.OnTheWay() != 1 {
		t.Errorf("%d on the way", f.OnTheWay())
	}
}
