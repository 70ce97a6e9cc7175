package limit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// When everything fails and every request would be tried three more times, the
// retries are a fifth of the requests and the reserve, in every second.
func TestBudgetCapsARetryStorm(t *testing.T) {
	const perSecond, ratio, reserve = 200, 0.2, 3
	b := NewBudget(ratio, reserve)
	total := 0
	for second := range 60 {
		retries := 0
		for i := range perSecond {
			now := start.Add(time.Duration(second)*time.Second + time.Duration(i)*time.Second/perSecond)
			b.Deposit(now)
			for range 3 {
				if b.Withdraw(now) {
					retries++
				}
			}
		}
		if most := int(ratio*perSecond) + 2*reserve; retries > most {
			t.Errorf("second %d: %d retries, want at most %d", second, retries, most)
		}
		total += retries
	}
	if want := 60 * (ratio*perSecond + reserve); float64(total) < 0.95*want || float64(total) > want+reserve {
		t.Errorf("%d retries, want about %.0f", total, want)
	}
}

func TestBudgetByHand(t *testing.T) {
	at := func(s float64) time.Time { return start.Add(time.Duration(s * 1e9)) }
	b := NewBudget(0.5, 0)
	if b.Withdraw(at(0)) {
		t.Error("a retry without a request")
	}
	for range 4 {
		b.Deposit(at(0))
	}
	if !b.Withdraw(at(0)) || !b.Withdraw(at(9)) || b.Withdraw(at(9)) {
		t.Error("four requests are two retries")
	}
	if b.Withdraw(at(11)) {
		t.Error("requests that are ten seconds old still count")
	}
	b.Deposit(at(12))
	b.Deposit(at(12))
	if b.Withdraw(at(12)) {
		t.Error("the retry of 9 is still in the window")
	}
	if !b.Withdraw(at(20)) || b.Withdraw(at(20)) {
		t.Error("at 20 the retry of 9 has left the window and the requests of 12 have not")
	}
	b.Deposit(at(-3600))
	b.Deposit(at(-3600))
	if !b.Withdraw(at(-3600)) || b.Withdraw(at(-3600)) {
		t.Error("a clock that was set back starts the window afresh")
	}
	quiet := NewBudget(0, 2)
	for i, want := range []bool{true, true, false} {
		if quiet.Withdraw(at(0)) != want {
			t.Errorf("a reserve of two a second: retry %d", i)
		}
	}
	if !quiet.Withdraw(at(1)) {
		t.Error("the reserve doesn't come back")
	}
	if NewBudget(0, 0).Withdraw(at(0)) {
		t.Error("no budget gave a retry")
	}
}

// In no window are there more retries than the naive count allows.
func TestBudgetAgainstTheNaiveCount(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	b := NewBudget(0.3, 0)
	var requests, retries []time.Time
	now := start
	since := func(list []time.Time, at time.Time) (n int) {
		for i := len(list) - 1; i >= 0 && list[i].After(at); i-- {
			n++
		}
		return n
	}
	for range 5000 {
		now = now.Add(time.Duration(rng.ExpFloat64() * 50e6 * (1 + 20*rng.Float64()*rng.Float64()*rng.Float64())))
		if rng.IntN(3) > 0 {
			b.Deposit(now)
			requests = append(requests, now)
			continue
		}
		before := float64(since(retries, now.Add(-9500*time.Millisecond)) + 1)
		if b.Withdraw(now) {
			retries = append(retries, now)
			if most := 0.3 * float64(since(requests, now.Add(-10*time.Second))); before > most {
				t.Fatalf("%v retries where %.1f are allowed", before, most)
			}
		} else if most := 0.3 * float64(since(requests, now.Add(-9500*time.Millisecond))); float64(since(retries, now.Add(-10*time.Second))+1) <= most {
			t.Fatal("refused what the budget has")
		}
	}
	if len(retries) < 500 {
		t.Errorf("only %d retries: the test shows nothing", len(retries))
	}
}

func TestConcurrentBudgetNeverExceeds(t *testing.T) {
	b := NewBudget(0.1, 5)
	var granted atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 1000 {
				b.Deposit(start)
				if b.Withdraw(start) {
					granted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := granted.Load(); n > 405 || n < 400 {
		t.Errorf("%d retries for 4000 requests", n)
	}
}

func BenchmarkBudgetDeposit(b *testing.B) {
	budget := NewBudget(0.2, 10)
	b.ReportAllocs()
	now := start
	for b.Loop() {
		now = now.Add(10 * time.Microsecond)
		budget.Deposit(now)
	}
}
