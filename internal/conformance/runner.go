package conformance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Runner runs suites outside of go test.
type Runner struct {
	// Again makes the command that runs the suite in another process (T.Again).
	Again func(ctx context.Context) *exec.Cmd
	// Only, if it is not nil, picks the suite's parts that are run.
	Only func(part string) bool
	// Passed and Failed hear of each part of a suite as it ends. Both may be nil.
	Passed func(part string)
	// Failed gets what was said, a line each. Deeper parts that failed are told one
	// by one, with their own names.
	Failed func(part string, said []string)
}

// Run runs a suite and says how many of its parts passed and failed. It ends
// early, with a failure, when ctx does.
func (r *Runner) Run(ctx context.Context, name string, suite func(T)) (passed, failed int) {
	whole := newTest(ctx, r, name, 0)
	whole.run(suite)
	if whole.failed && whole.failures == 0 { // beside its parts
		r.tell(whole)
		whole.failures++
	}
	return whole.passes, whole.failures
}

func (r *Runner) tell(t *test) {
	part := t.name[strings.Index(t.name, "/")+1:]
	switch {
	case t.failed && r.Failed != nil:
		r.Failed(part, t.said)
	case !t.failed && r.Passed != nil:
		r.Passed(part)
	}
}

// test is a T of a Runner.
type test struct {
	runner *Runner
	ctx    context.Context // ends with the test, as testing.T's does
	end    context.CancelFunc
	name   string
	// depth is 0 for the suite, 1 for the parts that are told.
	depth int

	mu               sync.Mutex
	failed           bool
	said             []string
	cleanups         []func()
	passes, failures int
}

func newTest(ctx context.Context, r *Runner, name string, depth int) *test {
	t := &test{runner: r, name: name, depth: depth}
	t.ctx, t.end = context.WithCancel(ctx)
	return t
}

// run runs f to its end, whichever way it ends, and cleans up.
func (t *test) run(f func(T)) {
	alone(func() {
		defer func() {
			if why := recover(); why != nil {
				t.Errorf("panic: %v\n%s", why, debug.Stack())
			}
		}()
		f(t)
	})
	if t.ctx.Err() != nil {
		t.Error("it was interrupted")
	}
	t.end()
	for len(t.cleanups) > 0 {
		last := t.cleanups[len(t.cleanups)-1]
		t.cleanups = t.cleanups[:len(t.cleanups)-1]
		alone(last)
	}
}

// alone runs f in a goroutine that it may end, and waits.
func alone(f func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	<-ended
}

// Run implements T. What fails deep down fails all around it, and is told once,
// by its own name.
func (t *test) Run(name string, part func(T)) bool {
	if t.ctx.Err() != nil {
		return false
	}
	if t.depth == 0 && t.runner.Only != nil && !t.runner.Only(name) {
		return true
	}
	child := newTest(t.ctx, t.runner, t.name+"/"+name, t.depth+1)
	child.run(part)
	switch {
	case child.failed && (child.failures == 0 || len(child.said) > 0):
		t.runner.tell(child)
		child.failures++
	case !child.failed && child.depth == 1:
		t.runner.tell(child)
		child.passes = 1
	}
	t.passes += child.passes
	t.failures += child.failures
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = t.failed || child.failed
	return !child.failed
}

func (t *test) Context() context.Context { return t.ctx }
func (t *test) Name() string             { return t.name }
func (t *test) Short() bool              { return false }
func (t *test) Helper()                  {}
func (t *test) Again() *exec.Cmd         { return t.runner.Again(t.ctx) }

func (t *test) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

func (t *test) TempDir() string {
	dir, err := os.MkdirTemp("", "turnout-conformance-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (t *test) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// sayLines is how much of what a test says is kept: the last lines, where it fails.
const sayLines = 40

func (t *test) say(fails bool, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed = t.failed || fails
	t.said = append(t.said, strings.Split(strings.TrimRight(text, "\n"), "\n")...)
	t.said = slices.Delete(t.said, 0, max(0, len(t.said)-sayLines))
}

func (t *test) Logf(format string, args ...any)   { t.say(false, fmt.Sprintf(format, args...)) }
func (t *test) Error(args ...any)                 { t.say(true, fmt.Sprintln(args...)) }
func (t *test) Errorf(format string, args ...any) { t.say(true, fmt.Sprintf(format, args...)) }

func (t *test) Fatal(args ...any) {
	t.Error(args...)
	runtime.Goexit()
}

func (t *test) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}
