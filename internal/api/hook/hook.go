// Package hook takes Salesforce's hooks (P5): POST /hooks/salesforce.
//
// A hook is a hint. Its signature says that it comes from the org; its body
// names records, and all that it can cause is that they are read again from
// Salesforce. So a lost hook costs a minute (the poll heals it, person.forgotten
// excepted) and a forged or replayed one, if it got through, a refetch. A replay is
// refused; within seconds of the first (at another instance, of its stamp) it is read for
// all the same, since a button that is pressed twice in a second signs twice the same;
// but for person.forgotten. What
// cannot be queued is refused with a Retry-After, so that it is sent again.
// Nothing here waits for Salesforce (P3).
package hook

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
)

// Secrets are what an org's hooks may be signed with: one, or two while one is
// being replaced.
type Secrets interface {
	Secrets(ctx context.Context, org turnout.OrgID) ([]string, error)
}

// Hints takes what a hook names. It queues and does not wait.
type Hints interface {
	Hint(ctx context.Context, org turnout.OrgID, kind string, ids []string) error
}

// Options of a hook endpoint. The first three are needed.
type Options struct {
	// Org finds whose hook it is; its error refuses the request.
	Org     func(*http.Request) (*turnout.Org, error)
	Secrets Secrets
	Hints   Hints
	// Ours claims a hook for this process for a time, zero to give it back, and
	// says whether no other instance has it; nil means that each instance
	// remembers for itself. An error counts as yes: a hook is only a hint.
	Ours func(ctx context.Context, org turnout.OrgID, hook string, ttl time.Duration) (bool, error)
	// Logger gets refusals, without anything that was sent; nil means none.
	Logger *slog.Logger
	Now    func() time.Time
	// MaxBody bounds a body in bytes, 0 means 64 KiB; ReadTimeout its time to
	// arrive, 0 means 10 s.
	MaxBody     int64
	ReadTimeout time.Duration
}

// Hook is the endpoint. Safe for concurrent use.
type Hook struct {
	o    Options
	seen *memory
}

// New makes a hook endpoint.
func New(o Options) *Hook {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody == 0 {
		o.MaxBody = endpoint.DefaultMaxBody
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = endpoint.DefaultReadTimeout
	}
	return &Hook{o: o, seen: newMemory()}
}

// ServeHTTP takes a POST.
func (h *Hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	org, err := h.o.Org(r)
	if err != nil {
		endpoint.Refuse(w, err)
		return
	}
	n, err := h.take(w, r, org.ID)
	if err != nil {
		code := turnout.CodeOf(err)
		h.o.Logger.WarnContext(r.Context(), "hook: refused", "org", org.ID, "code", code)
		if code == turnout.CodeUnauthorized {
			w.Header().Set("WWW-Authenticate", Header)
		}
		endpoint.Refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]int{"queued": n}) // whoever went away does not need it
}

// underWay is how long a claim stands while the hint is being queued. Whoever
// dies meanwhile does not keep the sender from getting it through later.
const underWay = 15 * time.Second

// ours claims a hook before all instances.
func (h *Hook) ours(ctx context.Context, org turnout.OrgID, d digest, ttl time.Duration) bool {
	if h.o.Ours == nil {
		return true
	}
	ours, err := h.o.Ours(ctx, org, hex.EncodeToString(d[:16]), ttl)
	if err != nil {
		h.o.Logger.Warn("hook: cannot ask whether another instance took it", "org", org, "error", err)
	}
	return ours || err != nil
}

// take checks a hook and hands its hint on. The body is not looked into before
// the signature was found right.
func (h *Hook) take(w http.ResponseWriter, r *http.Request, org turnout.OrgID) (int, error) {
	signature, err := ParseSignature(r.Header.Get(Header))
	if err != nil {
		return 0, err
	}
	secrets, err := h.o.Secrets.Secrets(r.Context(), org)
	if err != nil {
		return 0, turnout.Wrap(turnout.CodeUnavailable, "read hook secrets", err)
	}
	body, err := endpoint.ReadBody(w, r, h.o.MaxBody, h.o.ReadTimeout)
	if err != nil {
		return 0, err
	}
	now := h.o.Now()
	if err := signature.Verify(body, secrets, now); err != nil {
		return 0, err
	}
	hint, err := ParseHint(body)
	if err != nil {
		return 0, err
	}
	d := digestOf(signature.Stamp, body)
	age, first := h.seen.add(org, d, now)
	if !first || !h.ours(r.Context(), org, d, underWay) {
		if first { // here; another instance had it, nobody says when
			age = now.Sub(signature.At).Abs()
		}
		if age <= pressedTwice && hint.Type != PersonForgotten {
			// Signed in the same second, it cannot be told from a replay. The record may
			// have changed since it was read for the first one. Nobody is forgotten for
			// it, who may have registered again since (P1).
			if err := h.o.Hints.Hint(r.Context(), org, hint.Type, hint.IDs); err != nil {
				h.o.Logger.WarnContext(r.Context(), "hook: cannot queue what a repeated one names", "org", org, "code", turnout.CodeOf(err))
			}
		}
		return 0, turnout.Errorf(turnout.CodeUnauthorized, "take hook", "this hook came in before; sign each one anew")
	}
	if err := h.o.Hints.Hint(r.Context(), org, hint.Type, hint.IDs); err != nil {
		h.seen.drop(org, d)
		h.ours(context.WithoutCancel(r.Context()), org, d, 0) // it may come again, to any instance
		if code := turnout.CodeOf(err); code == turnout.CodeInternal || errors.Is(err, context.Canceled) {
			return 0, turnout.Wrap(turnout.CodeUnavailable, "queue hint", err)
		}
		return 0, err
	}
	h.ours(context.WithoutCancel(r.Context()), org, d, remember)
	return len(hint.IDs), nil
}
