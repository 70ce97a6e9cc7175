package compact

import "sync"

// Set remembers hashes, about 10 bytes each. Unlike a Map and a Log it forgets
// none: what it does not have was not added. What it has may be another hash that
// agrees in 38 bits. The zero Set is empty.
type Set struct {
	parts [stripes]struct {
		mu    sync.RWMutex
		table table
	}
}

// Add adds a hash; it may be there.
func (s *Set) Add(hash uint64) {
	stripe, tag := part(hash)
	p := &s.parts[stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.table.put(tag, 0)
}

// Has reports whether a hash, or one like it, was added.
func (s *Set) Has(hash uint64) bool {
	stripe, tag := part(hash)
	p := &s.parts[stripe]
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.table.get(tag)
	return ok
}
