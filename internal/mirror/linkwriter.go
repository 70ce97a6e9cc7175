package mirror

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
)

// linkWriter stores the links of one pass and tells the feed of them, always
// in this order.
type linkWriter struct {
	p *orgMirror

	// What was stored and not told yet: the first links by their ids, and the
	// events of all. The empty event stands for all of the org.
	links  []turnout.LinkID
	events map[turnout.EventID]bool
	told   time.Time
}

func (p *orgMirror) newLinkWriter() *linkWriter {
	return &linkWriter{p: p, events: map[turnout.EventID]bool{}, told: p.o.Now()}
}

// put stores links.
func (w *linkWriter) put(ctx context.Context, links []turnout.AttendeeLink) error {
	if len(links) == 0 {
		return nil
	}
	if err := w.p.o.Links.PutLinks(ctx, links); err != nil {
		return err
	}
	for _, l := range links {
		w.stored(l.ID, l.Event)
	}
	return nil
}

// remove removes revoked links.
func (w *linkWriter) remove(ctx context.Context, revoked []namedLink) error {
	if len(revoked) == 0 {
		return nil
	}
	gone := make([]turnout.AttendeeLink, len(revoked))
	for i, l := range revoked {
		gone[i] = turnout.AttendeeLink{ID: l.id, Org: w.p.org, Changed: l.Modified}
	}
	if err := w.p.o.Links.DeleteLinks(ctx, gone); err != nil {
		return err
	}
	for _, l := range revoked {
		w.stored(l.id, l.Event)
	}
	return nil
}

func (w *linkWriter) stored(id turnout.LinkID, event turnout.EventID) {
	if len(w.links) <= namedLinks {
		w.links = append(w.links, id)
	}
	w.events[event] = true
}

// tell tells the feed, at most once a second unless it is the end.
func (w *linkWriter) tell(ctx context.Context, end bool) error {
	now := w.p.o.Now()
	if len(w.links) == 0 || !end && now.Sub(w.told) < tellLinksEvery {
		return nil
	}
	var changes []turnout.Change
	add := func(id string) {
		changes = append(changes, turnout.Change{Kind: turnout.ChangeLinks, Org: w.p.org, ID: id, At: now})
	}
	if len(w.links) <= namedLinks {
		for _, id := range w.links {
			add(id.String())
		}
	} else {
		for event := range w.events {
			add(string(event))
		}
	}
	if err := w.p.o.Feed.AppendChanges(ctx, changes); err != nil {
		return err
	}
	w.told, w.links = now, nil
	clear(w.events)
	return nil
}
