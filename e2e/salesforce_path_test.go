//go:build e2e

package e2e

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// P4: a trickle goes out in batches of at most five, none later than ten
// seconds after its oldest (plus the call itself); a thousand that wait go out
// in at most ten calls; one call at a time under a parent.
func TestP4Batches(t *testing.T) {
	d := startDemo(t)
	id := d.event("trickle", -1, nil)
	d.sim(http.MethodDelete, "/_sim/stats", "", nil)
	sent := map[string]time.Time{}
	seen := map[string]time.Duration{}
	look := func() {
		for key := range d.arrived(id) {
			if _, ok := seen[key]; !ok {
				seen[key] = time.Since(sent[key])
			}
		}
	}
	for i := range 24 {
		key := fmt.Sprintf("trickle-%d", i)
		sent[key] = time.Now()
		if r, err := d.register("trickle", key, nil); err != nil || r.status != http.StatusCreated {
			t.Fatalf("%d %s %v", r.status, r.body, err)
		}
		pass(700 * time.Millisecond)
		look()
	}
	d.within(15*time.Second, "the trickle in Salesforce", func() bool { look(); return len(seen) == 24 })
	for key, wait := range seen {
		if wait > 12*time.Second {
			t.Errorf("P4: %s took %v", key, wait)
		}
	}
	for _, b := range d.stats().Batches["collections_upsert"] {
		if b.Size > 5 {
			t.Errorf("P4: %d batches of %d in a trickle", b.Count, b.Size)
		}
	}

	backlog := d.event("backlog", -1, nil)
	d.sim(http.MethodPut, "/_sim/faults", `{"outage_seconds": 3600}`, nil)
	var acknowledged sync.Map
	var clients sync.WaitGroup
	for c := range 20 {
		clients.Go(func() {
			for i := range 50 {
				key := fmt.Sprintf("backlog-%d-%d", c, i)
				if r, err := d.register("backlog", key, nil); err == nil && r.status == http.StatusCreated {
					acknowledged.Store(key, true)
				}
			}
		})
	}
	clients.Wait()
	d.sim(http.MethodDelete, "/_sim/stats", "", nil)
	d.sim(http.MethodPut, "/_sim/faults", `{"latency_ms": 150}`, nil)
	d.allArrive(backlog, "backlog", &acknowledged, 1000)
	s := d.stats()
	if n := s.Calls["collections_upsert"]; n > 10 {
		t.Errorf("P4: %d calls for 1,000 that waited: %v", n, s.Batches)
	}
	if s.MaxInFlight != 1 {
		t.Errorf("P4: %d calls at once under one parent", s.MaxInFlight)
	}
}

// P3: no visitor's request causes a Salesforce call: not a hard refresh, not
// an unknown link, not 10,000 random tokens.
func TestP3VisitorsCauseNoCalls(t *testing.T) {
	t.Parallel()
	d := withoutPolls(t)
	slug := d.ready.Events[0]
	d.sim(http.MethodDelete, "/_sim/stats", "", nil)
	for range 50 {
		r, err := d.do(http.MethodGet, d.ready.Public+"/events/"+slug, "", "", "Cache-Control", "no-cache", "Pragma", "no-cache")
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("hard refresh: %d %v", r.status, err)
		}
	}
	if r := d.get("/events/no-such-event"); r.status != http.StatusNotFound {
		t.Errorf("unknown event: %d", r.status)
	}
	for _, link := range d.ready.Links[:20] {
		if r := d.get(link); r.status != http.StatusOK {
			t.Errorf("a link: %d", r.status)
		}
	}
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for range 500 {
				r, err := d.do(http.MethodGet, d.ready.Public+"/l/"+rand.Text(), "", "")
				if err != nil || r.status != http.StatusNotFound {
					t.Errorf("unknown link: %d %v", r.status, err)
					return
				}
			}
		})
	}
	clients.Wait()
	if s := d.stats(); s.calls() != 0 {
		t.Errorf("P3: %d calls while visitors came: %v", s.calls(), s.Calls)
	}
}

// withoutPolls starts a demo of which the mirror, after its first pass, rests
// for longer than a test: what it does then, a hook or a visitor has caused.
func withoutPolls(t *testing.T) *demo {
	t.Helper()
	d := startDemoWith(t, []string{"TURNOUT_MIRROR_EVERY=10m"})
	d.within(time.Minute, "the first passes", d.wasRead)
	pass(2 * time.Second) // what they began ends
	return d
}

// wasRead reports whether every kind of pass has been through for every org.
func (d *demo) wasRead() bool {
	var all struct {
		Orgs []struct {
			Mirror progress `json:"mirror"`
		} `json:"orgs"`
	}
	r := d.get(strings.TrimSuffix(d.ready.Console, "/console/") + "/admin/v1/orgs")
	if json.Unmarshal([]byte(r.body), &all) != nil || len(all.Orgs) < 2 {
		return false
	}
	for _, o := range all.Orgs {
		for _, what := range []string{"events", "links", "registrations"} {
			if o.Mirror.Reads[what].IsZero() {
				return false
			}
		}
	}
	return true
}

// soon is how long a test waits for what takes a second at most: the second,
// and two for a machine that is busy with other things.
const soon = 3 * time.Second

