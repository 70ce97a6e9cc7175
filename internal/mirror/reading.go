package mirror

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
)

// Reading says when an org was last read, by whichever process did it. It rests
// in the cache beside the cursors, so that every process answers the same, and
// one that hangs or is gone shows on all others.
type Reading struct {
	// At is when a pass of each kind last went through: "events", "links",
	// "registrations". One that never did is missing.
	At map[string]time.Time
	// Backfilling says that all links are being read for the first time, which
	// may take an hour.
	Backfilling bool
	// Links is how far that is, or reading many links that changed; nil where none
	// is under way.
	Links *Progress
}

// Oldest is when the kind that is furthest behind was last read; zero if one
// never was. Links count once all of them were read.
func (r Reading) Oldest() time.Time {
	var oldest time.Time
	for _, track := range tracks() {
		at, ok := r.At[track]
		switch {
		case !ok && track == trackLinks && r.Backfilling:
		case !ok:
			return time.Time{}
		case oldest.IsZero() || at.Before(oldest):
			oldest = at
		}
	}
	return oldest
}

// Reading tells when the org was last read.
func (m *Mirror) Reading(ctx context.Context, org turnout.OrgID) (Reading, error) {
	r := Reading{At: map[string]time.Time{}}
	for _, track := range tracks() {
		at, err := m.o.Cursors.Cursor(ctx, org, readCursor(track))
		if err != nil {
			return r, err
		}
		if !at.IsZero() {
			r.At[track] = at
		}
	}
	stored, at, err := m.o.place(ctx, org, trackLinks)
	r.Backfilling = marksBackfill(stored)
	if at != nil {
		p := at.progress(r.Backfilling)
		r.Links = &p
	}
	return r, err
}

// Every is the time between two polls of an org.
func (m *Mirror) Every() time.Duration { return m.o.Every }

func tracks() [3]string { return [...]string{trackEvents, trackLinks, trackRegistrations} }

// readCursor says when the last pass of a track went through.
func readCursor(track string) string { return "read " + track }

// noteRead notes that a pass went through. That it cannot be noted is no
// failure of the pass: the time that stays is older than the truth.
func (p *orgMirror) noteRead(ctx context.Context, track string) {
	now := p.o.Now()
	last, err := p.o.Cursors.Cursor(ctx, p.org, readCursor(track))
	if err == nil && now.After(last) {
		_, err = p.o.Cursors.SetCursor(ctx, p.org, readCursor(track), last, now)
	}
	if err != nil && ctx.Err() == nil {
		p.o.Logger.Warn("pass cannot be noted", "org", p.org, "pass", track, "err", err)
	}
}
