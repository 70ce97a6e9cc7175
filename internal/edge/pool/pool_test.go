package pool

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// broken is an exchange that notes that it was broken off.
type broken struct{ causes []error }

func (*broken) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrNotSupported }
func (b *broken) Break(cause error)                             { b.causes = append(b.causes, cause) }
func (*broken) Close() error                                    { return nil }

func upstreams(n int) []*Upstream {
	var all []*Upstream
	for i := range n {
		all = append(all, NewUpstream(fmt.Sprintf("u%d", i), &url.URL{Scheme: "http", Host: "127.0.0.1:1"}, &broken{}))
	}
	return all
}

func down(u *Upstream)  { u.Probed(false, time.Time{}, noon) }
func eject(u *Upstream) { fail(u, inARow, noon) }

func fail(u *Upstream, n int, now time.Time) {
	for range n {
		u.Answered(1, time.Millisecond, true, now)
	}
}

// spread counts where n new sessions go.
func spread(p *Pool, n int, now time.Time) map[string]int {
	counts := map[string]int{}
	for range n {
		if u := p.Pick(now); u != nil {
			counts[u.Name]++
		}
	}
	return counts
}

func TestNewSessionsGoToWhomIsWell(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(all []*Upstream)
		want  []string // everybody who gets some, nobody else
	}{
		"all up":                 {func([]*Upstream) {}, []string{"u0", "u1", "u2", "u3"}},
		"one down":               {func(a []*Upstream) { down(a[0]) }, []string{"u1", "u2", "u3"}},
		"one ejected":            {func(a []*Upstream) { eject(a[0]) }, []string{"u1", "u2", "u3"}},
		"one draining":           {func(a []*Upstream) { a[0].Drain(noon.Add(time.Hour)) }, []string{"u1", "u2", "u3"}},
		"half ejected":           {func(a []*Upstream) { eject(a[0]); eject(a[1]) }, []string{"u2", "u3"}},
		"more than half ejected": {func(a []*Upstream) { eject(a[0]); eject(a[1]); eject(a[2]) }, []string{"u0", "u1", "u2", "u3"}},
		"the rest is ejected": {func(a []*Upstream) {
			down(a[0])
			down(a[1])
			eject(a[2])
			eject(a[3])
		}, []string{"u2", "u3"}},
		"the rest drains": {func(a []*Upstream) {
			down(a[0])
			down(a[1])
			a[2].Drain(noon)
			a[3].Drain(noon)
		}, []string{"u2", "u3"}},
		"all down": {func(a []*Upstream) {
			for _, u := range a {
				down(u)
			}
		}, []string{"u0", "u1", "u2", "u3"}}, // never none
	} {
		t.Run(name, func(t *testing.T) {
			all := upstreams(4)
			c.spoil(all)
			got := spread(&Pool{Upstreams: all}, 400, noon)
			if len(got) != len(c.want) {
				t.Errorf("sessions went to %v, want all of %v and no others", got, c.want)
			}
			for _, w := range c.want {
				if got[w] == 0 {
					t.Errorf("sessions went to %v, want all of %v and no others", got, c.want)
				}
			}
		})
	}
}

func TestTheBusyGetLess(t *testing.T) {
	all := upstreams(2)
	for range 50 {
		all[0].Places.Enter()
	}
	if got := spread(&Pool{Upstreams: all}, 100, noon); got["u1"] != 100 {
		t.Errorf("sessions went to %v", got)
	}
	all = upstreams(2)
	all[0].Answered(1, 100*time.Millisecond, false, noon)
	all[1].Answered(1, time.Millisecond, false, noon)
	if got := spread(&Pool{Upstreams: all}, 100, noon); got["u1"] != 100 {
		t.Errorf("sessions went to %v", got)
	}
}

// Visitors who come one by one to instances that are idle do not all go to the one
// that is a little quicker: they would move together when it goes.
func TestTheIdleShare(t *testing.T) {
	all := upstreams(2)
	p := &Pool{Upstreams: all}
	got := map[string]int{}
	for i := range 200 {
		now := noon.Add(time.Duration(i) * time.Millisecond)
		u := p.Pick(now)
		got[u.Name]++
		took := map[string]time.Duration{"u0": 100 * time.Microsecond, "u1": 900 * time.Microsecond}[u.Name]
		u.Answered(1, took, false, now)
	}
	if got["u0"] < 60 || got["u1"] < 60 {
		t.Errorf("of 200 sessions they got %v", got)
	}
}

// One whose first answer was slow is asked again after a while, and is then known
// by what it does now.
func TestASlowStartIsForgotten(t *testing.T) {
	all := upstreams(2)
	all[0].Answered(1, time.Millisecond, false, noon)
	all[1].Answered(1, 16*time.Millisecond, false, noon)
	p := &Pool{Upstreams: all}
	got := map[string]int{}
	for i := range 300 {
		now := noon.Add(time.Duration(i) * 200 * time.Millisecond)
		u := p.Pick(now)
		got[u.Name]++
		u.Answered(1, time.Millisecond, false, now)
	}
	if got["u1"] < 40 {
		t.Errorf("of a minute's sessions they got %v", got)
	}
}

// Whoever was tried is not tried again; when nobody is left there is none.
func TestTriedOnes(t *testing.T) {
	all := upstreams(3)
	p := &Pool{Upstreams: all}
	down(all[2])
	if u := p.Pick(noon, all[0]); u != all[1] {
		t.Errorf("got %v", u)
	}
	if u := p.Settle(noon, 7, all[0], all[1]); u != nil { // they are worth waiting for
		t.Errorf("got %v", u)
	}
	if p.Pick(noon, all...) != nil || p.Settle(noon, 7, all...) != nil {
		t.Error("got one that was tried")
	}
}

func TestSlowStart(t *testing.T) {
	all := upstreams(2)
	all[0].Joins(noon)
	p := &Pool{Upstreams: all}
	early, later, settled := spread(p, 2000, noon.Add(time.Second))["u0"], spread(p, 2000, noon.Add(6*time.Second))["u0"], spread(p, 2000, noon.Add(slowStart))["u0"]
	if early >= 500 || early == 0 || early >= later || later >= settled || settled <= 850 {
		t.Errorf("of 2000 sessions a newcomer got %d, %d, %d", early, later, settled)
	}
}

// P6: what has no cookie goes to the same one for as long as that is there;
// adding one moves only what goes there, losing one only what was there.
func TestP6SettledOnesStay(t *testing.T) {
	all := upstreams(5)
	four, five := &Pool{Upstreams: all[:4]}, &Pool{Upstreams: all}
	counts := map[string]int{}
	for key := range uint64(5000) {
		before, after := four.Settle(noon, key), five.Settle(noon, key)
		counts[after.Name]++
		if before != after && after != all[4] {
			t.Fatalf("an added one moved key %d from %s to %s", key, before.Name, after.Name)
		}
	}
	for name, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("%s has %d of 5000", name, n)
		}
	}
	down(all[2])
	for key := range uint64(5000) {
		if u := five.Settle(noon, key); u == all[2] {
			t.Fatalf("key %d is settled on one that is down", key)
		}
	}
}

func TestKeysDiffer(t *testing.T) {
	if Key("a") == Key("b") || Key("") == 0 {
		t.Error("keys are not what tells apart")
	}
}
