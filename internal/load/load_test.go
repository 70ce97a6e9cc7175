package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/load/arrival"
	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/form"
	"github.com/turnout-events/turnout/internal/load/measure"
	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// target answers in the test's own time.
type target struct {
	mu     sync.Mutex
	began  time.Time
	heard  []heard
	answer func(t *target, r *http.Request, at time.Duration) (status int, header http.Header, body string)
}

type heard struct {
	at     time.Duration
	method string
	path   string
	body   string
}

func (t *target) RoundTrip(r *http.Request) (*http.Response, error) {
	text := ""
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		text = string(b)
	}
	at := time.Since(t.began)
	t.mu.Lock()
	t.heard = append(t.heard, heard{at, r.Method, r.URL.RequestURI(), text})
	t.mu.Unlock()
	status, header, body := t.answer(t, r, at)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// wait lets a target's time go by, or a visitor's patience end.
func wait(r *http.Request, d time.Duration) {
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}

func (t *target) site() *browse.Site {
	t.began = time.Now()
	return &browse.Site{URL: &url.URL{Scheme: "http", Host: "acme.localhost"}, Via: t}
}

func crowd(a scenario.Arrive, visitors int, steps ...scenario.Step) scenario.Crowd {
	return scenario.Crowd{Name: "visitors", Visitors: visitors, Arrive: a, Journeys: []scenario.Journey{{Steps: steps}}}
}

func plan(duration time.Duration, c ...scenario.Crowd) *scenario.Scenario {
	return &scenario.Scenario{Name: "test", Duration: duration, Crowds: c}
}

func step(t *testing.T, run *result.Run, name, group string) result.Step {
	t.Helper()
	for _, s := range run.Steps {
		if s.Name == name && (group == "" || s.Group == group) {
			return s
		}
	}
	t.Fatalf("there is no step %q of %q in %+v", name, group, run.Steps)
	return result.Step{}
}

var even = scenario.Arrive{How: arrival.Even, Rate: 100}

// The open loop: a target that stands still for a second is not spared meanwhile,
// and the latencies of everybody who was meant to be answered then show it.
func TestAStalledTargetShowsInEverybodysLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// From 3 s to 4 s nothing is answered; answers otherwise take 5 ms.
		stalls := &target{answer: func(_ *target, r *http.Request, at time.Duration) (int, http.Header, string) {
			if at >= 3*time.Second && at < 4*time.Second {
				wait(r, 4*time.Second-at)
			}
			wait(r, 5*time.Millisecond)
			return 200, nil, ""
		}}
		s := plan(10*time.Second, crowd(even, 0, scenario.Step{Name: "open", Open: "/"}))
		run := Run(t.Context(), Options{Scenario: s, Target: stalls.site(), Seed: 1}).Run
		meanwhile := 0
		for _, h := range stalls.heard {
			if h.at >= 3*time.Second && h.at < 4*time.Second {
				meanwhile++
			}
		}
		in := run.Timeline[3]
		if meanwhile < 60 || int64(meanwhile) != in.Intended || in.Answered != in.Intended {
			t.Errorf("%d were sent while it stood still, %+v", meanwhile, in)
		}
		// Whoever came in that second waited half of it on average.
		if in.P50 < 350 || in.P50 > 650 || in.P99 < 900 || in.Max < 900 || in.Max > 1010 {
			t.Errorf("the second in which it stood still: %+v", in)
		}
		// A tenth of all were meant to be sent meanwhile: p99 of the run shows it.
		open := step(t, run, "open", "")
		if open.Latency.P99 < 800 || open.Latency.P50 > 10 {
			t.Errorf("the run: %+v", open.Latency)
		}
		if run.Timeline[4].P99 > 10 {
			t.Errorf("the second after it: %+v", run.Timeline[4])
		}
	})
}

