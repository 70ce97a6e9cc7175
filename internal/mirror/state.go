package mirror

import (
	"maps"
	"time"

	"github.com/turnout-events/turnout"
)

// State is how an org's mirroring stands, for the console.
type State struct {
	// Polling says that this process polls the org; another one does if not.
	Polling bool
	// LastSuccess is when a pass last went through, zero for never.
	LastSuccess time.Time
	// LastError is the code of the newest failure that no later success of the
	// same kind of pass made good; empty if there is none.
	LastError   turnout.Code
	LastErrorAt time.Time
	// PausedUntil is set while Salesforce asks for a pause or the API budget is used up.
	PausedUntil time.Time
	// Cursors say up to when Salesforce was read: "events", "links",
	// "registrations". One that is missing has not been read by this process.
	Cursors map[string]time.Time
	// Backfilling says that all links are being read; Links counts those of the
	// pass that runs or ran last.
	Backfilling bool
	Links       int
	// Skipped counts invite records without a usable token or e-mail address.
	Skipped int
	// Hints wait to be fetched.
	Hints int
}

// failure is an unhealed failure of one kind of pass.
type failure struct {
	code turnout.Code
	at   time.Time
	// inARow counts failures without a success between.
	inARow int
}

func (p *orgMirror) snapshot() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Polling = p.turnUntil.After(p.o.Now())
	s.Cursors = maps.Clone(s.Cursors)
	s.Hints = p.queue.size()
	if !s.PausedUntil.After(p.o.Now()) {
		s.PausedUntil = time.Time{}
	}
	for _, f := range p.failures {
		if f.at.After(s.LastErrorAt) {
			s.LastError, s.LastErrorAt = f.code, f.at
		}
	}
	return s
}
