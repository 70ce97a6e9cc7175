package app

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/redis/redistest"
	"github.com/turnout-events/turnout/internal/session"
)

func sessionsOf(t *testing.T, e *Engines, url string) *sessions {
	t.Helper()
	server, err := openSessionServer(t.Context(), config.Config{Sessions: url}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := newSessions(e, server, func() []turnout.OrgID { return []turnout.OrgID{"acme"} }, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.Close() })
	return s
}

var ofAcme = session.Binding{Org: "acme", Host: "acme.localhost"}

// news is all that the store's feed has.
func news(t *testing.T, e *Engines) catalog.News {
	t.Helper()
	changes, err := e.Store.Changes(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return catalog.News{Changes: changes}
}

// P6: an org's sessions are ended on every instance, also on one that is started
// later, on either engine and while Redis is away.
func TestP6AnOrgsSessionsEndEverywhere(t *testing.T) {
	r := redistest.New(t)
	for _, url := range []string{"", r.URL()} {
		e := openEngines(t)
		apply(t, e, turnout.Org{ID: "acme", Mapping: "turnout"}, turnout.Org{ID: "other", Mapping: "turnout"})
		one, two := sessionsOf(t, e, url), sessionsOf(t, e, url)
		value, err := one.Seal(t.Context(), ofAcme, session.Begin(turnout.PersonID{1}, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := two.Open(t.Context(), ofAcme, value); !ok {
			t.Fatal("it does not open")
		}
		if err := one.RevokeOrg(t.Context(), "nobody"); turnout.CodeOf(err) != turnout.CodeNotFound {
			t.Errorf("of nobody: %v", err)
		}
		if err := one.RevokeOrg(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		if url != "" {
			r.Kill()
		}
		two.hear(t.Context(), news(t, e))
		later := sessionsOf(t, e, url)
		if err := later.recall(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i, s := range []*sessions{one, two, later} {
			if _, ok := s.Open(t.Context(), ofAcme, value); ok {
				t.Errorf("%q: P6: on instance %d it opens", url, i)
			}
		}
		others, _ := one.Seal(t.Context(), session.Binding{Org: "other"}, session.Begin(turnout.PersonID{1}, time.Now()))
		if _, ok := two.Open(t.Context(), session.Binding{Org: "other"}, others); !ok {
			t.Errorf("%q: another org's are over too", url)
		}
	}
}

// P8: whoever was forgotten by another process has no session here.
func TestP8ForgottenElsewhere(t *testing.T) {
	e := openEngines(t)
	apply(t, e, turnout.Org{ID: "acme", Mapping: "turnout"})
	s := sessionsOf(t, e, "")
	hers, _ := s.Seal(t.Context(), ofAcme, session.Begin(turnout.PersonID{1}, time.Now()))
	his, _ := s.Seal(t.Context(), ofAcme, session.Begin(turnout.PersonID{2}, time.Now()))
	if _, err := e.Store.Forget(t.Context(), "acme", turnout.PersonID{1}, time.Now()); err != nil {
		t.Fatal(err)
	}
	s.hear(t.Context(), news(t, e))
	if _, ok := s.Open(t.Context(), ofAcme, hers); ok {
		t.Error("P8: hers opens")
	}
	if _, ok := s.Open(t.Context(), ofAcme, his); !ok {
		t.Error("his is over")
	}
}

// What Redis counts is shown, and that it is away.
func TestSessionMetrics(t *testing.T) {
	r, e := redistest.New(t), openEngines(t)
	apply(t, e, turnout.Org{ID: "acme", Mapping: "turnout"})
	s := sessionsOf(t, e, r.URL())
	registry := prometheus.NewRegistry()
	s.show(registry)
	value, _ := s.Seal(t.Context(), ofAcme, session.Begin(turnout.PersonID{1}, time.Now()))
	s.Open(t.Context(), ofAcme, value)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.kept.Run(ctx) }()
	for n, ok := s.active("acme"); n != 1 || !ok; n, ok = s.active("acme") {
		s.kept.Count(t.Context())
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wantLines(t, registry, `turnout_sessions_kept{org="acme"} 1`, `turnout_redis_up{use="sessions"} 1`)
	r.Kill()
	s.Open(t.Context(), ofAcme, value)
	for !s.server.Away() { // its answer was in memory
		_ = s.RevokePerson(t.Context(), "acme", turnout.PersonID{9})
	}
	wantLines(t, registry, `turnout_redis_up{use="sessions"} 0`)
	if families, _ := registry.Gather(); len(families) != 1 {
		t.Error("it shows a count that it does not know")
	}
	if _, ok := s.active("acme"); ok {
		t.Error("the console shows one")
	}
	if _, err := openSessionServer(t.Context(), config.Config{Sessions: "redis://:wrong@" + r.Address() + "/x"}, slog.New(slog.DiscardHandler)); err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong URL: %v", err)
	}
}
