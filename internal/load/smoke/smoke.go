// Package smoke asks for every public page of a target once, in its order, and says
// of each whether it is right. It takes seconds, and is safe on a platform in use: it
// registers only for an event that was made for it or named for it, cancels what it
// registered, and changes nothing else.
package smoke

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/measure"
	"github.com/turnout-events/turnout/internal/load/result"
)

// About is the sentence about the scenario.
const About = "Every public page is asked for once, and what is answered is looked at; one registration is made, changed and cancelled over the pages, and one over the API."

// Options of a run.
type Options struct {
	Target *browse.Site
	// Event is the slug of an event to register for; "" registers nothing.
	Event string
	// Link is the path of a personal link that nobody uses, "" for none. It is opened
	// and, if Answer, answered, cancelled and declined.
	Link   string
	Answer bool
	// Stamp stands in the address of the person who is made up.
	Stamp string
}

// within is how long all pages may take together, patience how long one may.
const (
	within   = 10 * time.Second
	patience = 3 * time.Second
)

// check is one page and what is right about it.
type check struct {
	method, route string // as it is shown
	path          string // as it is asked for
	body          string
	fields        map[string][]string
	statuses      []int
	// holds must stand in the answer; "" is nothing.
	holds string
	// then looks at a right answer for what later checks need.
	then func(browse.Page)
}

// smoke is one run.
type smoke struct {
	Options
	began   time.Time
	browser *browse.Browser
	rec     *measure.Recorder
	step    int
	pages   []result.Page
	notes   []string
	made    int
}

// Run asks for all pages, or for those that there is time for before ctx ends. made is
// how many registrations it made, none of which holds a place at its end.
func Run(ctx context.Context, o Options) (run *result.Run, made int) {
	s := &smoke{Options: o, began: time.Now(), browser: o.Target.New(), rec: measure.New()}
	s.step = s.rec.Step("ask for a page", "")
	s.public(ctx)
	if slug := s.slug(ctx); slug != "" {
		s.event(ctx, slug)
	}
	if s.Link != "" {
		s.link(ctx)
	} else {
		s.notes = append(s.notes, "No personal link was opened: name one with --links.")
	}
	took := time.Since(s.began)
	run = &result.Run{
		Scenario: "smoke", About: About, Target: o.Target.URL.String(), Began: s.began,
		Interrupted: ctx.Err() != nil, Pages: s.pages, Notes: s.notes,
	}
	s.rec.Into(run)
	run.Verdicts = append(run.Verdicts, result.Verdict{
		Threshold: fmt.Sprintf("all pages in less than %v", within), Measured: fmt.Sprintf("%.1f s", took.Seconds()), Met: took < within,
	})
	return run, s.made
}

// ask asks for one page and keeps the verdict. It reports whether all was right.
func (s *smoke) ask(ctx context.Context, c check) bool {
	if ctx.Err() != nil {
		return false
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := time.Since(s.began)
	s.rec.Begin(at)
	page, err := s.browser.Send(limited, c.method, c.path, c.body, c.fields, true)
	end := time.Since(s.began)
	if err != nil && ctx.Err() != nil {
		s.rec.Dropped(at)
		return false
	}
	fault := faultOf(c, page, err)
	s.rec.Done(measure.Observation{Step: s.step, Intended: at, Sent: at, Ended: end, Fault: fault, Unanswered: err != nil})
	verdict := result.Page{
		Method: c.method, Route: c.route, Status: page.Status, Milliseconds: float64((end - at).Microseconds()) / 1000, Bytes: page.Length, Fault: fault,
	}
	s.pages = append(s.pages, verdict)
	if fault == "" && c.then != nil {
		c.then(page)
	}
	return fault == ""
}

// faultOf is what is wrong with an answer.
func faultOf(c check, page browse.Page, err error) string {
	switch {
	case err != nil:
		return browse.Kind(err)
	case !slices.Contains(c.statuses, page.Status):
		return fmt.Sprintf("status %d, and right is %s", page.Status, words(c.statuses))
	case page.Refresh != "":
		return "a place in line, and no page"
	case c.holds != "" && !strings.Contains(page.Body, c.holds):
		return fmt.Sprintf("the answer has no %s", c.holds)
	}
	return ""
}

func words(statuses []int) string {
	var all []string
	for _, s := range statuses {
		all = append(all, fmt.Sprint(s))
	}
	return strings.Join(all, " or ")
}

func is(statuses ...int) []int { return statuses }
