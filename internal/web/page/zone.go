package page

import (
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// zones are the time zones that were read. There are some six hundred of them; names
// that are none are not kept.
type zones struct{ read sync.Map }

// of is the event's zone, which takes 20 µs to read, and every page about an event
// asks for it a dozen times.
func (z *zones) of(e *turnout.Event) *time.Location {
	if loc, ok := z.read.Load(e.Zone); ok {
		return loc.(*time.Location)
	}
	loc := e.Location()
	if loc.String() == e.Zone {
		z.read.Store(e.Zone, loc)
	}
	return loc
}
