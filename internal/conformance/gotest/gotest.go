// Package gotest runs conformance suites under go test.
package gotest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/conformance"
)

type test struct{ *testing.T }

// New gives a suite the test that runs it. A suite that starts processes runs the
// calling test function in them, which therefore does nothing else before.
func New(t *testing.T) conformance.T { return test{t} }

// Of is the test behind a T that New gave.
func Of(t conformance.T) *testing.T { return t.(test).T }

func (t test) Short() bool { return testing.Short() }

func (t test) Run(name string, part func(conformance.T)) bool {
	return t.T.Run(name, func(t *testing.T) { part(test{t}) })
}

func (t test) Again() *exec.Cmd {
	top, _, _ := strings.Cut(t.Name(), "/")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+top+"$", "-test.count=1", "-test.timeout=5m")
	cmd.Env = os.Environ()
	return cmd
}
