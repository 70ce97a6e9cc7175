// Package conformance runs the suites that every engine of a kind passes
// (storetest, cachetest) in two places: under go test, by way of package gotest,
// and in an operator's hands, against engines of their own (turnout conformance).
//
// A suite takes a T and asks no more of it than is here. What to call: Runner.
package conformance

import (
	"context"
	"os/exec"
)

// T is a test as suites see it: that part of testing.T which they need. Fatal and
// Fatalf end the test, from its own goroutine only; the others may be called from
// any.
type T interface {
	// Context ends when the test does, before its cleanups.
	Context() context.Context
	// Name has those of the tests around it before it, with slashes between.
	Name() string
	// Short says that a shorter suite will do.
	Short() bool
	// TempDir is a new directory that goes away with the test.
	TempDir() string
	// Cleanup is called after the test, the last one first.
	Cleanup(f func())

	Failed() bool
	Helper()
	Logf(format string, args ...any)
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)

	// Run runs a part of the test and says whether it passed.
	Run(name string, part func(T)) bool
	// Again runs the suite that this test belongs to in another process, which is
	// there to be killed. What tells it so is for the suite to put into Env.
	Again() *exec.Cmd
}