// P5: Publish, Update and Unpublish in Salesforce are seen on every instance
// within a second, by the hook alone; without one nothing changes.
func TestP5PublishUpdateUnpublish(t *testing.T) {
	t.Parallel()
	d := withoutPolls(t)
	id := d.event("fresh", 10, nil)
	renamed := func(page string) bool { return strings.Contains(page, "Renamed by the organiser") }
	d.salesforce(http.MethodPatch, "/sobjects/Turnout_Event__c/"+id, map[string]any{"Name": "Renamed by the organiser"})
	pass(time.Second)
	if renamed(d.get("/events/fresh").body) {
		t.Error("P5: a change is shown before the button was pressed")
	}
	begin := time.Now()
	d.sim(http.MethodPost, "/_sim/events/"+id+"/update", "", nil)
	d.within(soon, "the update on every instance", func() bool {
		return d.everywhere("/events/fresh", func(r reply) bool { return renamed(r.body) })
	})
	t.Logf("an update was seen on every instance after %v", time.Since(begin).Round(time.Millisecond))
	d.sim(http.MethodPost, "/_sim/events/"+id+"/unpublish", "", nil)
	d.within(soon, "the event is gone on every instance", func() bool {
		return d.everywhere("/events/fresh", func(r reply) bool { return r.status == http.StatusNotFound })
	})
	d.sim(http.MethodPost, "/_sim/events/"+id+"/publish", "", nil)
	d.within(soon, "the event is back on every instance", func() bool { return d.served("/events/fresh") })
}

// P5: what a lost hook told of is seen within a minute: the poll's time, and ten
// seconds for the poll itself on a busy machine.
func TestP5LostHookHeals(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("lost", 10, nil)
	d.salesforce(http.MethodPatch, "/sobjects/Turnout_Event__c/"+id, map[string]any{"Name": "Nobody told of this"})
	begin := time.Now()
	d.within(70*time.Second, "a change whose hook was lost", func() bool {
		return d.everywhere("/events/lost", func(r reply) bool { return strings.Contains(r.body, "Nobody told of this") })
	})
	t.Logf("a change without a hook was seen after %v", time.Since(begin).Round(time.Second))
}

// P5: a hook with a wrong or expired signature is refused and causes no query.
func TestP5ForgedHooks(t *testing.T) {
	t.Parallel()
	d := withoutPolls(t)
	id := d.event("forged", 10, nil)
	d.salesforce(http.MethodPatch, "/sobjects/Turnout_Event__c/"+id, map[string]any{"Name": "Changed since"})
	body := `{"type":"event.updated","ids":["` + id + `"]}`
	d.sim(http.MethodDelete, "/_sim/stats", "", nil)
	for name, signature := range map[string]string{
		"none": "", "odd": "x", "wrong": fmt.Sprintf("t=%d,v1=%064x", time.Now().Unix(), 1),
		"old": d.sign(body, time.Now().Add(-6*time.Minute)), "of the future": d.sign(body, time.Now().Add(6*time.Minute)),
		"of another body": d.sign(body+" ", time.Now()), "of another time": fmt.Sprintf("t=%d%s", time.Now().Unix()-1, d.sign(body, time.Now())[len("t=1234567890"):]),
	} {
		r, err := d.do(http.MethodPost, d.ready.Public+"/hooks/salesforce", "application/json", body, "Turnout-Signature", signature)
		if err != nil || r.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %v", name, r.status, err)
		}
	}
	pass(soon)
	if s := d.stats(); s.calls() != 0 {
		t.Errorf("P5: forged hooks caused %d calls: %v", s.calls(), s.Calls)
	}
	if r := d.hook("event.updated", id); r.status != http.StatusAccepted {
		t.Fatalf("a good one: %d", r.status)
	}
	d.within(soon, "what the good one told of", func() bool { return strings.Contains(d.get("/events/forged").body, "Changed since") })
	if d.stats().calls() == 0 {
		t.Error("a good hook caused no call, so that counting calls says nothing")
	}
}

// sign is a hook's signature as the sample org makes it at a time.
func (d *demo) sign(body string, at time.Time) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(d.ready.HookSecret))
	mac.Write([]byte(stamp + "." + body))
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// hook sends what a button or a flow in Salesforce sends.
func (d *demo) hook(kind string, ids ...string) reply {
	d.t.Helper()
	body, _ := json.Marshal(map[string]any{"type": kind, "ids": ids})
	r, err := d.do(http.MethodPost, d.ready.Public+"/hooks/salesforce", "application/json", string(body), "Turnout-Signature", d.sign(string(body), time.Now()))
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// P5: a hook that any instance took is refused by all of them when it comes again.
func TestP5ReplayedHooks(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	body := `{"type":"event.updated","ids":["a00000000000001AAA"]}`
	signature := d.sign(body, time.Now())
	for i, want := range []int{http.StatusAccepted, http.StatusUnauthorized, http.StatusUnauthorized, http.StatusUnauthorized} {
		r, err := d.do(http.MethodPost, d.ready.Public+"/hooks/salesforce", "application/json", body, "Turnout-Signature", signature)
		if err != nil || r.status != want {
			t.Errorf("time %d: %d %s %v, want %d", i+1, r.status, r.body, err, want)
		}
	}
}
