package load

import (
	"hash/fnv"
	"sync"
)

// Ledger remembers acknowledged registrations by their keys, in 16 bytes each. Safe
// for concurrent use.
type Ledger struct {
	mu   sync.Mutex
	keys map[fingerprint]struct{}
}

// fingerprint is a key's fingerprint. Of a million keys two have the same with a
// probability below 10^-26.
type fingerprint [16]byte

func newLedger() *Ledger { return &Ledger{keys: map[fingerprint]struct{}{}} }

func markOf(key string) (p fingerprint) {
	h := fnv.New128a()
	_, _ = h.Write([]byte(key)) // never fails
	h.Sum(p[:0])
	return p
}

func (l *Ledger) add(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys[markOf(key)] = struct{}{}
}

// Len is how many there are.
func (l *Ledger) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.keys)
}

// Compare looks for them among the keys that Salesforce holds: how many are
// missing, and how many keys are there more than once.
func (l *Ledger) Compare(recorded func(yield func(key string) bool)) (lost, twice int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := make(map[fingerprint]bool, len(l.keys))
	found := 0
	for key := range recorded {
		p := markOf(key)
		again, there := seen[p]
		switch {
		case there && !again:
			twice++
			seen[p] = true
		case !there:
			seen[p] = false
			if _, mine := l.keys[p]; mine {
				found++
			}
		}
	}
	return int64(len(l.keys) - found), twice
}
