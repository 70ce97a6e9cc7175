package catalog

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// running loads and runs catalogs for the rest of the bubble; the result ends them.
func running(t *testing.T, catalogs ...*Catalog) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	for _, c := range catalogs {
		if err := c.Load(ctx); err != nil {
			t.Fatal(err)
		}
		go c.Run(ctx)
	}
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

// pass lets time pass; nothing sleeps inside a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func html(c *Catalog, org turnout.OrgID, slug string) string {
	if e, ok := c.Event(org, slug); ok {
		return string(e.Page.HTML)
	}
	return ""
}

// TestP5EveryInstanceShowsAChangeWithinASecond publishes, updates and
// unpublishes under two catalogs.
func TestP5EveryInstanceShowsAChangeWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		one, _ := newCatalog(w)
		two, _ := newCatalog(w)
		defer running(t, one, two)()
		steps := []struct {
			do   func()
			want string
		}{
			{func() { w.publish("acme", event(1, "Spring")) }, "Spring"},
			{func() { w.publish("acme", event(1, "Summer")) }, "Summer"},
			{func() { w.unpublish("acme", event(1, "").ID) }, ""},
		}
		for i, step := range steps {
			step.do()
			pass(999 * time.Millisecond)
			for n, c := range []*Catalog{one, two} {
				got := html(c, "acme", "event-1")
				list, entries := c.List("acme")
				if step.want == "" && (got != "" || len(entries) != 0 || len(list.HTML) != 0) || !strings.Contains(got, step.want) || !strings.Contains(string(list.HTML), step.want) {
					t.Errorf("step %d: catalog %d shows %q and lists %q, want %q", i, n, got, list.HTML, step.want)
				}
			}
		}
	})
}

// TestNoChangeIsMissedWhileLoading publishes after the cache was read and
// before loading is done.
func TestNoChangeIsMissedWhileLoading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, _ := newCatalog(w)
		c.o.Cache = &lateEvents{world: w}
		defer running(t, c)()
		if got := html(c, "acme", "event-1"); got != "" {
			t.Fatalf("it was read already: %q", got)
		}
		pass(time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "While loading") {
			t.Errorf("shows %q", got)
		}
	})
}

// lateEvents publishes an event just after all were read.
type lateEvents struct {
	*world
	done bool
}

func (l *lateEvents) Events(ctx context.Context, org turnout.OrgID) ([]SealedEvent, error) {
	events, err := l.world.Events(ctx, org)
	if org == "acme" && !l.done {
		l.done = true
		l.publish("acme", event(1, "While loading"))
	}
	return events, err
}

func TestChangesAreCoalesced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, r := newCatalog(w)
		defer running(t, c)()
		for range 100 {
			w.publish("acme", event(1, "Spring"))
		}
		pass(time.Second)
		if w.eventReads != 1 || r.times(event(1, "").ID) != 1 {
			t.Errorf("100 changes in one look: %d reads, %d renderings; want one each", w.eventReads, r.times(event(1, "").ID))
		}
	})
}

func TestPrunedFeedReloadsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put("acme", event(1, "Old"))
		c, _ := newCatalog(w)
		defer running(t, c)()
		w.put("acme", event(1, "New"))
		w.change(turnout.ChangeEvent, "acme", string(event(1, "").ID))
		w.mu.Lock()
		w.pruned = 1
		w.mu.Unlock()
		pass(time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "New") {
			t.Errorf("after a pruned feed: %q", got)
		}
		w.put("acme", event(1, "Restored"))
		w.mu.Lock()
		w.feed = nil // the store came from a backup
		w.mu.Unlock()
		pass(time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "Restored") {
			t.Errorf("after a feed that went back: %q", got)
		}
	})
}

// An org's list is drawn anew with the org, though it has no event: its name and its
// language are on it.
func TestTheListOfAnOrgWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, r := newCatalog(w)
		defer running(t, c)()
		pass(time.Second)
		before := r.listed()
		w.change(turnout.ChangeOrg, "acme", "")
		pass(time.Second)
		if r.listed() == before {
			t.Error("it is the old one")
		}
	})
}

// What is withdrawn is on no page, and still known to whoever writes its registrations.
func TestAWithdrawnEventIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put("acme", event(1, "Spring"))
		c, _ := newCatalog(w)
		defer running(t, c)()
		id := event(1, "").ID
		if e := c.LastKnown("acme", id); e == nil || e.Title != "Spring" {
			t.Fatalf("published: %v", e)
		}
		w.unpublish("acme", id)
		pass(time.Second)
		if _, ok := c.EventByID("acme", id); ok {
			t.Error("P5: it is still shown")
		}
		if e := c.LastKnown("acme", id); e == nil || e.Title != "Spring" {
			t.Errorf("withdrawn: %v", e)
		}
		if e := c.LastKnown("other", id); e != nil {
			t.Errorf("another org knows %v", e)
		}
		w.publish("acme", event(1, "Summer"))
		pass(time.Second)
		if e := c.LastKnown("acme", id); e == nil || e.Title != "Summer" {
			t.Errorf("published again: %v", e)
		}
	})
}

