package migration

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// When says when an org of a migration moves, or since when it is as it is, by its own
// clock. The orgs are all of that migration, by wave.
func When(orgs []turnout.Org, o turnout.Org, now time.Time) string {
	at := func(t time.Time) string { return t.In(Zone(o)).Format("2006-01-02 15:04 MST") }
	switch o.Move.State {
	case turnout.MovePlanned:
		window, _ := o.Move.Window.MarshalText()
		return fmt.Sprintf("%s, %s", window, cmp.Or(o.Zone, "UTC"))
	case turnout.MoveHeld:
		return "until turnout migrate start"
	case turnout.MoveWaiting:
		expected, ok := Expected(orgs, o, now)
		switch {
		case !ok:
			return fmt.Sprintf("after wave %d", waveBefore(orgs, o))
		case expected.After(now) && o.Move.Obstacle != "":
			return fmt.Sprintf("from %s; not the night before: %s", at(expected), o.Move.Obstacle)
		case expected.After(now):
			return "from " + at(expected)
		case o.Move.Obstacle != "":
			return "as soon as it can: " + o.Move.Obstacle
		}
		return "now"
	}
	is := cmp.Or(o.Placement.Stack, "the first stack")
	if should := map[turnout.MoveState]string{turnout.MoveDone: o.Move.To, turnout.MoveBack: o.Move.From}[o.Move.State]; is != cmp.Or(should, "the first stack") {
		return fmt.Sprintf("since %s; is on %s now", at(o.Move.At), is)
	}
	return "since " + at(o.Move.At)
}

// Summary counts the orgs of a migration by how far they are; empty for none.
func Summary(orgs []turnout.Org) string {
	var parts []string
	counts := Count(orgs).States
	for _, s := range States() {
		if n := counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(parts, ", ")
}

// waveBefore is the number of the wave before an org's.
func waveBefore(orgs []turnout.Org, o turnout.Org) int {
	i := slices.IndexFunc(orgs, func(other turnout.Org) bool { return other.Move.Wave == o.Move.Wave })
	return orgs[max(0, i-1)].Move.Wave
}

// Attended says whether an edge looks after the orgs that wait, which one with a store does
// four times a minute; empty where none waits. Looked is when one did last, zero for never.
func Attended(orgs []turnout.Org, looked, now time.Time) string {
	since, some := looked, false
	for _, o := range orgs {
		if !waits(o) {
			continue
		}
		some = true
		if o.Move.At.After(since) {
			since = o.Move.At
		}
	}
	switch ago := now.Sub(since).Round(time.Second); {
	case !some:
		return ""
	case ago > time.Minute:
		return fmt.Sprintf("no edge has looked for %v: is one with this store running, and of this version?", ago)
	case looked.Before(since):
		return "an edge looks within 15 s"
	}
	return fmt.Sprintf("an edge looked %v ago", now.Sub(looked).Round(time.Second))
}
