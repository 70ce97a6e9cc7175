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

	// named is how many links are told by their ids.
	named int

	// What was stored and not told yet: the first links by their ids, and the
	// events of all.
	links  []turnout.LinkID
	events map[turnout.EventID]bool
	// whole says that all of the org's links are to be told of.
	whole bool
	told  time.Time
}

func (p *orgMirror) newLinkWriter(named int) *linkWriter {
	return &linkWriter{p: p, named: named, events: map[turnout.EventID]bool{}, told: p.o.Now()}
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
	if len(w.links) <= w.named {
		w.links = append(w.links, id)
	}
	w.events[event] = true
}

// tell tells the feed, at most once a second unless it is the end.
func (w *linkWriter) tell(ctx context.Context, end bool) error {
	now := w.p.o.Now()
	if len(w.links) == 0 && !w.whole || !end && now.Sub(w.told) < tellLinksEvery {
		return nil
	}
	var changes []turnout.Change
	add := func(id string) {
		changes = append(changes, turnout.Change{Kind: turnout.ChangeLinks, Org: w.p.org, ID: id, At: now})
	}
	switch {
	case w.whole:
		add("")
	case len(w.links) <= w.named:
		for _, id := range w.links {
			add(id.String())
		}
	default:
		for event := range w.events {
			add(string(event))
		}
	}
	if err := w.p.o.Feed.AppendChanges(ctx, changes); err != nil {
		return err
	}
	w.told, w.links, w.whole = now, nil, false
	clear(w.events)
	return nil
}