// TestFailedReloadKeepsWhatIsShown serves stale and tries again.
func TestFailedReloadKeepsWhatIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put("acme", event(1, "Spring"))
		w.put("acme", event(2, "Other"))
		c, r := newCatalog(w)
		defer running(t, c)()

		w.mu.Lock()
		w.down = true
		w.mu.Unlock()
		w.publish("acme", event(1, "Summer"))
		w.change(turnout.ChangeOrg, "acme", "")
		pass(time.Minute)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "Spring") {
			t.Errorf("with the cache away: %q", got)
		}
		w.mu.Lock()
		w.down = false
		w.mu.Unlock()
		pass(maxWait + time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "Summer") {
			t.Errorf("with the cache back: %q", got)
		}

		r.mu.Lock()
		r.fail = event(1, "").ID
		r.mu.Unlock()
		w.publish("acme", event(1, "Autumn"))
		w.publish("acme", event(2, "Another"))
		pass(time.Second)
		if one, two := html(c, "acme", "event-1"), html(c, "acme", "event-2"); !strings.Contains(one, "Summer") || !strings.Contains(two, "Another") {
			t.Errorf("where one does not draw: %q and %q", one, two)
		}
	})
}

func TestSeatsAreShownWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put("acme", event(1, "Spring"))
		w.put("acme", event(2, "Other"))
		w.setFree("acme", event(1, "").ID, 7)
		c, r := newCatalog(w)
		defer running(t, c)()
		pass(10 * time.Second)
		if n := r.times(event(1, "").ID); n != 1 {
			t.Errorf("drawn %d times while nothing changed", n)
		}
		w.setFree("acme", event(1, "").ID, 6)
		pass(2 * time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "free=6") {
			t.Errorf("shows %q", got)
		}
		if n := r.times(event(2, "").ID); n != 1 {
			t.Errorf("the other event was drawn %d times", n)
		}
		if e, _ := c.EventByID("acme", event(1, "").ID); e.Seats[turnout.PoolEvent].Limit != 6 {
			t.Errorf("entry has seats %v", e.Seats)
		}
		if list, _ := c.List("acme"); !strings.Contains(string(list.HTML), "[Spring free=6 ") {
			t.Errorf("lists %q", list.HTML)
		}
	})
}

// TestRenderingIsBounded changes the seats of many events at once.
func TestRenderingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const events = 100
		for n := range events {
			w.put("acme", event(n, "E"))
			w.setFree("acme", event(n, "").ID, 5)
		}
		c, r := newCatalog(w)
		c.o.Renders = 30
		defer running(t, c)()
		pass(100 * time.Millisecond)
		for n := range events {
			w.setFree("acme", event(n, "").ID, 4)
		}
		total := func() (n int) {
			for i := range events {
				n += r.times(event(i, "").ID)
			}
			return n
		}
		for second := 1; second <= 5; second++ {
			pass(time.Second)
			if want := events + min(events, 30*second); total() != want {
				t.Errorf("after %d s: %d renderings, want %d", second, total(), want)
			}
		}
	})
}

func TestPhasesPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		e := event(1, "Spring")
		e.Opens, e.Closes = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		e.Starts, e.Ends = time.Now().Add(3*time.Hour), time.Now().Add(4*time.Hour)
		w.put("acme", e)
		c, r := newCatalog(w)
		defer running(t, c)()
		pass(30 * time.Minute)
		for _, phase := range []turnout.Phase{turnout.PhaseUpcoming, turnout.PhaseOpen, turnout.PhaseClosed, turnout.PhaseClosed, turnout.PhaseOver} {
			if got := html(c, "acme", "event-1"); !strings.HasSuffix(got, fmt.Sprint("phase=", int(phase))) {
				t.Errorf("shows %q, want phase %d", got, phase)
			}
			list, entries := c.List("acme")
			if over := phase == turnout.PhaseOver; over != (len(entries) == 0) || over != (len(list.HTML) == 0) {
				t.Errorf("in phase %d it lists %d events: %q", phase, len(entries), list.HTML)
			} else if !over && !strings.HasSuffix(string(list.HTML), fmt.Sprintf("phase=%d]", phase)) {
				t.Errorf("in phase %d it lists %q", phase, list.HTML)
			}
			pass(time.Hour)
		}
		if n := r.times(e.ID); n != 4 {
			t.Errorf("drawn %d times for four phases", n)
		}
	})
}

func TestListAndLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		late, early, private := event(5, "Late"), event(1, "Early"), event(3, "Private")
		private.Private = true
		double := event(9, "Double")
		double.Slug = early.Slug
		for _, e := range []turnout.Event{late, early, private, double} {
			w.put("acme", e)
		}
		w.put("birch", event(1, "Birch's"))
		c, _ := newCatalog(w)
		defer running(t, c)()
		list, entries := c.List("acme")
		if titles := regexp.MustCompile(` free=-?\d+ phase=\d`).ReplaceAllString(string(list.HTML), ""); titles != "[Early][Late][Double]" || len(entries) != 3 {
			t.Errorf("lists %q", list.HTML)
		}
		if got := html(c, "acme", "event-3"); !strings.Contains(got, "Private") {
			t.Errorf("the private event shows %q", got)
		}
		if got := html(c, "acme", early.Slug); !strings.Contains(got, "Early") {
			t.Errorf("of two with one slug it shows %q, want the first by id", got)
		}
		if e, ok := c.EventByID("birch", late.ID); ok {
			t.Errorf("birch has acme's %v", e.Event.ID)
		}
		for _, org := range []turnout.OrgID{"birch", "nobody"} {
			if _, ok := c.Event(org, "event-5"); ok {
				t.Errorf("%s has acme's event", org)
			}
		}
	})
}

func TestHosts(t *testing.T) {
	d, clashes := newDirectory([]turnout.Org{
		{ID: "birch", Hosts: []string{"acme.localhost", "shared.example.org", "birch.example.org"}},
		{ID: "acme", Hosts: []string{"Events.Example.com", "shared.example.org"}},
	}, nil)
	c := New(Options{})
	c.now.Store(d)
	for host, want := range map[string]turnout.OrgID{
		"events.example.com": "acme", "EVENTS.example.COM": "acme", "events.example.com.": "acme", "acme.localhost": "acme",
		"birch.localhost": "birch", "birch.example.org": "birch", "shared.example.org": "acme", "example.com": "", "": "", "evil.events.example.com": "",
	} {
		org, ok := c.Org(host)
		if ok != (want != "") || ok && org.ID != want {
			t.Errorf("host %q is %v, want %q", host, org, want)
		}
	}
	want := []clash{{"acme.localhost", "acme", "birch"}, {"shared.example.org", "acme", "birch"}}
	if !reflect.DeepEqual(clashes, want) {
		t.Errorf("clashes %v, want %v", clashes, want)
	}
}

// TestOrgChanges adds, renames and removes orgs while running.
func TestOrgChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put("acme", event(1, "Spring"))
		c, _ := newCatalog(w)
		var heard []turnout.Change
		c.Follow(func(_ context.Context, n News) { heard = append(heard, n.Changes...) })
		defer running(t, c)()
		w.mu.Lock()
		w.orgs = []turnout.Org{{ID: "acme", Name: "Renamed"}, {ID: "cedar"}}
		w.events["cedar"] = map[turnout.EventID]SealedEvent{}
		w.mu.Unlock()
		w.put("cedar", event(2, "Cedar's"))
		for _, org := range []turnout.OrgID{"acme", "birch", "cedar"} {
			w.change(turnout.ChangeOrg, org, "")
		}
		pass(time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "Renamed") {
			t.Errorf("acme shows %q", got)
		}
		if got := html(c, "cedar", "event-2"); got == "" {
			t.Error("the new org shows nothing")
		}
		if _, ok := c.Org("birch.localhost"); ok {
			t.Error("a removed org still has its host")
		}
		if len(heard) != 3 {
			t.Errorf("the other subscriber heard %v", heard)
		}
	})
}

// TestRotatedOrgKey publishes under an org key that this process has not read.
func TestRotatedOrgKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, shelf, line := newWorld(t), &keyShelf{}, seal.NewMasterLine()
		open := func() *seal.Keyring {
			return seal.NewKeyring(shelf, func() (seal.Master, error) { return seal.ParseMaster(line) })
		}
		mirror, own := open(), open()
		w.keyring = mirror
		w.put("acme", event(1, "Spring"))
		c := New(Options{Orgs: w, Cache: w, Seats: w, Feed: w, Keyring: own, Renderer: &renderer{now: time.Now, drawn: map[turnout.EventID]int{}}})
		defer running(t, c)()
		if _, err := mirror.Rotate(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		w.publish("acme", event(1, "Rotated"))
		pass(time.Second)
		if got := html(c, "acme", "event-1"); !strings.Contains(got, "Rotated") {
			t.Errorf("shows %q", got)
		}
	})
}
