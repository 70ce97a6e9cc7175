package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

const (
	// chunkLinks is how many links are sealed and stored at a time. Links and people
	// lie anywhere in their tables, which are written by the page, so that fewer make
	// a backfill slower: their keys alone took twice as long with 2,000.
	chunkLinks = 10_000
	// namedLinks is how many links the feed names one by one, newLinks how many of a
	// backfill, which nobody has read yet. Of more it names the events; since links may
	// have been another event's before, it names all of the org once they are read.
	namedLinks = 2000
	newLinks   = 32
	// tellLinksEvery is how long the feed waits for more links of a pass.
	tellLinksEvery = time.Second
)

// applyLinks seals and stores copies, and removes revoked ones.
func (p *orgMirror) applyLinks(ctx context.Context, copies []turnout.LinkCopy, w *linkWriter) error {
	if len(copies) == 0 {
		return nil
	}
	ring, err := p.o.Keyring.Ring(ctx, string(p.org))
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(copies, chunkLinks) {
		if err := p.applyChunk(ctx, ring, chunk, w); err != nil {
			return err
		}
	}
	return nil
}

func (p *orgMirror) applyChunk(ctx context.Context, ring *seal.Ring, copies []turnout.LinkCopy, w *linkWriter) error {
	named, revoked := p.name(ring, copies)
	keys, err := p.dataKeys(ctx, ring, named)
	if err != nil {
		return err
	}
	links, err := p.sealLinks(ring, named, keys)
	if err != nil {
		return err
	}
	if err := w.put(ctx, links); err != nil {
		return err
	}
	return w.remove(ctx, revoked)
}

// namedLink is a copy with the ids that stand for its token and its person.
type namedLink struct {
	turnout.LinkCopy
	id     turnout.LinkID
	person turnout.PersonID
}

// name hashes tokens and e-mail addresses, and leaves out what has none.
func (p *orgMirror) name(ring *seal.Ring, copies []turnout.LinkCopy) (named, revoked []namedLink) {
	all := make([]namedLink, len(copies))
	spread(len(copies), func(i int) {
		c := copies[i]
		if !turnout.ValidToken(c.Token) {
			return
		}
		all[i] = namedLink{LinkCopy: c, id: turnout.LinkID(ring.MAC("link", c.Token)[:len(turnout.LinkID{})])}
		if email := turnout.FoldEmail(c.Invite.Person.Email); strings.Contains(email, "@") { // what Forget takes (P8)
			all[i].person = turnout.PersonID(ring.Index(email))
		}
	})
	skipped := 0
	for _, l := range all {
		switch {
		case !l.id.IsZero() && l.Revoked:
			revoked = append(revoked, l)
		case l.id.IsZero() || l.person.IsZero() || l.Event == "":
			skipped++
		default:
			named = append(named, l)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.Skipped += skipped
	return named, revoked
}

// dataKeys returns the data key of each person, nil for those who were
// forgotten (P8): they are not cached again.
func (p *orgMirror) dataKeys(ctx context.Context, ring *seal.Ring, links []namedLink) (map[turnout.PersonID]*seal.DataKey, error) {
	keys := map[turnout.PersonID]*seal.DataKey{}
	var people []turnout.PersonID
	for _, l := range links {
		if _, ok := keys[l.person]; !ok {
			keys[l.person] = nil
			people = append(people, l.person)
		}
	}
	if len(people) == 0 {
		return keys, nil
	}
	// In the order of the store's table, each of its changes touches few pages.
	slices.SortFunc(people, func(a, b turnout.PersonID) int { return bytes.Compare(a[:], b[:]) })
	made, offered, errs := make([]*seal.DataKey, len(people)), make([]turnout.DataKey, len(people)), make([]error, len(people))
	spread(len(people), func(i int) {
		offered[i].Person = people[i]
		made[i], offered[i].Wrapped, errs[i] = ring.NewDataKey(people[i])
	})
	if err := firstOf(errs); err != nil {
		return nil, err
	}
	effective, err := p.o.DataKeys.EnsureDataKeys(ctx, p.org, offered)
	if err != nil {
		return nil, err
	}
	spread(len(people), func(i int) {
		switch {
		case effective[i].Wrapped == nil:
			made[i] = nil
		case !slices.Equal(effective[i].Wrapped, offered[i].Wrapped):
			made[i], errs[i] = ring.DataKey(people[i], effective[i].Wrapped)
		}
	})
	for i, person := range people {
		keys[person] = made[i]
	}
	return keys, firstOf(errs)
}

// sealLinks seals each Invite under its person's key.
func (p *orgMirror) sealLinks(ring *seal.Ring, named []namedLink, keys map[turnout.PersonID]*seal.DataKey) ([]turnout.AttendeeLink, error) {
	links, errs := make([]turnout.AttendeeLink, len(named)), make([]error, len(named))
	spread(len(named), func(i int) {
		l := &named[i]
		key := keys[l.person]
		if key == nil {
			return
		}
		plain, err := json.Marshal(l.Invite)
		if errs[i] = err; err != nil {
			return
		}
		links[i] = turnout.AttendeeLink{ID: l.id, Org: p.org, Event: l.Event, Person: l.person,
			Sealed: key.Seal(plain, "link", string(l.id[:])), Changed: l.Modified}
	})
	return slices.DeleteFunc(links, func(l turnout.AttendeeLink) bool { return l.ID.IsZero() }), firstOf(errs)
}

// spread calls do for 0 to n-1 from as many goroutines as there are processors
// but one, which is left to visitors: a goroutine that computes is only made to
// stop after ten milliseconds.
func spread(n int, do func(i int)) {
	workers := min(n, max(1, runtime.GOMAXPROCS(0)-1))
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				do(i)
			}
		})
	}
	all.Wait()
}

func firstOf(errs []error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
