package catalog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// LinkPages reads the cache's AttendeeLinks in order.
type LinkPages interface {
	// LinksAfter returns up to limit links of an org in order of id, from the one
	// after; the zero id is before all. Fewer are the last.
	LinksAfter(ctx context.Context, org turnout.OrgID, after turnout.LinkID, limit int) ([]turnout.AttendeeLink, error)
}

// KeyPages reads people's wrapped keys in order.
type KeyPages interface {
	// DataKeysAfter returns up to limit keys in order of person, from the one
	// after; the zero id is before all. Fewer are the last.
	DataKeysAfter(ctx context.Context, org turnout.OrgID, after turnout.PersonID, limit int) ([]turnout.DataKey, error)
}

// Stock is where all links and keys can be read one after the other, which costs
// a tenth of asking for each.
type Stock struct {
	Orgs  Orgs
	Links LinkPages
	Keys  KeyPages
}

const (
	// aheadPage is how many links or keys are read at a time.
	aheadPage = 1000
	// settle is how long after news of many links they are read again: while a
	// backfill goes on there are such news every second.
	settle = 3 * time.Second
	// rest is how many times as long as it took to read ahead it rests afterwards,
	// so that news without end cost a twentieth of one core.
	rest = 9
)

// owing is whose links have to be read again.
type owing struct {
	mu   sync.Mutex
	orgs map[turnout.OrgID]bool
	any  bool
	wake chan struct{}
}

func newOwing() owing {
	return owing{orgs: map[turnout.OrgID]bool{}, wake: make(chan struct{}, 1)}
}

func (o *owing) org(id turnout.OrgID) { o.owe(func() { o.orgs[id] = true }) }
func (o *owing) all()                 { o.owe(func() { o.any = true }) }

func (o *owing) owe(note func()) {
	o.mu.Lock()
	note()
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take takes what is owed.
func (o *owing) take() (orgs map[turnout.OrgID]bool, any bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	orgs, any = o.orgs, o.any
	o.orgs, o.any = map[turnout.OrgID]bool{}, false
	return orgs, any
}

// Run reads every link ahead of need, and again those that the feed outdates in
// bulk, until ctx ends. Of a million links that are mailed out, nearly each is
// opened once: what comes in only when it is asked for comes in too late.
// Nothing waits for it; what was not read yet is asked for one by one.
func (l *Links) Run(ctx context.Context) error {
	if l.o.Stock == nil {
		<-ctx.Done()
		return nil
	}
	l.owing.all()
	for quiet := time.Duration(0); ; quiet = settle {
		select {
		case <-l.owing.wake:
		case <-ctx.Done():
			return nil
		}
		pause(ctx, quiet)
		begun := time.Now()
		orgs, any := l.owing.take()
		if err := l.readAhead(ctx, orgs, any); err != nil && ctx.Err() == nil {
			l.o.Logger.Warn("links cannot be read ahead; each is read when it is asked for", "error", err)
			l.owing.all()
		}
		pause(ctx, rest*time.Since(begun))
	}
}

// ReadAhead reads every link and key once. An error is the first; what was read
// before it is held.
func (l *Links) ReadAhead(ctx context.Context) error { return l.readAhead(ctx, nil, true) }

func (l *Links) readAhead(ctx context.Context, some map[turnout.OrgID]bool, any bool) error {
	orgs, err := l.o.Stock.Orgs.Orgs(ctx)
	if err != nil {
		return fmt.Errorf("list orgs: %w", err)
	}
	for _, org := range orgs {
		if !any && !some[org.ID] {
			continue
		}
		if err := l.keysAhead(ctx, org.ID); err != nil {
			return fmt.Errorf("keys of %s: %w", org.ID, err)
		}
		if err := l.linksAhead(ctx, org.ID); err != nil {
			return fmt.Errorf("links of %s: %w", org.ID, err)
		}
	}
	return nil
}

func (l *Links) keysAhead(ctx context.Context, org turnout.OrgID) error {
	var after turnout.PersonID
	return l.pages(ctx, func(_ uint64, current func() bool) (more bool, err error) {
		page, err := l.o.Stock.Keys.DataKeysAfter(ctx, org, after, aheadPage)
		if err != nil || len(page) == 0 {
			return false, err
		}
		for _, k := range page {
			if whose := (holder{org, k.Person}); !l.held.hasKey(whose) {
				l.held.putKey(whose, k.Wrapped, current)
			}
		}
		if !current() {
			return true, nil // the same page again
		}
		after = page[len(page)-1].Person
		return len(page) == aheadPage && l.held.keys.Len() < l.o.People/4*3, nil
	})
}

func (l *Links) linksAhead(ctx context.Context, org turnout.OrgID) error {
	var after turnout.LinkID
	return l.pages(ctx, func(epoch uint64, current func() bool) (more bool, err error) {
		page, err := l.o.Stock.Links.LinksAfter(ctx, org, after, aheadPage)
		if err != nil || len(page) == 0 {
			return false, err
		}
		last, full := page[len(page)-1].ID, len(page) == aheadPage
		if err := l.held.put(l.missing(page), epoch, current); err != nil {
			return false, err
		}
		if !current() {
			return true, nil // the same page again
		}
		after = last
		return full && !l.held.links.Full(), nil
	})
}

// missing are those of a page that are not held. It uses the page's memory.
func (l *Links) missing(page []turnout.AttendeeLink) []turnout.AttendeeLink {
	some := page[:0]
	for i := range page {
		if _, _, ok := l.held.link(spot{page[i].Org, page[i].ID}); !ok {
			some = append(some, page[i])
		}
	}
	return some
}

// pages calls step until there is no more, and rests after each as long as it
// took, so that it takes half of one core at most. What a step reads is of its
// epoch, and is held only while that is the current one.
func (l *Links) pages(ctx context.Context, step func(epoch uint64, current func() bool) (more bool, err error)) error {
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return err
		}
		begun, epoch := time.Now(), l.epoch.Load()
		var err error
		if more, err = step(epoch, func() bool { return l.epoch.Load() == epoch }); err != nil {
			return err
		}
		pause(ctx, time.Since(begun))
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
