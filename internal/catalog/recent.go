package catalog

import (
	"container/list"
	"hash/maphash"
	"sync"

	"github.com/turnout-events/turnout"
)

// spot is where a link rests.
type spot struct {
	org turnout.OrgID
	id  turnout.LinkID
}

// kept is what memory holds of a link: sealed bytes and a wrapped key (P8).
// It is never changed.
type kept struct {
	link    turnout.AttendeeLink
	wrapped []byte
}

// keptOverhead is about what an entry costs besides its bytes: structs, list
// element, map entry.
const keptOverhead = 400

func (k *kept) bytes() int { return keptOverhead + len(k.link.Sealed) + len(k.wrapped) }

// shards keeps the lock short: dropping looks at every entry of one shard.
const shards = 16

// recent holds the links that were asked for last, up to a number of bytes.
type recent struct {
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu     sync.Mutex
	limit  int
	bytes  int
	spots  map[spot]*list.Element // of *item
	recent list.List              // newest first
}

type item struct {
	at   spot
	kept *kept
}

func newRecent(limit int) *recent {
	r := &recent{seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].limit, r.shards[i].spots = limit/shards, map[spot]*list.Element{}
	}
	return r
}

func (r *recent) shard(at spot) *shard {
	return &r.shards[maphash.Comparable(r.seed, at)%shards]
}

func (r *recent) get(at spot) (*kept, bool) {
	s := r.shard(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.spots[at]
	if !ok {
		return nil, false
	}
	s.recent.MoveToFront(e)
	return e.Value.(*item).kept, true
}

// put keeps k if it is still current when nobody can drop it any more.
func (r *recent) put(at spot, k *kept, current func() bool) {
	s := r.shard(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !current() || k.bytes() > s.limit {
		return
	}
	if e, ok := s.spots[at]; ok {
		s.remove(e)
	}
	s.spots[at] = s.recent.PushFront(&item{at, k})
	s.bytes += k.bytes()
	for s.bytes > s.limit {
		s.remove(s.recent.Back())
	}
}

// remove removes one link, if it is there. As for drop, the epoch has moved on.
func (r *recent) remove(at spot) {
	s := r.shard(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.spots[at]; ok {
		s.remove(e)
	}
}

func (s *shard) remove(e *list.Element) {
	it := s.recent.Remove(e).(*item)
	delete(s.spots, it.at)
	s.bytes -= it.kept.bytes()
}

// drop removes what is gone. Its caller has moved the epoch on before, so that
// nothing older comes in behind it.
func (r *recent) drop(gone func(spot, *kept) bool) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for e := s.recent.Front(); e != nil; {
			next := e.Next()
			if it := e.Value.(*item); gone(it.at, it.kept) {
				s.remove(e)
			}
			e = next
		}
		s.mu.Unlock()
	}
}

func (r *recent) size() (links, bytes int) {
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		links, bytes = links+len(s.spots), bytes+s.bytes
		s.mu.Unlock()
	}
	return links, bytes
}
