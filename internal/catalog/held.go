package catalog

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/compact"
)

// spot is where a link rests.
type spot struct {
	org turnout.OrgID
	id  turnout.LinkID
}

// kept is what is held of a link: sealed bytes and a wrapped key (P8). It is
// never changed.
type kept struct {
	link    turnout.AttendeeLink
	wrapped []byte
}

// held holds links as the cache has them, and people's wrapped keys as the store
// has them. Links are ciphertext and lie on paper; keys are in memory alone,
// since at rest they are in one table of the store and nowhere else (P8). Both
// are read without cache and store, and each by itself: a link whose key is not
// held counts as not held.
type held struct {
	seed  maphash.Seed
	links *compact.Log
	keys  *compact.Map

	mu sync.RWMutex
	// since is from which epoch on a link must have been read to be current: of
	// any org, of one org, of one event. It spares looking for a million links
	// when the feed names their event.
	since  uint64
	orgs   map[turnout.OrgID]uint64
	events map[debt]uint64
}

// wrappedSize is the length of a wrapped data key in bytes: the org key's version,
// format, nonce, key and tag (package seal). Others are not held.
const wrappedSize = 4 + 1 + 12 + 32 + 16

// maxSince bounds what is remembered of events and orgs whose links changed. Beyond it every
// link is read again.
const maxSince = 10_000

func newHeld(paper compact.Paper, bytes int64, people int) *held {
	h := &held{seed: maphash.MakeSeed(), links: compact.NewLog(paper, bytes), keys: compact.NewMap(wrappedSize, people)}
	h.begin(0)
	return h
}

func (h *held) begin(epoch uint64) {
	h.since, h.orgs, h.events = epoch, map[turnout.OrgID]uint64{}, map[debt]uint64{}
}

// holder is whose key it is.
type holder struct {
	org    turnout.OrgID
	person turnout.PersonID
}

func (h *held) linkHash(at spot) uint64     { return maphash.Comparable(h.seed, at) }
func (h *held) keyHash(whose holder) uint64 { return maphash.Comparable(h.seed, whose) }

// get is a link with its person's key, if both are held and current. They share
// their memory.
func (h *held) get(at spot) (kept, bool) {
	link, row, ok := h.link(at)
	if !ok {
		return kept{}, false
	}
	both, ok := h.keys.Get(row, h.keyHash(holder{at.org, link.Person}))
	return kept{link, both[len(row):]}, ok
}

// link is a link, and the row that its Sealed is a part of.
func (h *held) link(at spot) (turnout.AttendeeLink, []byte, bool) {
	row, ok := h.links.Get(nil, h.linkHash(at))
	if !ok {
		return turnout.AttendeeLink{}, nil, false
	}
	link, epoch, ok := readRow(row, at)
	return link, row, ok && h.current(&link, epoch)
}

func (h *held) current(l *turnout.AttendeeLink, epoch uint64) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return epoch >= h.since && epoch >= h.orgs[l.Org] && epoch >= h.events[debt{l.Org, l.Event}]
}

// put holds links that were read in an epoch, while still says that it lasts. An
// error is the paper's.
func (h *held) put(links []turnout.AttendeeLink, epoch uint64, still func() bool) error {
	entries := make([]compact.Entry, 0, len(links))
	for i := range links {
		if row := appendRow(nil, &links[i], epoch); row != nil {
			entries = append(entries, compact.Entry{Hash: h.linkHash(spot{links[i].Org, links[i].ID}), Value: row})
		}
	}
	return h.links.Put(entries, still)
}

func (h *held) putKey(whose holder, wrapped []byte, still func() bool) {
	h.keys.Put(h.keyHash(whose), wrapped, still)
}

func (h *held) hasKey(whose holder) bool {
	_, ok := h.keys.Get(make([]byte, 0, wrappedSize), h.keyHash(whose))
	return ok
}

// remove removes one link, forget one person's key. Whoever calls them, outdate or
// clear has moved the epoch on before, so that nothing older comes in behind them.
func (h *held) remove(at spot)      { h.links.Remove(h.linkHash(at)) }
func (h *held) forget(whose holder) { h.keys.Remove(h.keyHash(whose)) }

// clear forgets everything.
func (h *held) clear(epoch uint64) {
	h.mu.Lock()
	h.begin(epoch)
	h.mu.Unlock()
	h.links.Clear()
	h.keys.Clear()
}

// outdate says that what was read of an org's links before epoch is old: of one
// event's, or of all.
func (h *held) outdate(of debt, epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case len(h.orgs)+len(h.events) >= maxSince:
		h.begin(epoch)
	case of.event == "":
		h.orgs[of.org] = epoch
	default:
		h.events[of] = epoch
	}
}

// A row of a held link is the epoch in which it was read and when it changed
// (milliseconds since 1970, UTC), 8 bytes each, person and id, 16 each, org and
// event, each after its length in one byte, and what is sealed.
const rowHead = 8 + 8 + 16 + 16

// noTime stands in a row for a link that never changed.
const noTime = math.MinInt64

// appendRow is nil for a link that does not fit.
func appendRow(b []byte, l *turnout.AttendeeLink, epoch uint64) []byte {
	if len(l.Org) > math.MaxUint8 || len(l.Event) > math.MaxUint8 {
		return nil
	}
	changed := int64(noTime)
	if !l.Changed.IsZero() {
		changed = l.Changed.UnixMilli()
	}
	b = binary.LittleEndian.AppendUint64(b, epoch)
	b = binary.LittleEndian.AppendUint64(b, uint64(changed))
	b = append(b, l.Person[:]...)
	b = append(b, l.ID[:]...)
	b = append(append(b, byte(len(l.Org))), l.Org...)
	b = append(append(b, byte(len(l.Event))), l.Event...)
	return append(b, l.Sealed...)
}

// readRow reverses appendRow for the link at a spot; a row of another one is not
// ok. Sealed is a part of row.
func readRow(row []byte, at spot) (l turnout.AttendeeLink, epoch uint64, ok bool) {
	if len(row) < rowHead || turnout.LinkID(row[32:48]) != at.id {
		return l, 0, false
	}
	org, rest, ok := cutField(row[rowHead:])
	if !ok || string(org) != string(at.org) {
		return l, 0, false
	}
	event, sealed, ok := cutField(rest)
	if !ok {
		return l, 0, false
	}
	l = turnout.AttendeeLink{ID: at.id, Org: at.org, Event: turnout.EventID(event), Person: turnout.PersonID(row[16:32]), Sealed: slices.Clip(sealed)}
	if ms := int64(binary.LittleEndian.Uint64(row[8:])); ms != noTime {
		l.Changed = time.UnixMilli(ms).UTC()
	}
	return l, binary.LittleEndian.Uint64(row), true
}

// cutField takes a field after its length in one byte off the front.
func cutField(b []byte) (field, rest []byte, ok bool) {
	if len(b) < 1 || len(b) < 1+int(b[0]) {
		return nil, nil, false
	}
	return b[1 : 1+int(b[0])], b[1+int(b[0]):], true
}
