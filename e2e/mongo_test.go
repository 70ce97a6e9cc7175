//go:build e2e

package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/cache/mongotest"
)

// With the cache in MongoDB's stand-in, an update shows on every instance, P5.
// When the server is killed, pages of known events and a link known lately go on,
// a registration is taken and delivered (P1, P3), and what is not known says to come
// back. When it is back, so is everything, without a hand.
func TestCacheInMongoDBGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	s, err := mongotest.StartOwn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	d := startDemoWith(t, []string{"TURNOUT_CACHE=" + s.Database("turnout_e2e")})
	id := d.event("shared", 10, nil)
	rename := func(name string) {
		d.salesforce(http.MethodPatch, "/sobjects/Turnout_Event__c/"+id, map[string]any{"Name": name})
		d.sim(http.MethodPost, "/_sim/events/"+id+"/update", "", nil)
	}
	shows := func(name string) bool {
		return d.everywhere("/events/shared", func(r reply) bool { return strings.Contains(r.body, name) })
	}
	rename("Renamed once")
	d.within(soon, "the update on every instance", func() bool { return shows("Renamed once") })
	known, err := url.Parse(d.ready.Links[0])
	if err != nil {
		t.Fatal(err)
	}
	d.within(soon, "a link on every instance", func() bool { return d.served(known.Path) })

	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if !shows("Renamed once") || !d.served(known.Path) {
		t.Error("without the cache, a known event or link is not shown")
	}
	if r, err := d.register("shared", "while-away", nil); err != nil || r.status != http.StatusCreated {
		t.Errorf("P1: a registration is answered %d %s, %v", r.status, r.body, err)
	}
	d.within(60*time.Second, "its delivery", func() bool { return d.arrived(id)["while-away"] != nil })
	if r := d.get("/l/" + strings.Repeat("a", 24)); r.status != http.StatusServiceUnavailable {
		t.Errorf("a link that nobody can look up answers %d", r.status)
	}

	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	rename("Renamed again")
	d.within(90*time.Second, "the update after the cache is back", func() bool { return shows("Renamed again") })
	if r := d.get("/l/" + strings.Repeat("a", 24)); r.status != http.StatusNotFound {
		t.Errorf("a link that is not there answers %d", r.status)
	}
}