// What is due is due: the end of an answer that came late moves the next step of its
// own visitor, and of nobody else.
func TestThinkTimeBeginsWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &target{answer: func(_ *target, r *http.Request, _ time.Duration) (int, http.Header, string) {
			if r.URL.Path == "/slow" {
				wait(r, 2*time.Second)
			}
			return 200, nil, ""
		}}
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.AtOnce}, 50,
			scenario.Step{Name: "first", Open: "/slow"}, scenario.Step{Name: "second", Open: "/fast", Think: 10 * time.Second}))
		run := Run(t.Context(), Options{Scenario: s, Target: slow.site(), Seed: 1}).Run
		if l := step(t, run, "first", "").Latency; l.P50 < 1990 || l.Max > 2010 {
			t.Errorf("the first: %+v", l)
		}
		if l := step(t, run, "second", "").Latency; l.Max > 1 || l.Count != 50 {
			t.Errorf("the second: %+v", l)
		}
		for _, h := range slow.heard {
			if h.path == "/fast" && (h.at < 7*time.Second || h.at > 17*time.Second) {
				t.Errorf("a pause of 10 s ended after %v", h.at-2*time.Second)
			}
		}
	})
}

// The same seed sends the same requests at the same times, whatever the target takes.
func TestTheSameSeedSendsTheSame(t *testing.T) {
	sent := func(t *testing.T, seed uint64, takes time.Duration) (all []string) {
		synctest.Test(t, func(t *testing.T) {
			any := &target{answer: func(_ *target, r *http.Request, _ time.Duration) (int, http.Header, string) {
				wait(r, takes)
				return 200, nil, ""
			}}
			c := crowd(even, 0, scenario.Step{Name: "open", Open: "/events/{event}"})
			c.Journeys = append(c.Journeys, scenario.Journey{Weight: 2, Steps: []scenario.Step{{Name: "list", Open: "/"}}})
			Run(t.Context(), Options{Scenario: plan(5*time.Second, c), Target: any.site(), Seed: seed, Events: []string{"a", "b"}})
			for _, h := range any.heard {
				all = append(all, fmt.Sprint(h.at, h.path))
			}
		})
		return all
	}
	first := sent(t, 7, 0)
	if len(first) < 300 {
		t.Fatalf("%d requests", len(first))
	}
	if !slices.Equal(first, sent(t, 7, 3*time.Second)) {
		t.Error("a slower target got other requests, or at other times")
	}
	if slices.Equal(first, sent(t, 8, 0)) {
		t.Error("another seed sends the same")
	}
}

const formPage = `<form method="post" action="?send"><input type="hidden" name="key" value="%s"><input name="email" required></form><a href="/events/gala">Gala</a>`

// How a form offers the waitlist: by a button of its own on a form that was refused, and
// by nothing else once its page knows that the event is full.
const (
	waitButton = `<button name="join_waitlist" value="yes">Wait</button></form>`
	waitOnly   = `<input type="hidden" name="join_waitlist" value="yes"><button>Join the waitlist</button></form>`
)

// organiser answers as Turnout does, with so many seats. Forms that are opened once it
// is full, and those that were refused, end with waits.
func organiser(seats int, waits string) *target {
	taken, n := 0, 0
	return &target{answer: func(t *target, r *http.Request, _ time.Duration) (int, http.Header, string) {
		t.mu.Lock()
		defer t.mu.Unlock()
		last := t.heard[len(t.heard)-1].body
		values, _ := url.ParseQuery(last)
		switch {
		case strings.HasPrefix(r.URL.Path, "/registrations/"):
			return 200, nil, `<div class="banner ` + r.URL.Query().Get("is") + `"></div>`
		case r.Method == http.MethodGet:
			n++
			page := fmt.Sprintf(formPage, fmt.Sprintf("key-%d", n))
			if taken == seats && waits == waitOnly {
				page = strings.Replace(page, "</form>", waits, 1)
			}
			return 200, nil, page
		case values.Get("join_waitlist") == "yes":
			return 303, http.Header{"Location": {"/registrations/x?is=wait"}}, ""
		case taken < seats:
			taken++
			return 303, http.Header{"Location": {"/registrations/x?is=good"}}, ""
		}
		return 409, nil, strings.Replace(fmt.Sprintf(formPage, values.Get("key")), "</form>", waits, 1)
	}}
}

