package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
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

// P1: a form that came from an instance that knew its link is taken by one that looked for
// the link a moment before.
func TestP1SentThroughALinkThatWasUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := newLinks(w)
		_, err := l.Open(t.Context(), "acme", "token-one")
		wantCode(t, err, turnout.CodeNotFound)
		w.invite("acme", "token-one", person(1), "a0E1")
		if _, err := l.OpenSent(t.Context(), "acme", "token-one"); err != nil {
			t.Errorf("what is sent through it meets %v", err)
		}
		if _, err := l.Open(t.Context(), "acme", "token-one"); err != nil {
			t.Errorf("seen since, it opens with %v", err)
		}
		_, err = l.OpenSent(t.Context(), "acme", "token-two")
		wantCode(t, err, turnout.CodeNotFound)
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
		"another's too": {News{Changes: []turnout.Change{{Kind: turnout.ChangePerson, Org: "birch", ID: w.links[at].Person.String()}}}, 0},
		"its org":       {News{Changes: []turnout.Change{{Kind: turnout.ChangeOrg, Org: "acme"}}}, 2},
		"all links":     {News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme"}}}, 2},
		"unclear":       {News{Changes: []turnout.Change{{Kind: turnout.ChangePerson, Org: "acme", ID: "?"}}}, 3},
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
		kept := 0
		for at := range w.links {
			if _, ok := l.held.get(at); ok {
				kept++
			}
		}
		if kept != 3-test.gone {
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
		if s := l.Stats(); s.Kept != 0 || s.People != 0 {
			t.Errorf("what was read before the news is kept: %+v", s)
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
	broken := w.links[at]
	broken.Sealed = slices.Clone(broken.Sealed)
	broken.Sealed[20] ^= 1
	if err := l.held.put([]turnout.AttendeeLink{broken}, 0, func() bool { return true }); err != nil {
		t.Fatal(err)
	}
	link, err := l.Open(t.Context(), "acme", "token-one")
	if err != nil || link.Invite.Person != person(1) {
		t.Errorf("got %+v, %v", link, err)
	}
}

// scroll is paper whose bytes a test can look at.
type scroll struct{ bytes []byte }

func (s *scroll) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(s.bytes).ReadAt(p, at)
}

func (s *scroll) WriteAt(p []byte, at int64) (int, error) {
	if missing := int(at) + len(p) - len(s.bytes); missing > 0 {
		s.bytes = append(s.bytes, make([]byte, missing)...)
	}
	return copy(s.bytes[at:], p), nil
}

// TestP8PaperHoldsNoPersonalData, nor any key, and stays within its bound.
func TestP8PaperHoldsNoPersonalData(t *testing.T) {
	w, paper := newWorld(t), &scroll{}
	l := NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring, Paper: paper, Bytes: 200_000})
	for i := range 1000 {
		token := fmt.Sprintf("token-%04d", i)
		at := w.invite("acme", token, person(i), "a0E1")
		if _, err := l.Open(t.Context(), "acme", token); err != nil {
			t.Fatal(err)
		}
		if wrapped := w.keys[w.links[at].Person]; bytes.Contains(paper.bytes, wrapped[5:]) {
			t.Fatal("a wrapped key is on the paper")
		}
	}
	if s := l.Stats(); s.Bytes > 200_000 || s.Kept < 100 || s.People != 1000 || len(paper.bytes) > 200_000 {
		t.Errorf("holds %+v", s)
	}
	if _, err := l.Open(t.Context(), "acme", "token-0999"); err != nil || l.Stats().Hits != 1 {
		t.Errorf("the last one was not kept: %v, %+v", err, l.Stats())
	}
	for _, personal := range []string{"visitor", "Visitor", "Number", "Example", "token"} {
		if bytes.Contains(paper.bytes, []byte(personal)) {
			t.Errorf("%q can be read on the paper", personal)
		}
	}
}

// TestPaperAway: links that cannot be held are read from the cache each time.
func TestPaperAway(t *testing.T) {
	w := newWorld(t)
	l := NewLinks(LinksOptions{Cache: w, Keys: w, Keyring: w.keyring, Paper: noPaper{}})
	w.invite("acme", "token-one", person(1), "a0E1")
	for range 3 {
		if link, err := l.Open(t.Context(), "acme", "token-one"); err != nil || link.Invite.Person != person(1) {
			t.Fatalf("got %+v, %v", link, err)
		}
	}
	if w.read() != 3 {
		t.Errorf("%d reads", w.read())
	}
}

type noPaper struct{}

func (noPaper) ReadAt([]byte, int64) (int, error)  { return 0, errAway }
func (noPaper) WriteAt([]byte, int64) (int, error) { return 0, errAway }

// TestManyEventsChange: what is remembered of changes is bounded, and nothing
// that changed is shown for that.
func TestManyEventsChange(t *testing.T) {
	w := newWorld(t)
	l := newLinks(w)
	at := w.invite("acme", "token-one", person(1), "a0E0")
	for i := range maxSince + 100 {
		if _, err := l.Open(t.Context(), "acme", "token-one"); err != nil {
			t.Fatal(err)
		}
		l.Hear(t.Context(), News{Changes: []turnout.Change{{Kind: turnout.ChangeLinks, Org: "acme", ID: fmt.Sprint("a0E", i)}}})
		if _, ok := l.held.get(at); ok && i == 0 {
			t.Error("its event changed and it is held")
		}
	}
	if n := len(l.held.events); n > maxSince {
		t.Errorf("%d events are remembered", n)
	}
}

// FuzzReadRow: a row that is not a link's is none, and what appendRow wrote is
// read back.
func FuzzReadRow(f *testing.F) {
	at := spot{"acme", turnout.LinkID{1, 2, 3}}
	whole := turnout.AttendeeLink{ID: at.id, Org: at.org, Event: "a0E1", Person: turnout.PersonID{9}, Sealed: []byte("sealed"), Changed: time.UnixMilli(1_800_000_000_123).UTC()}
	f.Add(appendRow(nil, &whole, 7))
	f.Add(appendRow(nil, &turnout.AttendeeLink{ID: at.id, Org: at.org}, 0))
	f.Add(appendRow(nil, &turnout.AttendeeLink{ID: turnout.LinkID{4}, Org: at.org, Event: "a0E1"}, 7))
	f.Add(appendRow(nil, &turnout.AttendeeLink{ID: at.id, Org: "birch", Event: "a0E1"}, 7))
	f.Add([]byte{})
	f.Add(make([]byte, rowHead))
	f.Fuzz(func(t *testing.T, row []byte) {
		link, epoch, ok := readRow(row, at)
		if !ok {
			return
		}
		if again := appendRow(nil, &link, epoch); !bytes.Equal(again, row) {
			t.Errorf("%x\nis written %x", row, again)
		}
	})
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
