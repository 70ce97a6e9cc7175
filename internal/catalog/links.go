package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/compact"
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
	// Paper is what links are held on, sealed; nil means memory. Bytes bounds how
	// much of it is used; 0 means 64 MiB.
	Paper compact.Paper
	Bytes int64
	// People bounds how many people's wrapped keys are in memory, about 75 bytes
	// each; 0 means 2,000,000.
	People int
	// Stock is where all links are read ahead of need by Run; nil for none, which
	// makes links come in as they are asked for.
	Stock *Stock
	// Logger hears what goes wrong with reading ahead; nil means silence.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Link is an opened AttendeeLink.
type Link struct {
	turnout.AttendeeLink
	Invite turnout.Invite
}

// Links opens AttendeeLinks for the request that brings the token. It looks at
// what it holds, then asks the cache and the store, and nobody else (P3).
type Links struct {
	o       LinksOptions
	held    *held
	owing   owing
	unknown *unknown
	flight  singleflight.Group
	// epoch counts what was heard of the feed about links and people, so that what
	// was read before is neither kept nor shared after.
	epoch atomic.Uint64

	hits, misses, unknowns atomic.Int64
}

// LinkStats are counts since the start.
type LinkStats struct {
	// Hits were answered from what is held, Misses asked the cache, Unknown were not there.
	Hits, Misses, Unknown int64
	// Kept is how many links are held, Bytes how much of the paper is used for
	// them, People how many keys are in memory.
	Kept   int
	Bytes  int64
	People int
}

// NewLinks makes a Links that holds nothing yet.
func NewLinks(o LinksOptions) *Links {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.People == 0 {
		o.People = 2_000_000
	}
	if o.Paper == nil {
		o.Paper = compact.NewMemory()
	}
	return &Links{o: o, held: newHeld(o.Paper, o.Bytes, o.People), unknown: newUnknown(), owing: newOwing()}
}

// Open opens the link that a token stands for. An unknown token is
// CodeNotFound, and so it stays until the mirror brings it; a link whose person was forgotten
// is CodeForgotten.
func (l *Links) Open(ctx context.Context, org turnout.OrgID, token string) (Link, error) {
	at, err := l.spot(ctx, org, token)
	if err != nil {
		return Link{}, err
	}
	return l.openAt(ctx, at)
}

// OpenSent is Open for what was sent through a link: whoever sends has its form, from an
// instance that knew it. So this one looks again, though it looked a moment ago in vain.
func (l *Links) OpenSent(ctx context.Context, org turnout.OrgID, token string) (Link, error) {
	at, err := l.spot(ctx, org, token)
	if err != nil {
		return Link{}, err
	}
	l.unknown.remove(at)
	return l.openAt(ctx, at)
}

const opOpen = "open link"

// spot is where a token's link rests.
func (l *Links) spot(ctx context.Context, org turnout.OrgID, token string) (spot, error) {
	if !turnout.ValidToken(token) {
		return spot{}, &turnout.Error{Code: turnout.CodeNotFound, Op: opOpen}
	}
	ring, err := l.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return spot{}, turnout.Wrap(turnout.CodeOf(err), opOpen, err)
	}
	return spot{org, turnout.LinkID(ring.MAC("link", token)[:len(turnout.LinkID{})])}, nil
}

func (l *Links) openAt(ctx context.Context, at spot) (Link, error) {
	link, err := l.open(ctx, at)
	switch code := turnout.CodeOf(err); {
	case code == turnout.CodeNotFound:
		l.unknowns.Add(1)
		return Link{}, &turnout.Error{Code: code, Op: opOpen}
	case err != nil:
		return Link{}, turnout.Wrap(code, opOpen, err)
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
	l.held.remove(at)
	l.held.forget(holder{at.org, k.link.Person})
	if k, _, err = l.find(ctx, at); err != nil {
		return Link{}, err
	}
	return l.unseal(ctx, k)
}

func (l *Links) unseal(ctx context.Context, k kept) (Link, error) {
	key, err := l.o.Keyring.DataKey(ctx, string(k.link.Org), k.link.Person, k.wrapped)
	if err != nil {
		return Link{}, fmt.Errorf("open data key of %s: %w", k.link.Person, err)
	}
	plain, err := key.Open(k.link.Sealed, "link", string(k.link.ID[:]))
	if err != nil {
		return Link{}, fmt.Errorf("open invite of link %s: %w", k.link.ID, err)
	}
	link := Link{AttendeeLink: k.link}
	if err := readInvite(plain, &link.Invite); err != nil {
		return Link{}, fmt.Errorf("read invite of link %s: unexpected content", k.link.ID) // the cause may quote it
	}
	return link, nil
}

// loadTimeout bounds a miss, which otherwise ends with none of its callers.
const loadTimeout = 5 * time.Second

// find returns what rests of a link: what is held, else from cache and store,
// where of many callers one asks for all.
func (l *Links) find(ctx context.Context, at spot) (k kept, hit bool, err error) {
	if k, ok := l.held.get(at); ok {
		l.hits.Add(1)
		return k, true, nil
	}
	epoch := l.epoch.Load()
	if l.unknown.has(at, l.o.Now()) {
		return kept{}, false, &turnout.Error{Code: turnout.CodeNotFound, Op: "find link"}
	}
	l.misses.Add(1)
	v, err, _ := l.flight.Do(string(at.org)+string(at.id[:])+strconv.FormatUint(epoch, 10), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		return l.load(ctx, at, epoch)
	})
	if err = errors.Join(err, ctx.Err()); err != nil { // who left meanwhile needs no answer
		return kept{}, false, err
	}
	return v.(kept), false, nil
}

func (l *Links) load(ctx context.Context, at spot, epoch uint64) (kept, error) {
	current := func() bool { return l.epoch.Load() == epoch }
	link, err := l.o.Cache.Link(ctx, at.org, at.id)
	if turnout.CodeOf(err) == turnout.CodeNotFound {
		l.unknown.add(at, l.o.Now(), current)
	}
	if err != nil {
		return kept{}, err
	}
	key, err := l.o.Keys.DataKey(ctx, at.org, link.Person)
	if err != nil {
		return kept{}, err
	}
	l.held.putKey(holder{at.org, link.Person}, key.Wrapped, current)
	_ = l.held.put([]turnout.AttendeeLink{link}, epoch, current) // what cannot be held is read again
	return kept{link, key.Wrapped}, nil
}

// Stats returns counts since the start.
func (l *Links) Stats() LinkStats {
	s := LinkStats{Hits: l.hits.Load(), Misses: l.misses.Load(), Unknown: l.unknowns.Load()}
	s.Kept, s.Bytes = l.held.links.Size()
	s.People = l.held.keys.Len()
	return s
}
