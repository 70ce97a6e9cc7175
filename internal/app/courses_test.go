package app

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/room"
)

// orgTable is a store as an edge sees it.
type orgTable struct {
	orgs    []turnout.Org
	changes []turnout.Change
	read    int
}

func (f *orgTable) Orgs(context.Context) ([]turnout.Org, error) {
	f.read++
	return f.orgs, nil
}

func (f *orgTable) LastChange(context.Context) (int64, error) { return int64(len(f.changes)), nil }

func (f *orgTable) Changes(_ context.Context, after int64, _ int) ([]turnout.Change, error) {
	return f.changes[after:], nil
}

func (f *orgTable) change(kind turnout.ChangeKind) {
	f.changes = append(f.changes, turnout.Change{Kind: kind, Seq: int64(len(f.changes) + 1)})
}

// followed is an edge that follows a store and a file of two stacks.
func followed(t *testing.T, f *orgTable, change func(*edge.Options)) (*courses, *edge.Edge) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "routes.yaml")
	const text = `stacks:
- {name: blue, pools: [{region: here, upstreams: [{name: b1, url: "http://127.0.0.1:1"}]}]}
- {name: green, pools: [{region: here, upstreams: [{name: g1, url: "http://127.0.0.1:1"}]}]}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &courses{path: path, store: f, log: slog.New(slog.DiscardHandler)}
	table, err := c.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signer, err := affinity.NewSigner(make([]byte, affinity.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	tickets, err := room.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	o := edge.Options{Signer: signer, Tickets: tickets, Connect: connect}
	if change != nil {
		change(&o)
	}
	return c, edge.New(o, table)
}

func stackOf(t *testing.T, e *edge.Edge, org turnout.OrgID) string {
	t.Helper()
	for _, o := range e.Status().Orgs {
		if o.Org == org {
			return o.Stack
		}
	}
	return ""
}

func (f *orgTable) place(org turnout.OrgID, p turnout.Placement) {
	for i := range f.orgs {
		if f.orgs[i].ID == org {
			f.orgs[i].Placement = p
		}
	}
	f.change(turnout.ChangeOrg)
}

// P9: a flag in the store is followed; what an operator went back to stays in
// force until the next change of orgs or routes.
func TestP9TheEdgeFollowsTheStore(t *testing.T) {
	f := &orgTable{orgs: []turnout.Org{{ID: "acme"}}}
	c, e := followed(t, f, nil)
	f.place("acme", turnout.Placement{Stack: "green"})
	if err := c.step(t.Context(), e); err != nil || stackOf(t, e, "acme") != "green" {
		t.Fatalf("%v; it is on %s", err, stackOf(t, e, "acme"))
	}
	e.Back()
	f.change(turnout.ChangeEvent) // somebody publishes
	f.change(turnout.ChangeOrg)   // somebody's keys are rotated
	if err := c.step(t.Context(), e); err != nil || stackOf(t, e, "acme") != "blue" {
		t.Errorf("%v; it is on %s after the way back", err, stackOf(t, e, "acme"))
	}
	f.place("acme", turnout.Placement{Stack: "blue"})
	if err := c.step(t.Context(), e); err != nil || stackOf(t, e, "acme") != "blue" {
		t.Errorf("%v; it is on %s", err, stackOf(t, e, "acme"))
	}
	f.place("acme", turnout.Placement{Stack: "green"})
	if err := c.step(t.Context(), e); err != nil || stackOf(t, e, "acme") != "green" {
		t.Errorf("%v; it is on %s", err, stackOf(t, e, "acme"))
	}
}

// An org's language comes from the store: what the edge says by itself is in it, for
// browsers that like none of ours best.
func TestTheEdgeSpeaksTheOrgsLanguage(t *testing.T) {
	_, e := followed(t, &orgTable{orgs: []turnout.Org{{ID: "acme", Hosts: []string{"acme.example"}, Language: "it-CH"}}}, nil)
	for accepted, want := range map[string]string{"": "it", "tlh": "it", "nl-BE,nl;q=0.9": "nl"} {
		r := httptest.NewRequest(http.MethodGet, "http://acme.example/-/turnout/none", nil)
		r.Header.Set("Accept-Language", accepted)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), `<html lang="`+want+`">`) {
			t.Errorf("for %q it says %d %s", accepted, w.Code, w.Body)
		}
	}
}

// What is published costs an edge nothing: it reads orgs when orgs changed.
func TestEventsAreNoneOfTheEdgesBusiness(t *testing.T) {
	f := &orgTable{orgs: []turnout.Org{{ID: "acme"}}}
	c, e := followed(t, f, nil)
	read := f.read
	for range 10 {
		f.change(turnout.ChangeEvent)
		if err := c.step(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if f.read != read {
		t.Errorf("orgs were read %d times", f.read-read)
	}
}

// P7: one org's fault keeps its own former routes in force, and no other org notices.
func TestP7AnOrgsFaultIsItsOwn(t *testing.T) {
	f := &orgTable{orgs: []turnout.Org{{ID: "acme"}, {ID: "verd", Hosts: []string{"verd.example"}}}}
	c, e := followed(t, f, nil)
	f.orgs = append(f.orgs, turnout.Org{ID: "fresh"}, turnout.Org{ID: "thief", Hosts: []string{"verd.example"}})
	f.place("verd", turnout.Placement{Home: "nowhere"})
	f.place("acme", turnout.Placement{Stack: "green"})
	if err := c.step(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if stackOf(t, e, "acme") != "green" || stackOf(t, e, "fresh") != "blue" || stackOf(t, e, "verd") != "blue" || !e.Knows("verd.example") || stackOf(t, e, "thief") != "" {
		t.Errorf("routed are %+v", e.Status().Orgs)
	}
	again := &courses{path: c.path, store: f, log: c.log} // an edge that starts now
	if _, err := again.read(t.Context()); err != nil {
		t.Errorf("a new edge does not start: %v", err)
	}
}

// What is wrong with routes is told once, and so is that it is mended, though what
// is in force has not changed.
func TestRefusedRoutesAreToldOnce(t *testing.T) {
	c, e := followed(t, &orgTable{}, nil)
	var log bytes.Buffer
	c.log = slog.New(slog.NewTextHandler(&log, nil))
	right, err := os.ReadFile(c.path)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"stacks: []\n", "stacks: []\n", string(right), string(right)} {
		if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Duration(i) * time.Second) // another time, however coarse the disk's clock
		if err := os.Chtimes(c.path, at, at); err != nil {
			t.Fatal(err)
		}
		c.tell(c.step(t.Context(), e))
	}
	refused, again := strings.Count(log.String(), "routes are refused; the old ones stay"), strings.Count(log.String(), "routes are right again")
	if refused != 1 || again != 1 || strings.Count(log.String(), "\n") != 2 {
		t.Errorf("it logs\n%s", &log)
	}
}

var noon = time.Date(2031, 3, 1, 12, 0, 0, 0, time.UTC)

// An instance is reached by TLS where its origin says so, and at its scheme's
// port where it names none.
func TestOriginsOfInstances(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	for origin, want := range map[string]string{s.URL: "certificate", "http://127.0.0.1": "127.0.0.1:80", "https://127.0.0.1": "127.0.0.1:443"} {
		u, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = connect(u).RoundTrip(httptest.NewRequest("GET", "http://x/", nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", origin, err)
		}
	}
}

// Whom a trusted proxy brought by HTTPS is not sent there again.
func TestNoLoopBehindAProxy(t *testing.T) {
	f := &orgTable{orgs: []turnout.Org{{ID: "acme"}}}
	_, e := followed(t, f, func(o *edge.Options) { o.Trusted = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	for remote, want := range map[string]int{"10.0.0.1:1": http.StatusServiceUnavailable, "192.0.2.1:1": http.StatusPermanentRedirect} {
		r := httptest.NewRequest("DELETE", "http://acme.localhost/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		if e.ToHTTPS("443").ServeHTTP(w, r); w.Code != want {
			t.Errorf("from %s it is answered %d, want %d", remote, w.Code, want)
		}
	}
}
