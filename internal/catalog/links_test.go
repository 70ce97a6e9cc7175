package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

func (w *world) Link(ctx context.Context, org turnout.OrgID, id turnout.LinkID) (turnout.AttendeeLink, error) {
	w.mu.Lock()
	w.linkReads++
	hold := w.hold
	l, ok := w.links[spot{org, id}]
	w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if !ok {
		return l, &turnout.Error{Code: turnout.CodeNotFound}
	}
	return l, nil
}

func (w *world) DataKey(_ context.Context, _ turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys[person] == nil {
		return turnout.DataKey{}, &turnout.Error{Code: turnout.CodeForgotten}
	}
	return turnout.DataKey{Person: person, Wrapped: w.keys[person]}, nil
}

// invite caches a link as the mirror does, and returns where it rests.
func (w *world) invite(org turnout.OrgID, token string, p turnout.Person, event turnout.EventID) spot {
	w.t.Helper()
	ring, err := w.keyring.Ring(context.Background(), string(org))
	if err != nil {
		w.t.Fatal(err)
	}
	person := turnout.PersonID(ring.Index(turnout.FoldEmail(p.Email)))
	id := turnout.LinkID(ring.MAC("link", token)[:16])
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.keys[person] == nil {
		_, w.keys[person], _ = ring.NewDataKey(person)
	}
	key, err := ring.DataKey(person, w.keys[person])
	if err != nil {
		w.t.Fatal(err)
	}
	plain, _ := json.Marshal(turnout.Invite{Person: p})
	at := spot{org, id}
	w.links[at] = turnout.AttendeeLink{ID: id, Org: org, Event: event, Person: person, Sealed: key.Seal(plain, "link", string(id[:]))}
	return at
}

func person(n int) turnout.Person {
	return turnout.Person{Email: fmt.Sprintf("visitor%d@example.com", n), FirstName: "Visitor", LastName: fmt.Sprint("Number ", n), Company: "Example Ltd"}
}

func (w *world) read() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.linkReads
}

func newLinks(w *world) *Links {
	return NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring})
}

func wantCode(t *testing.T, err error, code turnout.Code) {
	t.Helper()
	if turnout.CodeOf(err) != code {
		t.Errorf("got %v, want code %q", err, code)
	}
}

func TestOpenLink(t *testing.T) {
	w := newWorld(t)
	w.invite("acme", "token-one", person(1), "a0E1")
	l := newLinks(w)
	for range 3 {
		link, err := l.Open(t.Context(), "acme", "token-one")
		if err != nil || link.Invite.Person != person(1) || link.Event != "a0E1" {
			t.Fatalf("got %+v, %v", link, err)
		}
	}
	if w.read() != 1 {
		t.Errorf("three clicks read the cache %d times", w.read())
	}
	_, err := l.Open(t.Context(), "birch", "token-one") // another org's token means nothing
	wantCode(t, err, turnout.CodeNotFound)
	if s := l.Stats(); s.Hits != 2 || s.Misses != 2 || s.Unknown != 1 || s.Kept != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestP3UnknownTokensAreBounded: a flood of made-up tokens costs memory that
// is bounded, and nothing else.
func TestP3UnknownTokensAreBounded(t *testing.T) {
	w := newWorld(t)
	l := newLinks(w)
	for i := range 30_000 {
		_, err := l.Open(t.Context(), "acme", fmt.Sprintf("made-up-%d", i))
		wantCode(t, err, turnout.CodeNotFound)
	}
	if n := len(l.unknown.until); n > maxUnknown {
		t.Errorf("%d unknown links are remembered", n)
	}
	if n := l.Stats().Unknown; n != 30_000 {
		t.Errorf("%d were counted", n)
	}
	for _, token := range []string{"", "short", strings.Repeat("x", 129), "with space", "../../etc/passwd", "ümlaut-token"} {
		_, err := l.Open(t.Context(), "acme", token)
		wantCode(t, err, turnout.CodeNotFound)
	}
}

// TestUnknownIsRememberedAndHealed: one read per unknown link and five
// seconds, until the feed says that links came in.
func TestUnknownIsRememberedAndHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := newLinks(w)
		open := func() error { _, err := l.Open(t.Context(), "acme", "token-one"); return err }
		for range 5 {
			wantCode(t, open(), turnout.CodeNotFound)
		}
		if w.read() != 1 {
			t.Errorf("five clicks read the cache %d times", w.read())
		}
		pass(unknownFor)
		wantCode(t, open(), turnout.CodeNotFound)
		if w.read() != 2 {
			t.Errorf("after a while: %d reads", w.read())
		}
		w.invite("acme", "token-one", person(1), "a0E1")
		wantCode(t, open(), turnout.CodeNotFound)
		l.Hear(t.Context(), News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "birch"}}})
		wantCode(t, open(), turnout.CodeNotFound)
		l.Hear(t.Context(), News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: "a0E1"}}})
		if err := open(); err != nil {
			t.Errorf("after the feed told: %v", err)
		}
	})
}

func TestManyMissesAskOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.invite("acme", "token-one", person(1), "a0E1")
		l := newLinks(w)
		w.hold = make(chan struct{})
		impatient, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				ctx := t.Context()
				if i == 0 {
					ctx = impatient
				}
				_, err := l.Open(ctx, "acme", "token-one")
				if (err != nil) != (i == 0) {
					t.Errorf("click %d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		leave() // the others' answer does not hang on the one who asked first
		synctest.Wait()
		close(w.hold)
		all.Wait()
		if w.read() != 1 {
			t.Errorf("100 clicks at once read the cache %d times", w.read())
		}
	})
}

// TestFeedDropsLinks tells of changes by link, event, person and org.
func TestFeedDropsLinks(t *testing.T) {
	w := newWorld(t)
	at := w.invite("acme", "token-one", person(1), "a0E1")
	w.invite("acme", "token-two", person(2), "a0E2")
	w.invite("birch", "token-one", person(1), "a0E1")
	for name, test := range map[string]struct {
		news News
		gone int // of acme's two and birch's one
	}{
		"its id":        {News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: at.id.String()}}}, 1},
		"its event":     {News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: "a0E2"}}}, 1},
		"another's":     {News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "birch", ID: "a0E9"}}}, 0},
		"its person":    {News{Changes: []turnout.Change{{Kind: turnout.ChangePerson, Org: "acme", ID: w.links[at].Person.String()}}}, 1},
		"its org":       {News{Changes: []turnout.Change{{Kind: turnout.ChangeOrg, Org: "acme"}}}, 2},
		"all links":     {News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme"}}}, 2},
		"unclear":       {News{Changes: []turnout.Change{{Kind: turnout.ChangePerson, Org: "acme", ID: "?"}}}, 2},
		"an event page": {News{Changes: []turnout.Change{{Kind: turnout.ChangeEvent, Org: "acme", ID: "a0E1"}}}, 0},
		"all":           {News{All: true}, 3},
	} {
		l := newLinks(w)
		for _, open := range []struct {
			org   turnout.OrgID
			token string
		}{{"acme", "token-one"}, {"acme", "token-two"}, {"birch", "token-one"}} {
			if _, err := l.Open(t.Context(), open.org, open.token); err != nil {
				t.Fatal(err)
			}
		}
		l.Hear(t.Context(), test.news)
		if kept := l.Stats().Kept; kept != 3-test.gone {
			t.Errorf("%s: %d of 3 are kept, want %d", name, kept, 3-test.gone)
		}
	}
}

// TestP8ForgottenPersonIsNotShown: neither a kept link nor one that is just
// being read survives the news.
func TestP8ForgottenPersonIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		at := w.invite("acme", "token-one", person(1), "a0E1")
		l := newLinks(w)
		w.hold = make(chan struct{})
		go l.Open(t.Context(), "acme", "token-one")
		synctest.Wait() // it has read the link and not yet the key
		w.mu.Lock()
		hold := w.hold
		w.hold = nil
		w.mu.Unlock()
		l.Hear(t.Context(), News{Changes: []turnout.Change{{Kind: turnout.ChangePerson, Org: "acme", ID: w.links[at].Person.String()}}})
		close(hold)
		synctest.Wait()
		if kept := l.Stats().Kept; kept != 0 {
			t.Errorf("a link that was read before the news is kept")
		}
		w.mu.Lock()
		clear(w.keys)
		w.mu.Unlock()
		_, err := l.Open(t.Context(), "acme", "token-one")
		wantCode(t, err, turnout.CodeForgotten)
	})
}

