// Package orgs is one Salesforce org as Turnout's features see it: events,
// links and registrations go in and out as Turnout's nouns, whatever objects
// the org keeps them in.
//
// It promises that a registration becomes one record whatever is lost on the
// way (P1), and that of a person nothing but name, e-mail address, title and
// company leaves Salesforce (P8): queries name their fields and ask for no others.
package orgs

import (
	"context"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

// Options are what an Org is made of.
type Options struct {
	Org     turnout.Org
	Mapping *mapping.Mapping
	Client  *salesforce.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Org is one org. It is safe for concurrent use; who may write what at the
// same time (one call per parent record, P4) is up to the caller.
type Org struct {
	client *salesforce.Client
	m      *mapping.Mapping
	zone   string
	now    func() time.Time

	mu        sync.Mutex
	described map[string]description
}

type description struct {
	object *salesforce.Object // nil if it could not be had
	until  time.Time
}

const (
	describeFor   = time.Hour   // fields change when an admin works on them
	describeAgain = time.Minute // after a describe that failed
)

// New makes an Org. It does no I/O.
func New(opts Options) *Org {
	o := &Org{client: opts.Client, m: opts.Mapping, zone: opts.Org.Zone, now: opts.Now, described: map[string]description{}}
	if o.zone == "" {
		o.zone = "UTC"
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

// Probe finds out whether the org can be reached and signed in to. It costs
// nothing of the org's daily API requests.
func (o *Org) Probe(ctx context.Context) error { return o.client.Probe(ctx) }

// Usage is the org's API usage, as the last reply told.
func (o *Org) Usage() turnout.Usage { return o.client.Usage() }

// describe tells about an object, or nil: without it texts are not cut and
// Salesforce says what it refuses, so a failure stops nothing.
func (o *Org) describe(ctx context.Context, object string) *salesforce.Object {
	now := o.now()
	o.mu.Lock()
	d, ok := o.described[object]
	o.mu.Unlock()
	if ok && now.Before(d.until) {
		return d.object
	}
	found, err := o.client.Describe(ctx, object)
	fresh := description{object: found, until: now.Add(describeFor)}
	if err != nil {
		fresh = description{object: d.object, until: now.Add(describeAgain)}
	}
	o.mu.Lock()
	o.described[object] = fresh
	o.mu.Unlock()
	return fresh.object
}
