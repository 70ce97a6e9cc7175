package catalog

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"golang.org/x/sync/singleflight"
)

// LinkCache reads the cache's AttendeeLinks.
type LinkCache interface {
	// Link answers CodeNotFound for one it does not have.
	Link(ctx context.Context, org turnout.OrgID, id turnout.LinkID) (turnout.AttendeeLink, error)
}

// DataKeys reads people's wrapped keys.
type DataKeys interface {
	// DataKey answers CodeForgotten where there is none.
	DataKey(ctx context.Context, org turnout.OrgID, person turnout.PersonID) (turnout.DataKey, error)
}

// PersonKeyring opens org keys and people's data keys.
type PersonKeyring interface {
	Ring(ctx context.Context, scope string) (*seal.Ring, error)
	DataKey(ctx context.Context, scope string, subject seal.Subject, wrapped []byte) (*seal.DataKey, error)
}

// LinksOptions are what Links needs.
type LinksOptions struct {
	Cache   LinkCache
	Keys    DataKeys
	Keyring PersonKeyring
	// Bytes bounds the memory of recent links; 0 means 64 MiB.
	Bytes int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Link is an opened AttendeeLink.
type Link struct {
	turnout.AttendeeLink
	Invite turnout.Invite
}

// Links opens AttendeeLinks for the request that brings the token. It asks
// memory, then the cache and the store, and nobody else (P3).
type Links struct {
	o       LinksOptions
	recent  *recent
	unknown *unknown
	flight  singleflight.Group
	// epoch counts what was heard of the feed, so that what was read before
	// is neither kept nor shared after.
	epoch atomic.Uint64

	hits, misses, unknowns atomic.Int64
}

// LinkStats are counts since the start.
type LinkStats struct {
	// Hits were answered from memory, Misses asked the cache, Unknown were not there.
	Hits, Misses, Unknown int64
	// Kept and Bytes are how many links are in memory, and their size.
	Kept, Bytes int
}

// NewLinks makes a Links that remembers nothing yet.
func NewLinks(o LinksOptions) *Links {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	return &Links{o: o, recent: newRecent(o.Bytes), unknown: newUnknown()}
}

// Open opens the link that a token stands for. An unknown token is
// CodeNotFound, and so it stays until the mirror brings it; a link whose person was forgotten
// is CodeForgotten.
func (l *Links) Open(ctx context.Context, org turnout.OrgID, token string) (Link, error) {
	const op = "open link"
	if !turnout.ValidToken(token) {
		return Link{}, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	}
	ring, err := l.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return Link{}, turnout.Wrap(turnout.CodeOf(err), op, err)
	}
	at := spot{org, turnout.LinkID(ring.MAC("link", token)[:len(turnout.LinkID{})])}
	link, err := l.open(ctx, at)
	switch code := turnout.CodeOf(err); {
	case code == turnout.CodeNotFound:
		l.unknowns.Add(1)
		return Link{}, &turnout.Error{Code: code, Op: op}
	case err != nil:
		return Link{}, turnout.Wrap(code, op, err)
	}
	return link, nil
}

// open finds and unseals. What was kept and does not open is read again once,
// since the person may have been forgotten and invited anew.
func (l *Links) open(ctx context.Context, at spot) (Link, error) {
	k, hit, err := l.find(ctx, at)
	if err != nil {
		return Link{}, err
	}
	link, err := l.unseal(ctx, k)
	if !hit || !errors.Is(err, seal.ErrSealed) {
		return link, err
	}
	l.recent.remove(at)
	if k, _, err = l.find(ctx, at); err != nil {
		return Link{}, err
	}
	return l.unseal(ctx, k)
}

func (l *Links) unseal(ctx context.Context, k *kept) (Link, error) {
	key, err := l.o.Keyring.DataKey(ctx, string(k.link.Org), k.link.Person, k.wrapped)
	if err != nil {
		return Link{}, fmt.Errorf("open data key of %s: %w", k.link.Person, err)
	}
	plain, err := key.Open(k.link.Sealed, "link", string(k.link.ID[:]))
	if err != nil {
		return Link{}, fmt.Errorf("open invite of link %s: %w", k.link.ID, err)
	}
	link := Link{AttendeeLink: k.link}
	if err := json.Unmarshal(plain, &link.Invite); err != nil {
		return Link{}, fmt.Errorf("read invite of link %s: unexpected content", k.link.ID) // the cause may quote it
	}
	return link, nil
}

