package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/form"
	"github.com/turnout-events/turnout/internal/load/measure"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// visitor works through a journey. Used by one goroutine.
type visitor struct {
	*engine
	crowd   *scenario.Crowd
	rng     *rand.Rand
	number  int64
	browser *browse.Browser
	values  scenario.Values
	page    browse.Page // the last one
}

// visit works through one journey or, where the crowd stays, through one after the
// other until the run is over.
func (v *visitor) visit(ctx context.Context, at time.Duration) {
	for {
		if !v.arrive() {
			return
		}
		end, ok := v.travel(ctx, v.journey(), at)
		if !ok || !v.crowd.Stay || end >= v.Scenario.Duration {
			return
		}
		at = end
	}
}

// arrive makes the visitor somebody who was never here. It fails where a personal
// link is needed and none is left.
func (v *visitor) arrive() bool {
	site := v.Target
	if v.crowd.Attack {
		site = v.Attack
	}
	v.number, v.browser, v.page, v.values = v.people.Add(1), site.New(), browse.Page{}, scenario.Values{}
	if v.crowd.Links() {
		n := v.links.Add(1)
		if n > int64(len(v.Links)) {
			v.missed.Add(1)
			return false
		}
		v.values.Link = v.Links[n-1]
	} else if len(v.Events) > 0 {
		v.values.Event = v.Events[v.rng.IntN(len(v.Events))]
	}
	return true
}

// journey picks one by weight.
func (v *visitor) journey() scenario.Journey {
	all := 0
	for _, j := range v.crowd.Journeys {
		all += max(1, j.Weight)
	}
	at := v.rng.IntN(all)
	for _, j := range v.crowd.Journeys {
		if at -= max(1, j.Weight); at < 0 {
			return j
		}
	}
	return v.crowd.Journeys[0]
}

// travel does a journey's steps. Each is due a pause after the end of the one before.
// It gives when the last one ended, and whether the visitor may go on.
func (v *visitor) travel(ctx context.Context, j scenario.Journey, due time.Duration) (end time.Duration, ok bool) {
	for _, s := range j.Steps {
		if s.Share > 0 && v.rng.Float64() >= s.Share {
			return due, true
		}
		due += time.Duration(float64(s.Think) * (0.5 + v.rng.Float64()))
		if v.crowd.Stay && due >= v.Scenario.Duration {
			return due, true
		}
		if !v.until(ctx, due) {
			return due, false
		}
		var on bool
		if due, on = v.do(ctx, s, due); !on {
			return due, ctx.Err() == nil
		}
	}
	return due, true
}

// do does one step, and reports whether the journey goes on.
func (v *visitor) do(ctx context.Context, s scenario.Step, due time.Duration) (end time.Duration, on bool) {
	switch {
	case s.Odd:
		return v.beOdd(ctx, s.Name, due), true
	case s.Submit != "":
		return v.submit(ctx, s, due)
	case s.Scan != "":
		return v.scan(ctx, s, due)
	}
	return v.open(ctx, s, due)
}

// open asks for a page, and waits in line where that comes first.
func (v *visitor) open(ctx context.Context, s scenario.Step, due time.Duration) (end time.Duration, on bool) {
	path, err := scenario.Path(s.Open, v.values)
	if err != nil {
		return due, false // nothing was registered, which was told where it failed
	}
	for {
		page, end, fault := v.ask(ctx, asked{step: s.Name, path: path, due: due, right: or(s.Expect, 200)})
		if fault != "" {
			return end, false
		}
		if v.crowd.Attack {
			v.rec.Outcome(map[bool]string{true: AttackRefused, false: attackServed}[page.Status == http.StatusTooManyRequests])
		}
		if page.Refresh == "" {
			v.page = page
			v.findEvent()
			return end, true
		}
		pause, err := time.ParseDuration(page.Refresh + "s")
		if err != nil || end > v.Scenario.Duration+linePatience {
			v.rec.Outcome("left the line")
			return end, false
		}
		if due = end + pause; !v.until(ctx, due) {
			return due, false
		}
	}
}

// linePatience is how long after the last arrival people still wait in line.
const linePatience = time.Minute

// findEvent takes the event of a personal link from its page.
func (v *visitor) findEvent() {
	if v.values.Event != "" || v.values.Link == "" {
		return
	}
	_, rest, _ := strings.Cut(v.page.Body, `href="/events/`)
	slug, _, ok := strings.Cut(rest, `"`)
	if ok && len(slug) <= 80 && !strings.ContainsAny(slug, "?#/") {
		v.values.Event = slug
	}
}

// asked is one request of a visitor.
type asked struct {
	step, path string
	body       string // with one it is sent, without it is asked for
	due        time.Duration
	right      []int // statuses
}

// ask sends a request that was due at a time and records what became of it. A page
// that is a place in line is recorded as that. fault is "" where the answer is right.
func (v *visitor) ask(ctx context.Context, a asked) (page browse.Page, end time.Duration, fault string) {
	patient, cancel := context.WithTimeout(ctx, v.patience())
	defer cancel()
	sent := v.now()
	v.rec.Begin(a.due)
	var err error
	if a.body == "" {
		page, err = v.browser.Get(patient, a.path, true)
	} else {
		page, err = v.browser.Post(patient, a.path, a.body)
	}
	end = v.now()
	if err != nil && ctx.Err() != nil {
		v.rec.Dropped(a.due)
		return page, end, "interrupted"
	}
	step, fault := a.step, browse.Kind(err)
	switch {
	case err != nil:
	case page.Refresh != "" && page.Status == 200 && a.body == "":
		step = waiting
	case !slices.Contains(a.right, page.Status):
		fault = fmt.Sprintf("status %d", page.Status)
	}
	v.rec.Done(measure.Observation{
		Step: v.step(v.crowd.Name, step, a.due), Intended: a.due, Sent: sent, Ended: end, Fault: fault,
		Unanswered: err != nil && fault != browse.Timeout,
	})
	return page, end, fault
}

func (v *visitor) patience() time.Duration {
	if v.Scenario.Patience > 0 {
		return v.Scenario.Patience
	}
	return 30 * time.Second
}

// scan opens a page and then all that it leads to on the same site, as mail
// scanners do: they press nothing.
func (v *visitor) scan(ctx context.Context, s scenario.Step, due time.Duration) (end time.Duration, on bool) {
	path, err := scenario.Path(s.Scan, v.values)
	if err != nil {
		return due, false
	}
	page, end, fault := v.ask(ctx, asked{step: s.Name, path: path, due: due, right: or(s.Expect, 200)})
	if fault != "" || page.Refresh != "" {
		return end, false
	}
	v.page = page
	v.findEvent()
	if v.crowd.ChangesNothing {
		v.remember(path)
	}
	seen := []string{path}
	for _, link := range form.Links(page.Body, mostFollowed) {
		to, ok := v.browser.Resolve(path, link)
		if !ok || slices.Contains(seen, to) {
			continue
		}
		seen = append(seen, to)
		// Whatever answers is right, as long as it is an answer.
		if _, end, fault = v.ask(ctx, asked{step: s.Name, path: to, due: end, right: answers}); fault != "" {
			return end, false
		}
	}
	return end, true
}

// mostFollowed is how many links of a page a scanner follows, mostRemembered how many
// pages are looked at again afterwards.
const (
	mostFollowed   = 20
	mostRemembered = 100
)

var answers = []int{200, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 410}

func (e *engine) remember(path string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.scanned) < mostRemembered {
		e.scanned = append(e.scanned, path)
	}
}

func or(statuses []int, usual int) []int {
	if len(statuses) > 0 {
		return statuses
	}
	return []int{usual}
}
