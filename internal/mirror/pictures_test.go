package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// gallery is where pictures come from, and the cache's shelf of them.
type gallery struct {
	mu sync.Mutex
	// at are the names of the pictures at an address; faults are what is wrong there.
	at     map[string]string
	faults map[string]error
	asked  []string
	// slow is how long each takes.
	slow  time.Duration
	files map[string]time.Time
}

func (g *gallery) fetch(_ context.Context, address string) (turnout.Picture, map[string][]byte, error) {
	g.mu.Lock()
	g.asked = append(g.asked, address)
	name, err, slow := g.at[address], g.faults[address], g.slow
	g.mu.Unlock()
	<-time.After(slow)
	p := turnout.Picture{Name: strings.Repeat(name, 32), Width: 960, Height: 480, Widths: []int{480, 960}}
	return p, map[string][]byte{p.File(480): []byte(name), p.File(960): []byte(name)}, err
}

func (g *gallery) PutPicture(_ context.Context, _ turnout.OrgID, name string, _ []byte, at time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files[name] = at
	return nil
}

func (g *gallery) Pictures(context.Context, turnout.OrgID) (map[string]time.Time, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.files), nil
}

func (g *gallery) DeletePicture(_ context.Context, _ turnout.OrgID, name string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.files, name)
	return nil
}

func (g *gallery) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.asked)
}

func (g *gallery) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

// hang runs a mirror with pictures. The event 1 has one.
func hang(t *testing.T) (*house, *salesforce, *gallery, *Mirror) {
	h, s := newHouse(t), newSalesforce()
	g := &gallery{at: map[string]string{"https://example.org/a": "a"}, faults: map[string]error{}, files: map[string]time.Time{}}
	m := h.mirror("a", one(s))
	m.o.Picture, m.o.Pictures = g.fetch, g
	s.pictured("Spring", "https://example.org/a")
	return h, s, g, m
}

// pictured publishes event 1 with a picture.
func (s *salesforce) pictured(title, image string) {
	e := event(1, title)
	e.Image = image
	s.set(turnout.EventCopy{ID: eventID(1), Event: &e, Modified: stamp()})
}

// shown is what event 1 is shown with.
func (h *house) shown() turnout.Event {
	h.t.Helper()
	e, ok := h.cached(eventID(1))
	if !ok {
		return turnout.Event{}
	}
	ring, err := h.keyring().Ring(context.Background(), "acme")
	must(h.t, err)
	plain, err := ring.Open(e.Sealed, "event", string(e.ID))
	must(h.t, err)
	var out turnout.Event
	must(h.t, json.Unmarshal(plain, &out))
	return out
}

// P5: an event is shown before its picture is, however long that takes, and then with it;
// it is told twice and fetched once.
func TestP5PicturesComeAfterTheirEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, g, m := hang(t)
		g.slow = 10 * time.Second
		defer running(t, m)()
		h.pass(5 * time.Second)
		if e := h.shown(); e.Title != "Spring" || e.Picture.Name != "" {
			t.Errorf("at first it is %+v", e)
		}
		h.pass(10 * time.Second)
		if e := h.shown(); e.Picture.Name != strings.Repeat("a", 32) || e.Picture.Width != 960 || h.changes(turnout.ChangeEvent) != 2 {
			t.Errorf("then it is %+v, told %d times", e.Picture, h.changes(turnout.ChangeEvent))
		}
		if files, _ := g.Pictures(t.Context(), "acme"); len(files) != 2 {
			t.Errorf("the cache has %v", files)
		}
		h.pass(10 * time.Minute) // polls that find the same
		if g.count() != 1 || h.shown().Picture.Name == "" || h.changes(turnout.ChangeEvent) > 3 {
			t.Errorf("fetched %d times; it is %+v, told %d times", g.count(), h.shown().Picture, h.changes(turnout.ChangeEvent))
		}
	})
}

// A picture that is replaced shows as before until the new one is there; one of another
// address does not stand for it, and one that is taken away is gone at once.
func TestPicturesFollowTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		defer running(t, m)()
		h.pass(5 * time.Second)
		update := func() {
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
			h.pass(300 * time.Millisecond)
		}
		g.change(func() { g.at["https://example.org/a"], g.slow = "b", 5*time.Second })
		s.pictured("Summer", "https://example.org/a")
		update()
		if e := h.shown(); e.Title != "Summer" || e.Picture.Name != strings.Repeat("a", 32) {
			t.Errorf("with the same address: %q %+v", e.Title, e.Picture)
		}
		h.pass(6 * time.Second)
		if e := h.shown(); e.Picture.Name != strings.Repeat("b", 32) {
			t.Errorf("then %+v", e.Picture)
		}
		g.change(func() { g.at["https://example.org/c"] = "c" })
		s.pictured("Summer", "https://example.org/c")
		update()
		if e := h.shown(); e.Picture.Name != "" {
			t.Errorf("with another address: %+v", e.Picture)
		}
		h.pass(6 * time.Second)
		if e := h.shown(); e.Picture.Name != strings.Repeat("c", 32) {
			t.Errorf("then %+v", e.Picture)
		}
		s.pictured("Summer", "")
		update()
		if e := h.shown(); e.Picture.Name != "" {
			t.Errorf("taken away: %+v", e.Picture)
		}
	})
}

