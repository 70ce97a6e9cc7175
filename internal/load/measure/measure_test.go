package measure

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/load/result"
)

const ms = time.Millisecond

func done(r *Recorder, step int, intended, sent, ended time.Duration, fault string) {
	r.Begin(intended)
	r.Done(Observation{Step: step, Intended: intended, Sent: sent, Ended: ended, Fault: fault})
}

func TestLatencyCountsFromTheIntendedTime(t *testing.T) {
	r := New()
	open := r.Step("open", "visitors")
	// A hundred requests, meant to be sent in the first second, were all sent and
	// answered in the third.
	for i := range 100 {
		done(r, open, time.Duration(i)*10*ms, 2500*ms, 2501*ms, "")
	}
	r.Tick(3*time.Second, Seen{Calls: 2, Waiting: 7, OldestAge: 1.5})
	var run result.Run
	r.Into(&run)
	l := run.Steps[0].Latency
	if l.Count != 100 || l.P50 < 1990 || l.P50 > 2030 || l.Max < 2500 || l.Max > 2510 {
		t.Errorf("%+v", l)
	}
	first := run.Timeline[0]
	if first.Intended != 100 || first.Answered != 100 || first.P99 < 2450 || first.Max < 2450 {
		t.Errorf("the first second: %+v", first)
	}
	if third := run.Timeline[2]; third.Intended != 0 || third.P99 != 0 || third.Calls != 2 || third.Waiting != 7 || third.OldestAge != 1.5 {
		t.Errorf("the third: %+v", third)
	}
	if p50, p99, most, _ := r.Lateness(); p50 < 1900 || p99 < 2400 || most < 2480 {
		t.Errorf("the generator was late by %g, %g, %g", p50, p99, most)
	}
	if run.Seconds != 2.501 {
		t.Errorf("it took %g s", run.Seconds)
	}
}

// What is refused at once is no fast answer.
func TestFailingFastIsNotBeingFast(t *testing.T) {
	r := New()
	s := r.Step("open", "")
	done(r, s, 0, 0, 100*ms, "")
	r.Begin(0)
	r.Done(Observation{Step: s, Ended: ms, Fault: "refused", Unanswered: true})
	done(r, s, 0, 0, 30*time.Second, "timeout")
	r.Never(s, 0, "no room")
	var run result.Run
	r.Into(&run)
	got := run.Steps[0]
	if got.Latency.Count != 2 || got.Sent != 3 || fmt.Sprint(got.Errors) != "[{no room 1} {refused 1} {timeout 1}]" {
		t.Errorf("%+v", got)
	}
	if in := run.Timeline[0]; in.Intended != 4 || in.Errors != 3 || in.Answered != 2 {
		t.Errorf("%+v", in)
	}
}

// An answer that comes after its second was summed up still shows there.
func TestVeryLateAnswers(t *testing.T) {
	r := New()
	s := r.Step("open", "")
	done(r, s, 0, 0, 10*ms, "")
	r.Tick(60*time.Second, Seen{})
	done(r, s, 0, 0, 90*time.Second, "")
	var run result.Run
	r.Into(&run)
	if in := run.Timeline[0]; in.Max < 89_000 || in.P50 > 11 || in.Answered != 2 {
		t.Errorf("%+v", in)
	}
}

// Ten hours of requests take no more memory than their intervals.
func TestMemoryIsBounded(t *testing.T) {
	r := New()
	s := r.Step("open", "")
	seconds := 36_000
	if testing.Short() {
		seconds = 3600 // in one goroutine, which races with nobody
	}
	for n := range seconds {
		at := time.Duration(n) * time.Second
		done(r, s, at, at, at+5*ms, "")
		r.Tick(at+time.Second, Seen{})
	}
	if len(r.open) > keepOpen+1 {
		t.Errorf("%d seconds are kept open", len(r.open))
	}
}

func TestPercentilesAreRight(t *testing.T) {
	r := New()
	s := r.Step("x", "")
	for i := 1; i <= 10_000; i++ {
		done(r, s, 0, 0, time.Duration(i)*ms, "")
	}
	var run result.Run
	r.Into(&run)
	l := run.Steps[0].Latency
	if run.All.Count != l.Count || run.All.P99 != l.P99 {
		t.Errorf("all together: %+v", run.All)
	}
	for _, x := range []struct{ got, want float64 }{{l.P50, 5000}, {l.P90, 9000}, {l.P99, 9900}, {l.P999, 9990}, {l.Max, 10_000}, {l.Mean, 5000.5}} {
		if math.Abs(x.got-x.want) > x.want/500 {
			t.Errorf("%g, want %g", x.got, x.want)
		}
	}
	for i := 1; i < len(l.Curve); i++ {
		if l.Curve[i].Milliseconds < l.Curve[i-1].Milliseconds || l.Curve[i].Milliseconds > l.Max {
			t.Errorf("the curve falls at %v", l.Curve[i])
		}
	}
}

func TestTogether(t *testing.T) {
	r := New()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s := r.Step("open", "visitors")
			for i := range 100 {
				r.Visitors(1)
				done(r, s, time.Duration(i)*ms, time.Duration(i)*ms, time.Duration(i+1)*ms, "")
				r.Outcome("accepted")
				r.Acknowledged(time.Duration(i) * ms)
				r.Live()
				r.Visitors(-1)
			}
		})
	}
	all.Wait()
	l := r.Live()
	var run result.Run
	r.Into(&run)
	if len(run.Steps) != 1 || run.Steps[0].Sent != 800 || run.Timeline[0].Accepted != 800 || run.Outcomes[0].Count != 800 || l.Sessions != 0 || l.InFlight != 0 || l.Accepted != 800 {
		t.Errorf("%+v %+v", run, l)
	}
}

// A second shows the most that was under way at once, and not what is left at its end.
func TestASecondShowsItsMost(t *testing.T) {
	r := New()
	s := r.Step("open", "")
	r.Visitors(3)
	for range 50 {
		r.Begin(0)
	}
	for range 50 {
		r.Done(Observation{Step: s, Ended: 160 * ms})
	}
	r.Visitors(-2)
	r.Tick(time.Second, Seen{})
	r.Tick(2*time.Second, Seen{})
	var run result.Run
	r.Into(&run)
	for i, want := range [][2]int64{{50, 3}, {0, 1}} {
		if in := run.Timeline[i]; in.InFlight != want[0] || in.Sessions != want[1] {
			t.Errorf("second %d: %d requests, %d visitors at once; want %v", i, in.InFlight, in.Sessions, want)
		}
	}
}
