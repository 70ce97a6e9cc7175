package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// showAlive says that the process answers; nothing more, so that a store that
// is away does not get the process killed.
func showAlive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte("ok\n")) // whoever went away does not need it
}

// patience is how long a check may take before it counts as failed.
const patience = 2 * time.Second

// Readiness is the answer of /readyz: "ok" or a code, by check.
type Readiness struct {
	Ready  bool              `json:"ready"`
	Checks map[string]string `json:"checks"`
}

// readiness answers 200 when every check passes and 503 otherwise.
func readiness(checks map[string]func(context.Context) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := runChecks(r.Context(), checks)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !answer.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(answer) // whoever went away does not need it
	})
}

// runChecks runs all checks at once. One that outlasts patience counts as
// unavailable, whether or not it minds its context.
func runChecks(ctx context.Context, checks map[string]func(context.Context) error) Readiness {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	results := map[string]string{}
	for name, check := range checks {
		all.Go(func() {
			code := turnout.CodeOf(check(ctx))
			mu.Lock()
			defer mu.Unlock()
			results[name] = string(code)
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	answer := Readiness{Ready: true, Checks: map[string]string{}}
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		switch code, ok := results[name]; {
		case !ok:
			answer.Ready, answer.Checks[name] = false, string(turnout.CodeUnavailable)
		case code != "":
			answer.Ready, answer.Checks[name] = false, code
		default:
			answer.Checks[name] = "ok"
		}
	}
	return answer
}
