package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/migration"
)

// movers are two edges of one store, and what operators work with.
type movers struct {
	t       *testing.T
	engines *Engines
	desk    *migration.Migration
	edges   [2]*migration.Migration
}

// startMovers has the orgs acme and beta on blue, which is down, and a stack green.
func startMovers(t *testing.T, greenIsUp bool) *movers {
	t.Helper()
	m := &movers{t: t, engines: openEngines(t)}
	beta := acmeOrg()
	beta.ID, beta.Hosts = "beta", nil
	apply(t, m.engines, acmeOrg(), beta)
	green := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(green.Close)
	if !greenIsUp {
		green.Close()
	}
	dir := t.TempDir()
	cfg := config.Default()
	cfg.Edge.Routes, cfg.Edge.KeyFile = filepath.Join(dir, "routes.yaml"), filepath.Join(dir, "edge.key")
	text := fmt.Sprintf("stacks:\n- {name: blue, pools: [{region: here, upstreams: [{name: b1, url: \"http://127.0.0.1:1\"}]}]}\n"+
		"- {name: green, pools: [{region: here, upstreams: [{name: g1, url: %q}]}]}\n", green.URL)
	if err := os.WriteFile(cfg.Edge.Routes, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if m.desk, err = m.engines.Migration(cfg); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	for i := range m.edges {
		c := &courses{path: cfg.Edge.Routes, log: log, store: m.engines.Store, engines: m.engines}
		e, closeLog, err := newEdge(t.Context(), cfg, c, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = closeLog() })
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- e.Run(ctx) }()
		t.Cleanup(func() { cancel(); <-ended })
		m.edges[i] = c.migration(cfg, e)
	}
	return m
}

func (m *movers) begin() {
	m.t.Helper()
	plan := migration.Plan{To: "green", Window: turnout.Window{Closes: 24 * 60}, Waves: []migration.Wave{{All: true}}}
	if err := m.desk.Plan(m.t.Context(), plan); err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.desk.Start(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
}

func (m *movers) step(edge int) bool {
	m.t.Helper()
	moved, err := m.edges[edge].Step(m.t.Context())
	if err != nil {
		m.t.Error(err)
	}
	return moved
}

// P9: of two edges one moves orgs, to a stack that is up, and operators see that somebody
// looks.
func TestP9OneOfTwoEdgesMovesOrgs(t *testing.T) {
	m := startMovers(t, true)
	if at, err := m.engines.MigrationLooked(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("somebody looked at %v, %v", at, err)
	}
	m.begin()
	tick := time.NewTicker(10 * time.Millisecond) // until the first probe
	defer tick.Stop()
	for !m.step(0) {
		select {
		case <-t.Context().Done():
			t.Fatal("nobody moves")
		case <-tick.C:
		}
	}
	if m.step(1) {
		t.Error("P9: both edges move orgs")
	}
	if !m.step(0) {
		t.Error("P9: the edge that has the turn does not go on")
	}
	if got := m.edges[0].Standing().States[turnout.MoveWaiting]; got != 1 {
		t.Errorf("before the last step %d waited", got)
	}
	if at, err := m.engines.MigrationLooked(t.Context()); err != nil || time.Since(at) > time.Minute {
		t.Errorf("somebody looked at %v, %v", at, err)
	}
	all, err := m.desk.Orgs(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	for _, o := range all {
		if o.Placement.Stack != "green" || o.Move.From != "blue" || o.Move.State != turnout.MoveDone {
			t.Errorf("%s: %+v %+v", o.ID, o.Placement, o.Move)
		}
	}
}

// P9: nobody is moved to a stack that is down, whatever the one is that they are on.
func TestP9NobodyMovesToAStackThatIsDown(t *testing.T) {
	m := startMovers(t, false)
	m.begin()
	for range 3 {
		if m.step(0) || m.step(1) {
			t.Fatal("P9: an org was moved")
		}
	}
	all, err := m.desk.Orgs(t.Context())
	if err != nil || all[0].Move.Obstacle != "no instance of stack green is up" {
		t.Errorf("it says %+v, %v", all[0].Move, err)
	}
	m.step(1)
	if got := m.edges[1].Standing().Hindered; got != 2 {
		t.Errorf("%d are hindered", got)
	}
}

// Without routes, or with those of an edge without a store, nobody plans.
func TestMigrationNeedsRoutes(t *testing.T) {
	e := openEngines(t)
	missing := config.Default()
	missing.Edge.Routes = filepath.Join(t.TempDir(), "routes.yaml")
	apart := config.Default()
	apart.Edge.Routes, apart.Edge.Orgs = missing.Edge.Routes, "routes"
	for want, cfg := range map[string]config.Config{"TURNOUT_EDGE_ROUTES": config.Default(), "no such file": missing, "edge.orgs": apart} {
		if _, err := e.Migration(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
