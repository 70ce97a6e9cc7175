package sqlite

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/turnout-events/turnout"
)

// childVariable holds the orders of a child process that is about to be killed.
const childVariable = "TURNOUT_TEST_CHILD"

// orders tell a child what to do.
type orders struct {
	Path string
	// First is the number before the first that it registers.
	First int
	// Step names the step at which it kills itself, the Nth time it comes by.
	Step string
	Nth  int
	// Forget makes it forget people too.
	Forget bool
	// Backup makes it write backups into this directory instead.
	Backup string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		os.Exit(child(text))
	}
	os.Exit(m.Run())
}

// child registers from several goroutines until the event is full, and prints each key once
// it was acknowledged: "key N", or "forgot N" for a person who was forgotten.
func child(text string) int {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var passed atomic.Int64
	step := func(name string) {
		if name == o.Step && passed.Add(1) == int64(o.Nth) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	ctx := context.Background()
	s, err := Open(ctx, Options{Path: o.Path, step: step})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	if o.Backup != "" {
		_, err := s.Backup(ctx, o.Backup, start)
		fmt.Fprintln(os.Stderr, "the backup ended", err)
		return 2
	}
	var mu sync.Mutex
	say := func(what string, n int) { // one write each, so that no line is torn
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, n)
	}
	var next atomic.Int64
	next.Store(int64(o.First))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for {
				n := int(next.Add(1))
				_, err := s.Accept(ctx, acceptance(n))
				if turnout.CodeOf(err) == turnout.CodeFull {
					return
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(2)
				}
				say("key", n)
				if o.Forget && n%20 == 0 {
					if _, err := s.Forget(ctx, acme, dataKey(n-10).Person, start); err == nil {
						say("forgot", n-10)
					}
				}
			}
		})
	}
	wg.Wait()
	return 0
}

// victim is a running child and what it acknowledged.
type victim struct {
	cmd  *exec.Cmd
	acks sync.WaitGroup
	mu   sync.Mutex
	said map[string][]int
	more chan struct{} // a value for each acknowledgement
}

// hear waits for n acknowledgements.
func (v *victim) hear(n int) {
	for range n {
		<-v.more
	}
}

func startChild(t *testing.T, o orders) *victim {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{cmd: exec.Command(exe), said: map[string][]int{}, more: make(chan struct{}, 1<<20)}
	v.cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	v.cmd.Stderr = os.Stderr
	out, err := v.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.kill() })
	v.acks.Go(func() { v.listen(out) })
	return v
}

func (v *victim) listen(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		what, number, _ := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue
		}
		v.mu.Lock()
		v.said[what] = append(v.said[what], n)
		v.mu.Unlock()
		v.more <- struct{}{}
	}
}

// kill ends the child as the machine would, and hears the rest of its pipe.
func (v *victim) kill() {
	_ = v.cmd.Process.Kill()
	v.wait()
}

func (v *victim) wait() {
	v.acks.Wait()
	_ = v.cmd.Wait()
}

// checkAfterKill opens the store again and looks for everything that was
// acknowledged.
func checkAfterKill(t *testing.T, path string, victims ...*victim) {
	t.Helper()
	s := openStore(t, path)
	defer s.Close()
	sound(t, s)
	forgotten, acknowledged := map[int]bool{}, 0
	for _, v := range victims {
		for _, n := range v.said["forgot"] {
			forgotten[n] = true
			if _, err := s.DataKey(t.Context(), acme, dataKey(n).Person); turnout.CodeOf(err) != turnout.CodeForgotten {
				t.Errorf("person %d was forgotten, and the key reads with %v", n, err)
			}
		}
		for _, n := range v.said["key"] {
			acknowledged++
			r, err := s.Registration(t.Context(), acme, acceptance(n).Key)
			switch {
			case err != nil:
				t.Errorf("P1: %d was acknowledged and is gone: %v", n, err)
			case r.Status != turnout.StatusRegistered && !r.Person.IsZero():
				t.Errorf("P1: %d was acknowledged and is %s", n, r.Status)
			}
		}
	}
	mustAccept(t, s, 99_000_000+acknowledged) // the next writer is not kept waiting
	t.Logf("%d acknowledged and there, %d forgotten", acknowledged, len(forgotten))
}

func prepared(t *testing.T, seats int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "turnout.db")
	s := openStore(t, path)
	prepare(t, s, seats)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestP1KilledAtEveryStep(t *testing.T) {
	for _, step := range []string{"turn", "begun", "written", "committed", "scrubbed"} {
		for _, nth := range []int{1, 2, 17} {
			t.Run(fmt.Sprint(step, nth), func(t *testing.T) {
				path := prepared(t, 1_000_000)
				v := startChild(t, orders{Path: path, Step: step, Nth: nth, Forget: true})
				v.wait() // it kills itself
				if status, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
					t.Fatalf("the child ended by %v", v.cmd.ProcessState)
				}
				checkAfterKill(t, path, v)
			})
		}
	}
}

func TestP1KilledAtRandomMoments(t *testing.T) {
	path := prepared(t, 1_000_000)
	var all []*victim
	for round := range 6 {
		v := startChild(t, orders{Path: path, First: round * 1_000_000, Forget: round%2 == 0})
		v.hear(1 + rand.IntN(200))
		v.kill()
		all = append(all, v)
		checkAfterKill(t, path, all...)
	}
}

func TestP1OneOfTwoWritersIsKilledHoldingTheTurn(t *testing.T) {
	for _, step := range []string{"turn", "begun", "written", "committed"} {
		t.Run(step, func(t *testing.T) {
			const seats = 400
			path := prepared(t, seats)
			dying := startChild(t, orders{Path: path, Step: step, Nth: 5})
			living := startChild(t, orders{Path: path, First: 1_000_000})
			dying.wait()
			living.wait() // until the event is full: nobody holds it up
			s := openStore(t, path)
			defer s.Close()
			sound(t, s)
			if n := count(t, s, "SELECT count(*) FROM registrations"); n != seats {
				t.Errorf("P2: %d registrations for %d seats", n, seats)
			}
			for _, v := range []*victim{dying, living} {
				for _, n := range v.said["key"] {
					if _, err := s.Registration(t.Context(), acme, acceptance(n).Key); err != nil {
						t.Errorf("P1: %d was acknowledged and is gone: %v", n, err)
					}
				}
			}
			if _, err := s.Accept(t.Context(), acceptance(5_000_000)); turnout.CodeOf(err) != turnout.CodeFull {
				t.Errorf("got %v, want full", err)
			}
		})
	}
}