func TestSubmissionsAndWhatBecomesOfThem(t *testing.T) {
	for name, waits := range map[string]string{"a button offers the waitlist": waitButton, "the form is for the waitlist": waitOnly} {
		t.Run(name, func(t *testing.T) { whatBecomesOfSubmissions(t, waits) })
	}
}

func whatBecomesOfSubmissions(t *testing.T, waits string) {
	synctest.Test(t, func(t *testing.T) {
		o := organiser(30, waits)
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.AtOnce}, 100,
			scenario.Step{Name: "open", Open: "/events/{event}/register"}, scenario.Step{Name: "submit", Submit: "form", Think: time.Second, Waitlist: 0.5}))
		out := Run(t.Context(), Options{Scenario: s, Target: o.site(), Seed: 3, Events: []string{"gala"}, Stamp: "t"})
		counts := map[string]int64{}
		for _, c := range out.Run.Outcomes {
			counts[c.What] = c.Count
		}
		if counts[Accepted] != 30 || counts[waitlisted] < 20 || counts[waitlisted] > 50 || counts[Accepted]+counts[waitlisted]+counts[turnedAway] != 100 {
			t.Errorf("%v", counts)
		}
		if n := out.Acknowledged.Len(); int64(n) != counts[Accepted]+counts[waitlisted] {
			t.Errorf("%d are acknowledged of %v", n, counts)
		}
		if s := step(t, out.Run, "submit", ""); len(s.Errors) != 0 || s.Sent != 100+counts[waitlisted] {
			t.Errorf("%+v", s)
		}
		var emails []string
		for _, h := range o.heard {
			if v, _ := url.ParseQuery(h.body); v.Get("email") != "" && h.method == http.MethodPost {
				emails = append(emails, v.Get("email")+v.Get("join_waitlist"))
			}
		}
		slices.Sort(emails)
		if len(slices.Compact(slices.Clone(emails))) != len(emails) {
			t.Error("two people have the same address")
		}
	})
}

// Whoever opens the form of an event that is full is asked whether they wait, too.
func TestFormsForTheWaitlistAloneAreNotSentByAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := organiser(0, waitOnly)
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.Even}, 100,
			scenario.Step{Name: "open", Open: "/events/{event}/register"}, scenario.Step{Name: "submit", Submit: "form", Waitlist: 0.5}))
		run := Run(t.Context(), Options{Scenario: s, Target: o.site(), Seed: 3, Events: []string{"gala"}, Stamp: "t"}).Run
		counts := map[string]int64{}
		for _, c := range run.Outcomes {
			counts[c.What] = c.Count
		}
		if counts[waitlisted] < 30 || counts[waitlisted] > 70 || counts[waitlisted]+counts[turnedAway] != 100 {
			t.Errorf("%v", counts)
		}
	})
}

// Who changes a registration that is in line stays there, and is not asked again.
func TestWhoIsInLineIsNotAskedAgain(t *testing.T) {
	for page, want := range map[string]bool{
		`<form method="post">` + waitOnly:                                                true,
		`<form method="post"><input type="hidden" name="revision" value="2">` + waitOnly: false,
		`<form method="post">` + waitButton:                                              false,
	} {
		if f, ok := form.Cut(page); !ok || asksToWait(f) != want {
			t.Errorf("%s asks for a place in line: %v", page, !want)
		}
	}
}

// A registration that was acknowledged is one, though its page was refused.
func TestTakenAndNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := organiser(10, waitButton)
		answer := o.answer
		o.answer = func(t *target, r *http.Request, at time.Duration) (int, http.Header, string) {
			if strings.HasPrefix(r.URL.Path, "/registrations/") {
				return 429, nil, ""
			}
			return answer(t, r, at)
		}
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.Even}, 10,
			scenario.Step{Name: "open", Open: "/events/{event}/register"}, scenario.Step{Name: "submit", Submit: "form"}))
		out := Run(t.Context(), Options{Scenario: s, Target: o.site(), Seed: 3, Events: []string{"gala"}, Stamp: "t"})
		if len(out.Run.Outcomes) != 1 || out.Run.Outcomes[0].What != unshown || out.Run.Outcomes[0].Count != 10 || out.Acknowledged.Len() != 10 {
			t.Errorf("%v, %d acknowledged", out.Run.Outcomes, out.Acknowledged.Len())
		}
	})
}

func TestLinksAreForOneVisitorEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := organiser(1000, waitButton)
		var links []string
		for i := range 40 {
			links = append(links, fmt.Sprintf("/l/%d", i))
		}
		people := crowd(scenario.Arrive{How: arrival.Even}, 30, scenario.Step{Name: "open", Open: "{link}"}, scenario.Step{Name: "event", Open: "/events/{event}"})
		scanners := crowd(scenario.Arrive{How: arrival.Even}, 20, scenario.Step{Name: "scan", Scan: "{link}"})
		scanners.Name, scanners.ChangesNothing = "scanners", true
		out := Run(t.Context(), Options{Scenario: plan(time.Second, people, scanners), Target: o.site(), Seed: 3, Links: links})
		opened := map[string]int{}
		for _, h := range o.heard {
			if h.method != http.MethodGet {
				t.Errorf("%s %s", h.method, h.path)
			}
			opened[h.path]++
		}
		for _, l := range links {
			if opened[l] != 1 {
				t.Errorf("%s was opened %d times", l, opened[l])
			}
		}
		if opened["/events/gala"] != 40 {
			t.Errorf("the event was opened %d times", opened["/events/gala"])
		}
		if len(out.Scanned) == 0 || len(out.Scanned) > 20 {
			t.Errorf("%d were scanned", len(out.Scanned))
		}
		if !slices.ContainsFunc(out.Run.Notes, func(n string) bool { return strings.HasPrefix(n, "10 visitors did not come") }) {
			t.Errorf("%q", out.Run.Notes)
		}
	})
}

func TestAPlaceInLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := &target{answer: func(_ *target, _ *http.Request, at time.Duration) (int, http.Header, string) {
			if at < 7*time.Second {
				return 200, http.Header{"Refresh": {"3"}}, "You are in line"
			}
			return 200, nil, "the form"
		}}
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.AtOnce}, 5, scenario.Step{Name: "open", Open: "/"}))
		run := Run(t.Context(), Options{Scenario: s, Target: line.site()}).Run
		if n := step(t, run, "open", "").Sent; n != 5 {
			t.Errorf("%d forms", n)
		}
		if n := step(t, run, waiting, "").Sent; n != 15 {
			t.Errorf("%d looks at places in line, want 15", n)
		}
	})
}

// Ctrl-C: everybody leaves at once, and what was measured by then is told.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &target{answer: func(_ *target, r *http.Request, at time.Duration) (int, http.Header, string) {
			if at > 2*time.Second {
				wait(r, time.Hour)
			}
			return 200, nil, ""
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		s := plan(time.Minute, crowd(even, 0, scenario.Step{Name: "open", Open: "/"}, scenario.Step{Name: "later", Open: "/", Think: time.Hour}))
		at := time.Now()
		run := Run(ctx, Options{Scenario: s, Target: hangs.site()}).Run
		if took := time.Since(at); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		open := step(t, run, "open", "")
		if !run.Interrupted || run.Passed() || open.Sent < 150 || open.Sent > 250 || len(open.Errors) != 0 {
			t.Errorf("%+v", run)
		}
	})
}

func TestPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &target{answer: func(_ *target, r *http.Request, _ time.Duration) (int, http.Header, string) {
			wait(r, time.Hour)
			return 200, nil, ""
		}}
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.AtOnce}, 3, scenario.Step{Name: "open", Open: "/"}))
		s.Patience = 4 * time.Second
		open := step(t, Run(t.Context(), Options{Scenario: s, Target: hangs.site()}).Run, "open", "")
		if fmt.Sprint(open.Errors) != "[{timeout 3}]" || open.Latency.P50 < 3990 || open.Latency.Count != 3 {
			t.Errorf("%+v", open)
		}
	})
}