// loadTimeout bounds a miss, which otherwise ends with none of its callers.
const loadTimeout = 5 * time.Second

// find returns what rests of a link: from memory, else from cache and store,
// where of many callers one asks for all, in its own goroutine.
func (l *Links) find(ctx context.Context, at spot) (k *kept, hit bool, err error) {
	if k, ok := l.recent.get(at); ok {
		l.hits.Add(1)
		return k, true, nil
	}
	epoch := l.epoch.Load()
	if l.unknown.has(at, l.o.Now()) {
		return nil, false, &turnout.Error{Code: turnout.CodeNotFound, Op: "find link"}
	}
	l.misses.Add(1)
	v, err, _ := l.flight.Do(string(at.org)+string(at.id[:])+strconv.FormatUint(epoch, 10), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return l.load(ctx, at, epoch)
	})
	if err = errors.Join(err, ctx.Err()); err != nil { // who left meanwhile needs no answer
		return nil, false, err
	}
	return v.(*kept), false, nil
}

func (l *Links) load(ctx context.Context, at spot, epoch uint64) (*kept, error) {
	current := func() bool { return l.epoch.Load() == epoch }
	link, err := l.o.Cache.Link(ctx, at.org, at.id)
	if turnout.CodeOf(err) == turnout.CodeNotFound {
		l.unknown.add(at, l.o.Now(), current)
	}
	if err != nil {
		return nil, err
	}
	key, err := l.o.Keys.DataKey(ctx, at.org, link.Person)
	if err != nil {
		return nil, err
	}
	k := &kept{link: link, wrapped: key.Wrapped}
	l.recent.put(at, k, current)
	return k, nil
}

// Hear forgets what the change feed says has changed. It is a Subscriber.
func (l *Links) Hear(_ context.Context, n News) {
	l.epoch.Add(1)
	if n.All {
		l.recent.drop(func(spot, *kept) bool { return true })
		l.unknown.clear()
		return
	}
	gone := goneBy(n.Changes)
	for at := range gone.spots {
		l.recent.remove(at)
	}
	if gone.many {
		l.recent.drop(gone.has) // looks at all that is kept
	}
	for org := range gone.links {
		l.unknown.clearOrg(org)
	}
}

// gone is which links a list of changes is about.
type gone struct {
	// many says that there is more than spots.
	many    bool
	links   map[turnout.OrgID]bool // orgs whose links changed in some way
	whole   map[turnout.OrgID]bool
	events  map[debt]bool
	spots   map[spot]bool
	persons map[turnout.OrgID]map[turnout.PersonID]bool
}

func goneBy(changes []turnout.Change) *gone {
	g := &gone{links: map[turnout.OrgID]bool{}, whole: map[turnout.OrgID]bool{}, events: map[debt]bool{},
		spots: map[spot]bool{}, persons: map[turnout.OrgID]map[turnout.PersonID]bool{}}
	for _, c := range changes {
		raw, err := hex.DecodeString(c.ID)
		id := err == nil && len(raw) == 16 // an event's id is 18 characters
		switch {
		case c.Kind == turnout.ChangeOrg:
			g.whole[c.Org], g.many = true, true
		case c.Kind == turnout.ChangePerson && id:
			if g.persons[c.Org] == nil {
				g.persons[c.Org] = map[turnout.PersonID]bool{}
			}
			g.persons[c.Org][turnout.PersonID(raw)], g.many = true, true
		case c.Kind == turnout.ChangePerson:
			g.whole[c.Org], g.many = true, true // not to be understood: rather forget too much
		case c.Kind == turnout.ChangeLinks:
			g.links[c.Org] = true
			switch {
			case id:
				g.spots[spot{c.Org, turnout.LinkID(raw)}] = true
			case c.ID == "":
				g.whole[c.Org], g.many = true, true
			default:
				g.events[debt{c.Org, turnout.EventID(c.ID)}], g.many = true, true
			}
		}
	}
	return g
}

func (g *gone) has(s spot, k *kept) bool {
	return g.whole[s.org] || g.events[debt{s.org, k.link.Event}] || g.persons[s.org][k.link.Person]
}

// Stats returns counts since the start.
func (l *Links) Stats() LinkStats {
	s := LinkStats{Hits: l.hits.Load(), Misses: l.misses.Load(), Unknown: l.unknowns.Load()}
	s.Kept, s.Bytes = l.recent.size()
	return s
}
