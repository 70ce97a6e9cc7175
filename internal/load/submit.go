package load

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/form"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// What becomes of submissions and of an attack's requests, as results call it.
const (
	Accepted      = "accepted"
	Cancelled     = "cancelled"
	AttackRefused = "attack: refused with 429"
	attackServed  = "attack: served"
	waitlisted    = "waitlisted"
	declined      = "declined"
	turnedAway    = "turned away: full"
	shut          = "turned away: no form"
	answered      = "answered before"
	refused       = "refused: to be mended"
	unshown       = "taken, but its page was not shown"
	unclear       = "no clear answer"
)

// submit sends the form of the last page, and looks at where it leads.
func (v *visitor) submit(ctx context.Context, s scenario.Step, due time.Duration) (end time.Duration, on bool) {
	f, ok := form.Cut(v.page.Body)
	if !ok || s.Submit == "decline" && !f.Offers("action") {
		v.rec.Outcome(closed(v.page))
		return due, false
	}
	by := v.filling(s)
	waits := asksToWait(f)
	if waits && v.rng.Float64() >= s.Waitlist {
		v.rec.Outcome(turnedAway)
		return due, false
	}
	for {
		to, ok := v.browser.Resolve(v.page.Path, f.Action)
		if !ok {
			return due, false
		}
		page, end, fault := v.ask(ctx, asked{step: s.Name, path: to, body: body(f, by), due: due, right: append(or(s.Expect, http.StatusSeeOther), http.StatusConflict)})
		switch {
		case fault == "interrupted":
			return end, false
		case fault != "":
			v.rec.Outcome(unclear)
			return end, false
		case page.Status == http.StatusSeeOther:
			return v.arrived(ctx, s, f.Value("key"), page, end)
		case page.Status != http.StatusConflict: // as the scenario expects
			v.page = page
			v.rec.Outcome(refused)
			return end, true
		}
		// It is full. Some wait for a place, by the form that came back.
		again, ok := form.Cut(page.Body)
		if !ok || waits || !again.Offers(joinWaitlist) && !asksToWait(again) || v.rng.Float64() >= s.Waitlist {
			v.rec.Outcome(turnedAway)
			return end, false
		}
		waits = true
		f, by.Button, due = again, joinWaitlist, end+v.pause(s.Think)
		if !v.until(ctx, due) {
			return due, false
		}
	}
}

// joinWaitlist is the button by which a form that came back offers the waitlist, and
// the field of a form that asks for a place on it and nothing else.
const joinWaitlist = "join_waitlist"

// asksToWait reports whether whoever sends a form asks for a place on the waitlist. Who
// changes a registration that is on it does not ask again.
func asksToWait(f form.Form) bool {
	return f.Value(joinWaitlist) != "" && f.Value("revision") == ""
}

// body is a form as it is sent; one without fields still is one.
func body(f form.Form, by form.Filling) string {
	if text := f.Encode(by); text != "" {
		return text
	}
	return "&"
}

func (v *visitor) pause(mean time.Duration) time.Duration {
	return time.Duration(float64(mean) * (0.5 + v.rng.Float64()))
}

// filling is how this visitor fills forms.
func (v *visitor) filling(s scenario.Step) form.Filling {
	f := form.Filling{Fixed: s.Fill, Choose: v.rng.IntN, Text: func(name string) string {
		switch name {
		case "first_name":
			return "Load"
		case "last_name":
			return fmt.Sprintf("Visitor %d", v.number)
		case "email":
			return fmt.Sprintf("load.%s.%d@example.com", v.Stamp, v.number)
		}
		return "made up by turnout load"
	}}
	if s.Submit == "decline" {
		f.Button = "action"
	}
	return f
}

// arrived notes that a submission was acknowledged, and opens the page that it leads
// to, as browsers do at once.
func (v *visitor) arrived(ctx context.Context, s scenario.Step, key string, page browse.Page, end time.Duration) (time.Duration, bool) {
	if key != "" {
		v.ledger.add(key)
		if s.Submit != "decline" {
			v.rec.Acknowledged(end)
		}
	}
	to, ok := v.browser.Resolve(page.Path, page.Location)
	if !ok {
		v.rec.Outcome(unclear)
		return end, false
	}
	shown, end, fault := v.ask(ctx, asked{step: scenario.See, path: to, due: end, right: []int{http.StatusOK}})
	if fault != "" {
		v.rec.Outcome(unshown)
		return end, false
	}
	v.page = shown
	if strings.HasPrefix(to, "/registrations/") {
		v.values.Registration = to
	}
	v.rec.Outcome(standing(s, shown.Body))
	return end, true
}

// standing is how a registration's page says that it stands.
func standing(s scenario.Step, body string) string {
	switch {
	case s.Submit == "decline":
		return declined
	case strings.Contains(body, `class="banner good"`):
		return Accepted
	case strings.Contains(body, `class="banner wait"`):
		return waitlisted
	case strings.Contains(body, `class="banner off"`):
		return Cancelled
	}
	return unclear
}

// closed is why a page has no form to send.
func closed(p browse.Page) string {
	if slices.ContainsFunc([]string{"good", "wait", "off"}, func(mood string) bool {
		return strings.Contains(p.Body, `class="banner `+mood+`"`)
	}) {
		return answered
	}
	return shut
}
