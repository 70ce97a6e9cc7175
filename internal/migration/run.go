package migration

import (
	"context"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// How often Run looks for an org whose time has come, and how long it leaves everybody
// to follow one that was moved before the next: edges and instances look at the change
// feed four times a second.
const (
	look   = 15 * time.Second
	breath = 2 * time.Second
)

// Run moves orgs as their time comes, one after the other, until ctx ends. It begins
// after a breath, since whoever has just come up does not know yet who else is.
func (m *Migration) Run(ctx context.Context) error {
	blind := false // said once, and not four times a minute
	for pause := breath; ; {
		next := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			next.Stop()
			return nil
		case <-next.C:
		}
		again, err := m.Step(ctx)
		if err != nil && !blind && ctx.Err() == nil {
			m.o.Logger.Error("migration: cannot go on; trying on", "error", err)
		}
		blind = err != nil
		if pause = look; again {
			pause = breath
		}
	}
}

// What a process has the turn for: whoever cannot reach a stack may say so, and keeps
// nobody from moving orgs to it who can.
const (
	moving = "move"
	noting = "note"
)

// Step moves one org whose time has come, if the stack can serve it and the turn is
// ours, and reports whether it did.
func (m *Migration) Step(ctx context.Context) (bool, error) {
	orgs, err := m.Orgs(ctx)
	if err != nil {
		return false, err
	}
	due := Due(orgs, m.o.Now())
	m.saw(orgs, due)
	if !slices.ContainsFunc(orgs, waits) {
		return false, nil
	}
	if err := m.o.Looked(ctx); err != nil {
		return false, err
	}
	for _, o := range due {
		obstacle := m.obstacle(o)
		if obstacle != "" {
			if err := m.hinder(ctx, o, obstacle); err != nil {
				return false, err
			}
			continue
		}
		if ours, err := m.o.Turn(ctx, moving); err != nil || !ours {
			return false, err
		}
		moved, err := m.change(ctx, o.ID, cutover(o))
		if err != nil {
			return false, err
		}
		if moved {
			m.o.Logger.Info("migration: org moved", "org", o.ID, "from", o.Move.From, "to", o.Move.To, "wave", o.Move.Wave)
			return true, nil
		}
	}
	return false, nil
}

// cutover moves an org that is still as it was when its time had come: meanwhile the night
// may be over, or another plan made.
func cutover(seen turnout.Org) step {
	return func(o turnout.Org, now time.Time) (turnout.Org, error) {
		if o.Move == nil || *o.Move != *seen.Move || !o.Move.Window.Open(now, Zone(o)) {
			return o, turnout.Errorf(turnout.CodeConflict, "move org", "org %s does not wait as it did", o.ID)
		}
		return o.Cutover(now)
	}
}

// obstacle is why an org cannot be moved now, empty if it can.
func (m *Migration) obstacle(o turnout.Org) string {
	if o.Placement.Stack != o.Move.From {
		return "it was put on another stack since it was planned; plan again"
	}
	if err := m.o.Ready(o, o.Move.To); err != nil {
		return err.Error()
	}
	return ""
}

// hinder notes why an org does not move, for whoever looks at the migration.
func (m *Migration) hinder(ctx context.Context, o turnout.Org, obstacle string) error {
	if o.Move.Obstacle == obstacle {
		return nil
	}
	if ours, err := m.o.Turn(ctx, noting); err != nil || !ours {
		return err
	}
	m.o.Logger.Warn("migration: an org cannot be moved yet", "org", o.ID, "to", o.Move.To, "obstacle", obstacle)
	seen := *o.Move
	_, err := m.change(ctx, o.ID, func(o turnout.Org, _ time.Time) (turnout.Org, error) {
		if o.Move == nil || *o.Move != seen {
			return o, turnout.Errorf(turnout.CodeConflict, "note obstacle", "org %s does not wait as it did", o.ID)
		}
		return o.Hindered(obstacle)
	})
	return err
}

// Due are the orgs whose time has come, of those of a migration: of the first wave that
// is not through, once its pause after the waves before it is over, those in whose night it is.
func Due(orgs []turnout.Org, now time.Time) []turnout.Org {
	from, wave := opening(orgs)
	return slices.DeleteFunc(slices.Clone(orgs), func(o turnout.Org) bool {
		return !waits(o) || o.Move.Wave != wave || from.After(now) || !o.Move.Window.Open(now, Zone(o))
	})
}

// opening is the first wave of which an org waits, 0 for none, and from when on it may
// begin: its pause after the last cutover of the waves before it.
func opening(orgs []turnout.Org) (from time.Time, wave int) {
	var pause time.Duration
	for _, o := range orgs {
		if waits(o) && (wave == 0 || o.Move.Wave < wave) {
			wave, pause = o.Move.Wave, o.Move.Pause
		}
	}
	for _, o := range orgs {
		if at := o.Move.At.Add(pause); moved(o) && o.Move.Wave < wave && at.After(from) {
			from = at
		}
	}
	return from, wave
}

// Expected is when an org that waits may move at the earliest, of those of a migration;
// false while that hangs on an earlier wave.
func Expected(orgs []turnout.Org, o turnout.Org, now time.Time) (time.Time, bool) {
	from, wave := opening(orgs)
	if !waits(o) || o.Move.Wave != wave {
		return time.Time{}, false
	}
	if from.Before(now) {
		from = now
	}
	opens, _ := o.Move.Window.Next(from, Zone(o))
	if opens.Before(from) {
		opens = from
	}
	return opens, true
}

// Zone is where an org's night is. That it exists is checked when the org is set up.
func Zone(o turnout.Org) *time.Location {
	if z, err := time.LoadLocation(o.Zone); err == nil {
		return z
	}
	return time.UTC
}
