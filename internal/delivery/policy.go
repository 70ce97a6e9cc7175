package delivery

import "time"

// Policy says when a batch goes out and how large it is (P4).
type Policy struct {
	// Few registrations are enough for a call; 0 means 5.
	Few int
	// Longest is how long one registration waits for others; 0 means 10 s.
	Longest time.Duration
	// Gather is the least time from one call of a lane to its next, unless Most wait
	// or one of them has waited Longest; 0 means 2 s.
	Gather time.Duration
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
	if p.Gather == 0 {
		p.Gather = 2 * time.Second
	}
	if p.Most == 0 {
		p.Most = 200
	}
	return p
}

// Batch says how many of the waiting go out now, 0 for not yet. oldest is how
// long the longest of them has waited, since how long ago the lane's last call
// began. Twice Few is a backlog: everything that fits goes in one call. Whoever comes
// faster than a few in Gather gathers for as long, so that a rush costs a call for all
// who come meanwhile, and not one for each few however fast calls are.
func (p Policy) Batch(waiting int, oldest, since time.Duration) int {
	switch {
	case waiting >= p.Most:
		return p.Most
	case since < p.Gather && oldest < p.Longest:
		return 0
	case waiting >= 2*p.Few:
		return waiting
	case waiting >= p.Few:
		return p.Few
	case waiting > 0 && oldest >= p.Longest:
		return waiting
	}
	return 0
}
