package mirror

import "hash/maphash"

// maxSeen bounds the copies that are remembered between two passes, at about
// 10 MB for two of them. Passes overlap by minutes, so that it is some hundred
// copies a second. Beyond it copies are applied once more, which is harmless.
const maxSeen = 200_000

// seen remembers the copies of the last pass by a keyed hash of their content,
// which names nobody.
type seen struct {
	seed      maphash.Seed
	old, next map[uint64]bool
}

func newSeen() *seen {
	return &seen{seed: maphash.MakeSeed(), old: map[uint64]bool{}, next: map[uint64]bool{}}
}

// begin starts a pass that remembers nothing of the one before if afresh.
func (s *seen) begin(afresh bool) {
	if afresh {
		clear(s.old)
	}
	clear(s.next)
}

// has reports whether the last pass had this very content.
func has[T comparable](s *seen, content T) bool {
	h := maphash.Comparable(s.seed, content)
	if len(s.next) < maxSeen {
		s.next[h] = true
	}
	return s.old[h]
}

// forget makes the next pass take this content for new.
func forget[T comparable](s *seen, content T) {
	delete(s.next, maphash.Comparable(s.seed, content))
}

// end closes a pass that went through.
func (s *seen) end() { s.old, s.next = s.next, s.old }
