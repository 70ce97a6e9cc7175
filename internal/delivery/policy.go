package delivery

import "time"

// Policy says when a batch goes out and how large it is (P4).
type Policy struct {
	// Few registrations are enough for a call; 0 means 5.
	Few int
	// Longest is how long one registration waits for others; 0 means 10 s.
	Longest time.Duration
	// Most is what one call carries; 0 means 200, the limit of sObject
	// Collections (SALESFORCE.md, section 2).
	Most int
}

func (p Policy) orDefault() Policy {
	if p.Few == 0 {
		p.Few = 5
	}
	if p.Longest == 0 {
		p.Longest = 10 * time.Second
	}
	if p.Most == 0 {
		p.Most = 200
	}
	return p
}

// Batch says how many of the waiting go out now, 0 for not yet. oldest is how
// long the longest of them has waited. Twice Few is a backlog: everything that
// fits goes in one call.
func (p Policy) Batch(waiting int, oldest time.Duration) int {
	switch {
	case waiting >= 2*p.Few:
		return min(waiting, p.Most)
	case waiting >= p.Few:
		return p.Few
	case waiting > 0 && oldest >= p.Longest:
		return waiting
	}
	return 0
}