// A picture that is outrun by another version of the event is not shown with it.
func TestPicturesThatComeTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		g.slow = 20 * time.Second
		g.at["https://example.org/b"] = "b"
		defer running(t, m)()
		h.pass(5 * time.Second)
		s.pictured("Spring", "https://example.org/b")
		must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
		h.pass(18 * time.Second) // the first one has come
		if e := h.shown(); e.Picture.Name != "" {
			t.Errorf("it is shown with %+v", e.Picture)
		}
		h.pass(20 * time.Second)
		if e := h.shown(); e.Picture.Name != strings.Repeat("b", 32) {
			t.Errorf("then with %+v", e.Picture)
		}
	})
}

// One that cannot be had leaves the event shown without, says why without its address, and
// is tried again, but not with every poll.
func TestPicturesThatCannotBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, g, m := hang(t)
		g.faults["https://example.org/a"] = errors.New("its server answers 404")
		defer running(t, m)()
		h.pass(30 * time.Second)
		if e := h.shown(); e.Title != "Spring" || e.Picture.Name != "" || e.Picture.Fault != "its server answers 404" {
			t.Errorf("it is %+v", e)
		}
		log := h.log.String()
		if !strings.Contains(log, `why="its server answers 404"`) || strings.Contains(log, "example.org/a") {
			t.Errorf("the log says %s", log)
		}
		told := h.changes(turnout.ChangeEvent)
		h.pass(3 * time.Hour)
		if n := g.count(); n < 3 || n > 8 {
			t.Errorf("it was asked for %d times", n)
		}
		if n := h.changes(turnout.ChangeEvent); n != told {
			t.Errorf("the same fault was told %d times more", n-told)
		}
		g.change(func() { delete(g.faults, "https://example.org/a") })
		h.pass(2 * time.Hour)
		if p := h.shown().Picture; p.Name == "" || p.Fault != "" {
			t.Errorf("it is %+v since it can be had", p)
		}
	})
}

// rewrite writes event 1 into the cache as somebody else does, changed.
func (h *house) rewrite(change func(*turnout.Event)) {
	h.t.Helper()
	e := h.shown()
	change(&e)
	ring, err := h.keyring().Ring(context.Background(), "acme")
	must(h.t, err)
	plain, err := json.Marshal(e)
	must(h.t, err)
	cached, _ := h.cached(eventID(1))
	must(h.t, h.PutEvent(context.Background(), "acme", eventID(1), e.Slug, ring.Seal(plain, "event", string(eventID(1))), cached.Modified))
}

// A program of an older version that writes the event without its picture takes it away until
// the next pass that looks at the event: a poll after a change, the sweep otherwise.
func TestPicturesComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _, m := hang(t)
		defer running(t, m)()
		h.pass(5 * time.Second)
		for _, within := range []time.Duration{70 * time.Second, 2 * time.Hour} {
			h.rewrite(func(e *turnout.Event) { e.Picture = turnout.Picture{} })
			h.pass(within)
			if h.shown().Picture.Name == "" {
				t.Errorf("it is not back after %v", within)
			}
			h.pass(10 * time.Minute)
		}
	})
}

// A picture that was to be replaced and could not be is replaced as soon as it can, also by
// a process that was started since.
func TestPicturesAreReplacedInTheEnd(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h, s, g, m := hang(t)
			stop := running(t, m)
			h.pass(5 * time.Second)
			g.change(func() {
				g.at["https://example.org/a"], g.faults["https://example.org/a"] = "b", errors.New("its server answers 502")
			})
			s.pictured("Summer", "https://example.org/a")
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
			h.pass(5 * time.Second)
			if e := h.shown(); e.Title != "Summer" || e.Picture.Name != strings.Repeat("a", 32) {
				t.Errorf("meanwhile it is %q with %+v", e.Title, e.Picture)
			}
			g.change(func() { delete(g.faults, "https://example.org/a") })
			if restarted {
				stop()
				m = h.mirror("b", one(s))
				m.o.Picture, m.o.Pictures = g.fetch, g
				stop = running(t, m)
			}
			defer stop()
			h.pass(70 * time.Minute)
			if e := h.shown(); e.Picture.Name != strings.Repeat("b", 32) {
				t.Errorf("restarted %t: in the end it is %+v", restarted, e.Picture)
			}
		})
	}
}

