package app

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/simulator"
)

const secret = "hunter2-hunter2-hunter2"

func acmeOrg() turnout.Org {
	return turnout.Org{
		ID: "acme", Name: "Acme", Hosts: []string{"events.acme.example"}, Mapping: "turnout", APIShare: 0.5,
		Salesforce: turnout.Connection{LoginURL: "http://127.0.0.1:1", Flow: "client_credentials", ClientID: "demo"},
		Secrets:    turnout.Secrets{ClientSecret: secret, HookSecrets: []string{"hook-" + secret, "old-" + secret}},
	}
}

func openEngines(t *testing.T) *Engines {
	t.Helper()
	dir := t.TempDir()
	cfg := config.Config{Data: dir, MasterKeyFile: filepath.Join(dir, "master.key")}
	e, err := OpenEngines(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 { // closing twice is fine
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return e
}

func apply(t *testing.T, e *Engines, list ...turnout.Org) {
	t.Helper()
	if err := e.Apply(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

// P8: an org's secrets come back as they were, and rest sealed.
func TestSecretsRestSealed(t *testing.T) {
	e := openEngines(t)
	apply(t, e, acmeOrg())
	hooks, err := e.targets.Secrets(t.Context(), "acme")
	if err != nil || !reflect.DeepEqual(hooks, acmeOrg().Secrets.HookSecrets) {
		t.Errorf("hook secrets %v, %v", hooks, err)
	}
	all, err := e.targets.secrets(t.Context(), "acme")
	if err != nil || !reflect.DeepEqual(all, acmeOrg().Secrets) {
		t.Errorf("secrets %+v, %v", all, err)
	}
	sealed, err := e.Store.OrgSecrets(t.Context(), "acme")
	if err != nil || bytes.Contains(sealed, []byte("hunter2")) {
		t.Errorf("they rest as %q, %v", sealed, err)
	}
	stored, err := e.Store.Orgs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text, _ := json.Marshal(stored); bytes.Contains(text, []byte("hunter2")) {
		t.Errorf("settings hold a secret: %s", text)
	}
}

// P6: one org's sealed secrets open for no other.
func TestSecretsOfAnotherOrg(t *testing.T) {
	e := openEngines(t)
	other := acmeOrg()
	other.ID, other.Hosts = "other", nil
	apply(t, e, acmeOrg(), other)
	sealed, err := e.Store.OrgSecrets(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Store.SetOrg(t.Context(), other, sealed, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.targets.Secrets(t.Context(), "other"); turnout.CodeOf(err) != turnout.CodeInternal {
		t.Errorf("they open: %v", err)
	}
}

func TestUnknownOrg(t *testing.T) {
	e := openEngines(t)
	if _, err := e.targets.org(t.Context(), "nobody"); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Errorf("org: %v", err)
	}
	if _, err := e.targets.Secrets(t.Context(), "nobody"); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Errorf("secrets: %v", err)
	}
	if !e.targets.affords("nobody", time.Now()) || e.targets.share("nobody") != defaultShare || len(e.targets.usage()) != 0 {
		t.Error("an org that was never called has a budget")
	}
}

// A file is applied whole or not at all, and says everything that is wrong.
func TestApplyChecksFirst(t *testing.T) {
	e := openEngines(t)
	apply(t, e, acmeOrg())
	good, thief, lost := acmeOrg(), acmeOrg(), acmeOrg()
	good.Name = "Changed"
	thief.ID, thief.Hosts = "thief", []string{"events.acme.example"}
	lost.ID, lost.Hosts, lost.Mapping = "lost", nil, "nowhere"
	err := e.Apply(t.Context(), []turnout.Org{thief, lost})
	for _, want := range []string{"org thief: host events.acme.example belongs to acme already", "org lost: ", "nowhere"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error %v does not say %q", err, want)
		}
	}
	if err := e.Apply(t.Context(), []turnout.Org{good, lost}); err == nil {
		t.Error("a mapping that does not exist was applied")
	}
	stored, err := e.Store.Orgs(t.Context())
	if err != nil || len(stored) != 1 || stored[0].Name != "Acme" {
		t.Errorf("stored %+v, %v", stored, err)
	}
	// A host may move from one org to another within one file.
	good.Hosts, thief.Hosts = nil, []string{"events.acme.example"}
	apply(t, e, thief, good)
}

// Changed settings are used once the old connection was dropped.
func TestConnectionIsKeptUntilDropped(t *testing.T) {
	e := openEngines(t)
	apply(t, e, acmeOrg())
	first, err := e.targets.org(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	changed := acmeOrg()
	changed.APIShare = 0.25
	apply(t, e, changed)
	if again, err := e.targets.org(t.Context(), "acme"); err != nil || again != first || e.targets.share("acme") != 0.5 {
		t.Errorf("the connection was made anew: %v", err)
	}
	e.targets.drop("acme")
	if again, err := e.targets.org(t.Context(), "acme"); err != nil || again == first || e.targets.share("acme") != 0.25 {
		t.Errorf("share %v, %v", e.targets.share("acme"), err)
	}
}

// meddledOrgs is a store in which something changes right after secrets were read.
type meddledOrgs struct {
	orgStore
	meddle func()
}

func (m *meddledOrgs) OrgSecrets(ctx context.Context, org turnout.OrgID) ([]byte, error) {
	secrets, err := m.orgStore.OrgSecrets(ctx, org)
	if meddle := m.meddle; meddle != nil {
		m.meddle = nil
		meddle()
	}
	return secrets, err
}

// TestOldSettingsAreNotKept: a connection that was being made while an org was applied
// anew is not the one that is used from then on.
func TestOldSettingsAreNotKept(t *testing.T) {
	e := openEngines(t)
	apply(t, e, acmeOrg())
	moved := acmeOrg()
	moved.Salesforce.LoginURL = "http://127.0.0.1:2"
	e.targets.store = &meddledOrgs{orgStore: e.targets.store, meddle: func() {
		apply(t, e, moved)
		e.targets.drop(moved.ID) // as the feed says
	}}
	for range 2 {
		o, err := e.targets.org(t.Context(), moved.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.settings.Salesforce.LoginURL; got != moved.Salesforce.LoginURL {
			t.Errorf("connected to %s", got)
		}
	}
}

// Many ask at once; one connection is made, and what counts its API use is one.
func TestOneConnectionForAll(t *testing.T) {
	e := openEngines(t)
	apply(t, e, acmeOrg())
	var wg sync.WaitGroup
	got := make([]*connected, 16)
	for i := range got {
		wg.Go(func() {
			got[i], _ = e.targets.org(t.Context(), "acme")
			e.targets.usage()
			e.targets.affords("acme", time.Now())
		})
	}
	wg.Wait()
	for _, c := range got {
		if c == nil || c != got[0] {
			t.Fatal("there are two connections")
		}
	}
}

// P4: the org's share of its daily API requests is a bound.
func TestAffords(t *testing.T) {
	s, err := simulator.New(simulator.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	faults, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL+"/_sim/faults", strings.NewReader(`{"daily_limit": 10}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(faults)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	e := openEngines(t)
	o := acmeOrg()
	o.Salesforce.LoginURL, o.Secrets.ClientSecret = server.URL, "demo"
	apply(t, e, o)
	var calls []string
	e.targets.observe = func(org turnout.OrgID, operation string, code turnout.Code, _ time.Duration) {
		calls = append(calls, strings.TrimSpace(string(org)+" "+string(code)))
		if operation == "" {
			t.Error("a call without an operation")
		}
	}
	c, err := e.targets.org(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; e.targets.affords("acme", time.Now()); n++ {
		if _, _, err := c.EventsSince(t.Context(), time.Time{}); err != nil || n == 10 {
			t.Fatalf("usage %+v is still affordable, %v", e.targets.usage(), err)
		}
	}
	if u := e.targets.usage()["acme"]; u.Limit != 10 || float64(u.Used) < 0.5*10 {
		t.Errorf("stopped at %+v", u)
	}
	if len(calls) == 0 || calls[0] != "acme" {
		t.Errorf("observed %v", calls)
	}
}
