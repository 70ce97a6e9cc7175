package storetest

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// placeVariable carries the store's place to the process that is killed.
const placeVariable = "STORETEST_PLACE"

// killedSteps is how many durable steps there are to be killed after: two
// registrations with all that may become of them.
const killedSteps = 12

// beChild goes through the life of one registration after the other until it
// is killed, if this process was started for that, and says each step once it
// was acknowledged.
func beChild(t conformance.T, open func(t conformance.T, dir string) Store) bool {
	place := os.Getenv(placeVariable)
	if place == "" {
		return false
	}
	e := &env{T: t, Store: open(t, place), ctx: t.Context(), now: start}
	for {
		r := e.accept(e.submission(pools(2, ticket("a", 2))...), turnout.StatusRegistered)
		fmt.Println("accepted", r.Key)
		e.deliverAll()
		fmt.Println("delivered", r.Key)
		e.ok(second(e.revise(r.Key, func(v *turnout.Revision) { v.Claims, v.Sealed = pools(1, ticket("a", 1)), []byte("anew") })))
		fmt.Println("edited", r.Key)
		if e.keys%2 == 0 {
			e.cancel(r.Key)
			fmt.Println("cancelled", r.Key)
		} else {
			e.ok(second(e.Forget(e.ctx, acme, r.Person, e.tick())))
			fmt.Println("forgot", r.Key)
		}
		e.deliverAll()
		fmt.Println("told", r.Key)
		e.ok(e.AddErrands(e.ctx, acme, []string{string(r.Key)}))
		fmt.Println("noted", r.Key)
	}
}

func second[T any](_ T, err error) error { return err }

func killedTests(open func(t conformance.T, dir string) Store) map[string]func(conformance.T) {
	return map[string]func(conformance.T){
		"P1AfterEveryStep": func(t conformance.T) {
			for n := range killedSteps {
				t.Run(fmt.Sprint(n+1), func(t conformance.T) { testKilled(t, open, n+1) })
			}
		},
	}
}

// testKilled kills a process after its nth acknowledgement, wherever it is by
// then, and looks for everything that it acknowledged.
func testKilled(t conformance.T, open func(t conformance.T, dir string) Store, n int) {
	place := t.TempDir()
	e := &env{T: t, Store: open(t, place), ctx: t.Context(), now: start}
	e.ok(e.SetOrg(e.ctx, turnout.Org{ID: acme, Mapping: "turnout"}, []byte("s"), start))
	e.publish(pools(1000, ticket("a", 1000))...)
	e.ok(e.Close())
	said := runAndKill(t, place, n)
	e.Store = open(t, place)
	defer e.Close()
	errands, err := e.Errands(e.ctx, acme)
	e.ok(err)
	last := map[turnout.Key]string{}
	for _, line := range said {
		what, key, _ := strings.Cut(line, " ")
		last[turnout.Key(key)] = what
		if what == "noted" && !slices.Contains(errands, key) {
			e.Errorf("P1: the errand of %s is gone", key)
		}
	}
	for key, what := range last {
		e.stillThere(key, what)
	}
	e.soundSeats()
	e.tick()
	e.keys = 1000
	e.accept(e.submission(pools(1, ticket("a", 1))...), turnout.StatusRegistered) // and it goes on
}

// stillThere checks a registration of which step was the last that was
// acknowledged. The one after it may have been done as well.
func (e *env) stillThere(key turnout.Key, step string) {
	e.Helper()
	r := e.read(key)
	over := r.Status == turnout.StatusCancelled
	switch {
	case step != "accepted" && r.Delivered == 0:
		e.Errorf("P1: %s was %s and is not delivered", key, step)
	case (step == "cancelled" || step == "told" || step == "noted") && !over:
		e.Errorf("P1: %s was %s and is %s", key, step, r.Status)
	case step == "forgot" && (!over || !r.Person.IsZero() || r.Sealed != nil):
		e.Errorf("P8: %s was forgotten and rests as %+v", key, r)
	case step == "edited" && !over && (len(r.Claims) != 2 || r.Claims[0].Seats != 1):
		e.Errorf("P1: the edit of %s is gone: %+v", key, r)
	}
}

// soundSeats sums up what registrations hold and compares it with the counters
// (P2). The keys of the process that was killed are counted from 1.
func (e *env) soundSeats() {
	e.Helper()
	held := map[turnout.Pool]int{}
	for n := 1; ; n++ {
		r, err := e.Registration(e.ctx, acme, turnout.Key(fmt.Sprintf("key-%04d", n)))
		if turnout.CodeOf(err) == turnout.CodeNotFound {
			break
		}
		e.ok(err)
		if r.Status != turnout.StatusRegistered {
			continue
		}
		for _, c := range r.Claims {
			held[c.Pool] += c.Seats
		}
	}
	for pool, s := range e.seats() {
		if s.Taken != held[pool] {
			e.Errorf("P2: %s counts %d taken, registrations hold %d", pool, s.Taken, held[pool])
		}
	}
}

// runAndKill starts a process, kills it with SIGKILL after n acknowledgements
// and returns all that it said.
func runAndKill(t conformance.T, place string, n int) []string {
	t.Helper()
	child := t.Again()
	child.Env = append(child.Env, placeVariable+"="+place)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if !strings.Contains(lines.Text(), " key-") {
			continue
		}
		if said = append(said, lines.Text()); len(said) == n {
			_ = child.Process.Kill() // what it had written to the pipe still counts
		}
	}
	_ = child.Wait()
	if len(said) < n {
		t.Fatalf("the process ended by itself after %q", said)
	}
	return said
}