// Many pictures come one after the other, none is lost, and one server that does not answer
// holds up no other.
func TestManyPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		g.at["https://slow.example.org/"] = "f"
		m.o.Picture = func(ctx context.Context, address string) (turnout.Picture, map[string][]byte, error) {
			if strings.HasPrefix(address, "https://slow") {
				<-time.After(20 * time.Second)
				return turnout.Picture{}, nil, errors.New("its server does not answer in time")
			}
			return g.fetch(ctx, "https://example.org/a")
		}
		const many = 300
		for n := 2; n < many; n++ {
			e := event(n, "Many")
			e.Image = "https://example.org/a"
			if n%50 == 0 {
				e.Image = "https://slow.example.org/"
			}
			s.set(turnout.EventCopy{ID: eventID(n), Event: &e, Modified: stamp()})
		}
		defer running(t, m)()
		h.pass(3 * time.Minute)
		without := 0
		for n := 1; n < many; n++ {
			cached, _ := h.cached(eventID(n))
			e, err := m.org("acme").cachedEvent(t.Context(), cached.Sealed, cached.ID)
			must(t, err)
			if e.Picture.Name == "" {
				without++
			}
		}
		if without != 5 { // of the slow server
			t.Errorf("%d of %d have none", without, many)
		}
	})
}

// A picture that the cache has lost is fetched again by the sweep, and the event is not told
// of anew.
func TestLostPicturesAreFetchedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		defer running(t, m)()
		h.pass(5 * time.Minute)
		told := h.changes(turnout.ChangeEvent)
		g.change(func() { clear(g.files) })
		h.pass(70 * time.Minute)
		if files, _ := g.Pictures(t.Context(), "acme"); len(files) != 2 || h.changes(turnout.ChangeEvent) != told {
			t.Errorf("the cache has %v; it was told %d times, then %d", files, told, h.changes(turnout.ChangeEvent))
		}
		s.pictured("Summer", "https://example.org/a") // and the same picture
		must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
		h.pass(10 * time.Second)
		if e := h.shown(); e.Title != "Summer" || e.Picture.Name == "" || h.changes(turnout.ChangeEvent) != told+1 {
			t.Errorf("what looks the same is told of: %d times, then %d", told, h.changes(turnout.ChangeEvent))
		}
	})
}

// The newest of two versions with one address, and of two addresses with one time, is shown.
func TestTheNewestPictureIsShown(t *testing.T) {
	for _, same := range []string{"address", "time"} {
		synctest.Test(t, func(t *testing.T) {
			h, s, g, m := hang(t)
			g.slow, g.at["https://example.org/b"] = 20*time.Second, "b"
			defer running(t, m)()
			h.pass(5 * time.Second)
			e := event(1, "Spring")
			e.Image = "https://example.org/a"
			c := turnout.EventCopy{ID: eventID(1), Event: &e, Modified: stamp()}
			if same == "time" {
				cached, _ := h.cached(eventID(1))
				e.Image, c.Modified = "https://example.org/b", cached.Modified
			}
			s.set(c)
			must(t, m.Hint(t.Context(), "acme", "event.updated", []string{string(eventID(1))}))
			h.pass(time.Second)
			told := h.changes(turnout.ChangeEvent)
			h.pass(17 * time.Second) // what was wished first has come
			if got := h.shown().Picture; !got.IsZero() || h.changes(turnout.ChangeEvent) != told {
				t.Errorf("with the same %s: what was outrun is shown, %+v, or told of", same, got)
			}
			h.pass(30 * time.Second)
			if got := h.shown().Picture; got.IsZero() || got.Of != (wish{eventID(1), e.Image, c.Modified}).of() {
				t.Errorf("with the same %s: in the end %+v", same, got)
			}
		})
	}
}

// Pictures that no event shows are removed after a day, and no others.
func TestOldPicturesAreRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s, g, m := hang(t)
		g.at["https://example.org/b"] = "b"
		defer running(t, m)()
		h.pass(72 * time.Hour)
		s.pictured("Spring", "https://example.org/b")
		h.pass(20 * time.Hour)
		if files, _ := g.Pictures(t.Context(), "acme"); len(files) != 4 {
			t.Errorf("after hours there are %v", files)
		}
		h.pass(6 * time.Hour)
		files, _ := g.Pictures(t.Context(), "acme")
		p := h.shown().Picture
		if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, []string{p.File(480), p.File(960)}) || p.Name != strings.Repeat("b", 32) {
			t.Errorf("after a day there are %v", got)
		}
	})
}

// Without a way to fetch them, events have no pictures, and nothing is asked for.
func TestWithoutPictures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, g, m := hang(t)
		m.o.Picture = nil
		defer running(t, m)()
		h.pass(2 * time.Hour)
		if e := h.shown(); e.Title != "Spring" || e.Picture.Name != "" || g.count() != 0 {
			t.Errorf("it is %+v, after %d", e, g.count())
		}
	})
}