// TestInvitedAnew: forgotten and invited again before the feed told, a person
// has another key; the kept link does not open and is read again.
func TestInvitedAnew(t *testing.T) {
	w := newWorld(t)
	at := w.invite("acme", "token-one", person(1), "a0E1")
	l := newLinks(w)
	if _, err := l.Open(t.Context(), "acme", "token-one"); err != nil {
		t.Fatal(err)
	}
	broken := *l.recent.shard(at).spots[at].Value.(*item).kept
	broken.link.Sealed = append([]byte{1}, broken.link.Sealed[1:]...)
	broken.link.Sealed[20] ^= 1
	l.recent.put(at, &broken, func() bool { return true })
	link, err := l.Open(t.Context(), "acme", "token-one")
	if err != nil || link.Invite.Person != person(1) {
		t.Errorf("got %+v, %v", link, err)
	}
}

// TestP8MemoryHoldsNoPersonalData and stays within its bound.
func TestP8MemoryHoldsNoPersonalData(t *testing.T) {
	w := newWorld(t)
	l := NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring, Bytes: 200_000})
	for i := range 1000 {
		token := fmt.Sprintf("token-%04d", i)
		w.invite("acme", token, person(i), "a0E1")
		if _, err := l.Open(t.Context(), "acme", token); err != nil {
			t.Fatal(err)
		}
	}
	s := l.Stats()
	if s.Bytes > 200_000 || s.Kept < 100 {
		t.Errorf("keeps %d links in %d bytes", s.Kept, s.Bytes)
	}
	if _, err := l.Open(t.Context(), "acme", "token-0999"); err != nil || l.Stats().Hits != 1 {
		t.Errorf("the last one was not kept: %v, %+v", err, l.Stats())
	}
	for i := range l.recent.shards {
		for at, e := range l.recent.shards[i].spots {
			if all := fmt.Sprintf("%+v %s", at, e.Value.(*item).kept.link.Sealed); strings.Contains(all, "visitor") || strings.Contains(all, "Example") {
				t.Fatalf("memory holds %q", all)
			}
		}
	}
}

func TestCacheAway(t *testing.T) {
	w := newWorld(t)
	l := NewLinks(LinksOptions{Cache: away{}, Keys: w, Keyring: w.keyring})
	_, err := l.Open(t.Context(), "acme", "token-one")
	wantCode(t, err, turnout.CodeUnavailable)
	if l.Stats().Unknown != 0 {
		t.Error("a link counts as unknown that nobody could look up")
	}
}

type away struct{}

func (away) Link(context.Context, turnout.OrgID, turnout.LinkID) (turnout.AttendeeLink, error) {
	return turnout.AttendeeLink{}, turnout.Errorf(turnout.CodeUnavailable, "read link", "")
}

func FuzzOpenLink(f *testing.F) {
	w := newWorld(f)
	w.invite("acme", "token-one", person(1), "a0E1")
	l := newLinks(w)
	for _, token := range []string{"token-one", "token-two", "", "a\x00b\xff", strings.Repeat("t", 200)} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		link, err := l.Open(t.Context(), "acme", token)
		if (err == nil) != (token == "token-one") {
			t.Errorf("%q: %+v, %v", token, link, err)
		}
	})
}

func BenchmarkOpenKeptLink(b *testing.B) {
	w := newWorld(b)
	w.invite("acme", "token-one", person(1), "a0E1")
	l := newLinks(w)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Open(b.Context(), "acme", "token-one"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHearAmongManyLinks(b *testing.B) {
	r, start := newRecent(64<<20), time.Now()
	for i := range 200_000 {
		at := spot{"acme", turnout.LinkID{byte(i), byte(i >> 8), byte(i >> 16)}}
		r.put(at, &kept{link: turnout.AttendeeLink{Event: "a0E1"}, wrapped: make([]byte, 80)}, func() bool { return true })
	}
	b.Logf("filled in %v", time.Since(start))
	g := goneBy([]turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: "a0E2"}})
	for b.Loop() {
		r.drop(g.has)
	}
}
