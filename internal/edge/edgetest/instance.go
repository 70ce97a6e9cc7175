// Package edgetest is instances for the tests of what stands before them.
package edgetest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// Instance is an upstream that notes what it was sent.
type Instance struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	bodies []string
	// answer is what it does with a request; nil answers its name.
	answer func(w http.ResponseWriter, r *http.Request)
}

// New is one that answers its name, until the test ends.
func New(t testing.TB, name string) *Instance {
	t.Helper()
	in := &Instance{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		in.mu.Lock()
		in.got, in.bodies = append(in.got, r), append(in.bodies, string(body))
		answer := in.answer
		in.mu.Unlock()
		if answer == nil {
			_, _ = io.WriteString(w, name)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(in.Close)
	return in
}

// Will has it answer like this from now on; nil means with its name again.
func (in *Instance) Will(answer func(w http.ResponseWriter, r *http.Request)) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.answer = answer
}

// Seen is how many requests it was sent.
func (in *Instance) Seen() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.got)
}

// Paths are what it was asked for.
func (in *Instance) Paths() (all []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, r := range in.got {
		all = append(all, r.URL.Path)
	}
	return all
}

// Requests are what it was sent; their bodies have been read.
func (in *Instance) Requests() []*http.Request {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.got)
}

// Bodies are those of the requests.
func (in *Instance) Bodies() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.bodies)
}

// Last is the last request.
func (in *Instance) Last() *http.Request {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.got[len(in.got)-1]
}

// Lose takes a request and ends the connection without a reply.
func Lose(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
