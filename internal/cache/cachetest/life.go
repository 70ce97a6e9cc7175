package cachetest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// lifeVariable carries the place to the process that goes through lives.
const lifeVariable = "CACHETEST_LIFE"

// life is what becomes of one event and its links: six links of three people,
// of which one is revoked and one person is forgotten.
type life struct{ number int }

func (l life) event() turnout.EventID { return turnout.EventID(fmt.Sprintf("a0Ev%011dAAA", l.number)) }

func (l life) link(i int) turnout.AttendeeLink {
	link := link(acme, 6*l.number+i, 1)
	link.Event = l.event()
	return link
}

func (l life) cursor() time.Time { return day.Add(time.Duration(l.number) * time.Hour) }

// steps are the durable ones, in order; each is one call.
func (l life) steps() []func(context.Context, Cache) error {
	return []func(context.Context, Cache) error{
		func(ctx context.Context, c Cache) error {
			return c.PutEvent(ctx, acme, l.event(), "slug", []byte(l.event()), day)
		},
		func(ctx context.Context, c Cache) error {
			var all []turnout.AttendeeLink
			for i := range 6 {
				all = append(all, l.link(i))
			}
			return c.PutLinks(ctx, all)
		},
		func(ctx context.Context, c Cache) error {
			return c.DeleteLinks(ctx, gone(acme, 2, 6*l.number))
		},
		func(ctx context.Context, c Cache) error { return c.DeletePerson(ctx, acme, l.link(2).Person) },
		func(ctx context.Context, c Cache) error { return c.PutFault(ctx, acme, l.event(), []byte(l.event())) },
		func(ctx context.Context, c Cache) error {
			_, err := c.SetCursor(ctx, acme, "lives", l.before(), l.cursor())
			return err
		},
		func(ctx context.Context, c Cache) error { return c.DeleteEvent(ctx, acme, l.event()) },
	}
}

// before is where the cursor was before this life.
func (l life) before() time.Time {
	if l.number == 1 {
		return time.Time{}
	}
	return life{l.number - 1}.cursor()
}

// The numbers of the steps, as many as were done.
const (
	published = iota + 1
	linked
	revoked
	dropped
	faulted
	moved
	unpublished
)

// liveAsChild goes through one life after the other until it is killed, if this
// process was started for that, and says each step once the call returned.
func liveAsChild(t conformance.T, open Open) bool {
	place := os.Getenv(lifeVariable)
	if place == "" {
		return false
	}
	c := open(t, place)
	for number := 1; ; number++ {
		for i, step := range (life{number}).steps() {
			must(t, step(t.Context(), c))
			fmt.Printf("did %d %d\n", number, i+1)
		}
	}
}

// testKilledAfterEveryStep kills a process after its nth step, wherever it is by
// then, and looks for everything that it had done.
func testKilledAfterEveryStep(t conformance.T, open Open) {
	for n := 1; n <= 2*unpublished; n++ {
		t.Run(fmt.Sprint(n), func(t conformance.T) {
			place := t.TempDir()
			done := liveAndKill(t, place, n)
			c := open(t, place)
			defer c.Close()
			links := 0
			for number := 1; number <= len(done)+1; number++ {
				links += life{number}.check(t, c, done[number])
			}
			wantCounts(t, c, links)
			for _, step := range (life{1000}).steps()[:dropped] { // and it goes on
				must(t, step(t.Context(), c))
			}
			links += life{1000}.check(t, c, dropped)
			wantCounts(t, c, links)
		})
	}
}

// check holds a cache against a life of which so many steps are known to be
// done. The next one may be done as well, or half of it. It returns how many of
// the life's links there are.
func (l life) check(t conformance.T, c Cache, done int) (links int) {
	t.Helper()
	_, err := c.Event(t.Context(), acme, l.event())
	l.want(t, "event", err == nil, done >= published && done < unpublished, done+1 == published || done+1 == unpublished)
	for i := range 6 {
		got, err := c.Link(t.Context(), acme, l.link(i).ID)
		removal := map[int]int{0: revoked, 2: dropped, 3: dropped}[i]
		there := done >= linked && (removal == 0 || done < removal)
		l.want(t, fmt.Sprintf("link %d", i), err == nil, there, done+1 == linked || done+1 == removal)
		if err != nil {
			wantCode(t, err, turnout.CodeNotFound)
			continue
		}
		wantLink(t, c, l.link(i))
		if links++; got.Event != l.event() {
			t.Errorf("link %d of life %d belongs to %s", i, l.number, got.Event)
		}
	}
	faults, err := c.Faults(t.Context(), acme)
	must(t, err)
	l.want(t, "fault", string(faults[l.event()]) == string(l.event()), done >= faulted, done+1 == faulted)
	at, err := c.Cursor(t.Context(), acme, "lives")
	must(t, err)
	l.want(t, "cursor", !at.Before(l.cursor()), done >= moved, done+1 == moved)
	return links
}

func (l life) want(t conformance.T, what string, is, should, either bool) {
	t.Helper()
	if is != should && !either {
		t.Errorf("life %d: %s is there: %v, want %v", l.number, what, is, should)
	}
}

// wantCounts checks that what is counted are the links that can be read.
func wantCounts(t conformance.T, c Cache, links int) {
	t.Helper()
	n, err := c.CountLinks(t.Context(), acme)
	must(t, err)
	invited, err := c.Invited(t.Context(), acme)
	must(t, err)
	sum := 0
	for _, some := range invited {
		sum += some
	}
	if n != links || sum != links {
		t.Errorf("%d links are counted and %d by event, %d can be read", n, sum, links)
	}
}

// liveAndKill starts a process, kills it with SIGKILL after n steps and returns
// how many of each life it said.
func liveAndKill(t conformance.T, place string, n int) map[int]int {
	t.Helper()
	child := t.Again()
	child.Env = append(child.Env, lifeVariable+"="+place)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	done, said := map[int]int{}, 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var number, step int
		if some, _ := fmt.Sscanf(lines.Text(), "did %d %d", &number, &step); some != 2 {
			continue
		}
		done[number] = step
		if said++; said == n {
			must(t, child.Process.Kill()) // what it had written to the pipe still counts
		}
	}
	_ = child.Wait()
	if said < n {
		t.Fatalf("the process ended by itself after %d steps", said)
	}
	return done
}