// Whoever does not fit is not forgotten.
func TestTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &target{answer: func(_ *target, r *http.Request, _ time.Duration) (int, http.Header, string) {
			wait(r, time.Second)
			return 200, nil, ""
		}}
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.AtOnce}, 10, scenario.Step{Name: "open", Open: "/"}))
		run := Run(t.Context(), Options{Scenario: s, Target: hangs.site(), MostVisitors: 4}).Run
		if open := step(t, run, "open", ""); open.Sent != 4 || open.Errors[0].Count != 6 || run.Timeline[0].Intended != 10 {
			t.Errorf("%+v", open)
		}
		if !slices.ContainsFunc(run.Notes, func(n string) bool { return strings.Contains(n, "TURNED VISITORS AWAY: 6") }) {
			t.Errorf("%q", run.Notes)
		}
	})
}

// Those who stay begin anew, as somebody else, until the run is over; noisy crowds
// come in noisy periods only, and results tell these apart.
func TestStayingAndNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &target{answer: func(_ *target, r *http.Request, at time.Duration) (int, http.Header, string) {
			if at/(5*time.Second)%2 == 1 {
				wait(r, 100*time.Millisecond)
			}
			return 200, nil, ""
		}}
		stays := crowd(scenario.Arrive{How: arrival.AtOnce}, 10, scenario.Step{Name: "open", Open: "/"}, scenario.Step{Name: "again", Open: "/", Think: time.Second})
		stays.Stay = true
		noise := crowd(even, 0, scenario.Step{Name: "hammer", Open: "/hammer"})
		noise.Name, noise.Noisy, noise.Attack = "abusers", true, true
		s := plan(20*time.Second, stays, noise)
		s.Alternate = 5 * time.Second
		site := o.site()
		var seconds []Progress
		run := Run(t.Context(), Options{Scenario: s, Target: site, Attack: site, Progress: func(p Progress) { seconds = append(seconds, p) }}).Run
		for _, h := range o.heard {
			if h.path == "/hammer" && h.at/(5*time.Second)%2 == 0 {
				t.Fatalf("noise at %v", h.at)
			}
		}
		quiet, noisy := step(t, run, "open", "visitors, quiet"), step(t, run, "open", "visitors, noisy")
		if quiet.Latency.Max > 1 || noisy.Latency.P50 < 99 || quiet.Sent < 60 || noisy.Sent < 60 {
			t.Errorf("%+v\n%+v", quiet, noisy)
		}
		if len(seconds) < 19 || seconds[5].Sessions < 10 {
			t.Errorf("%d looks, %+v", len(seconds), seconds[5])
		}
	})
}

// looks are a Watch whose target takes a while to hand on.
type looks struct{ n int }

func (l *looks) Look(context.Context, int) measure.Seen {
	l.n++
	if l.n < 10 {
		return measure.Seen{Calls: 2, Waiting: 3, OldestAge: 4}
	}
	return measure.Seen{}
}

func TestTheQueueIsWatchedUntilItIsEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := plan(time.Second, crowd(scenario.Arrive{How: arrival.AtOnce}, 1,
			scenario.Step{Name: "open", Open: "/events/gala/register"}, scenario.Step{Name: "submit", Submit: "form"}))
		l := &looks{}
		run := Run(t.Context(), Options{Scenario: s, Target: organiser(1, waitButton).site(), Watch: l, Events: []string{"gala"}}).Run
		if l.n != 11 || run.Timeline[5].OldestAge != 4 || run.Timeline[len(run.Timeline)-1].OldestAge != 0 {
			t.Errorf("%d looks, %+v", l.n, run.Timeline)
		}
	})
}

func TestLedger(t *testing.T) {
	l := newLedger()
	for _, k := range []string{"a", "b", "c", "c"} {
		l.add(k)
	}
	lost, twice := l.Compare(slices.Values([]string{"a", "x", "b", "b", "b", "y", "y"}))
	if l.Len() != 3 || lost != 1 || twice != 2 {
		t.Errorf("%d, %d lost, %d twice", l.Len(), lost, twice)
	}
}
