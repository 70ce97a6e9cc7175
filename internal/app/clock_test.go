package app

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/hook"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/redis/redistest"
	"github.com/turnout-events/turnout/internal/session"
)

// patience is how long a test waits for what comes at once.
const patience = 30 * time.Second

// remote is a store whose clock is not this machine's, as PostgreSQL's may be.
// It notes which times it is asked about.
type remote struct {
	Store
	mu    sync.Mutex
	now   time.Time
	asked map[string]time.Time
	// told hears each question.
	told chan string
}

func (s *remote) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *remote) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *remote) note(question string, at time.Time) {
	s.mu.Lock()
	s.asked[question] = at
	s.mu.Unlock()
	select {
	case s.told <- question:
	default: // nobody waits
	}
}

// heard is about which time a question was asked that service asks.
func (s *remote) heard(t *testing.T, question string, service func(context.Context) error) time.Time {
	t.Helper()
	during(t, service, func() {
		limit := time.After(patience)
		for asked := ""; asked != question; {
			select {
			case asked = <-s.told:
			case <-limit:
				t.Errorf("nobody asked for a %s", question)
				return
			}
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[question]
}

func (s *remote) Lanes(ctx context.Context, now time.Time, count int) ([]turnout.LaneStatus, error) {
	defer s.note("lanes", now)
	return s.Store.Lanes(ctx, now, count)
}

func (s *remote) Claim(ctx context.Context, lane turnout.Lane, owner string, now time.Time, ttl time.Duration) (turnout.Lease, bool, error) {
	defer s.note("claim", now)
	return s.Store.Claim(ctx, lane, owner, now, ttl)
}

func (s *remote) Turn(ctx context.Context, org turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error) {
	kind, _, _ := strings.Cut(name, "/")
	defer s.note(kind, now)
	return s.Store.Turn(ctx, org, name, owner, now, ttl)
}

// during runs a service while do does something.
func during(t *testing.T, service func(context.Context) error, do func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- service(ctx) }()
	do()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// openRemote is an instance over a store whose clock is an hour ahead of this
// machine's and stands still.
func openRemote(t *testing.T) (*instance, *remote) {
	t.Helper()
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	cfg := config.Config{Data: dir, MasterKeyFile: filepath.Join(dir, "master.key"), Instance: "one"}
	e, err := OpenEngines(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &remote{Store: e.Store, now: time.Now().Add(time.Hour).Truncate(time.Second).UTC(), asked: map[string]time.Time{}, told: make(chan string, 100)}
	e.Store = s
	in, err := assemble(t.Context(), cfg, e, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = in.close() })
	return in, s
}

// Instances whose own clocks differ agree on what time it is: every part takes it
// from the store, in whose hour registration opens here, and in nobody else's.
func TestEveryPartHasTheStoresClock(t *testing.T) {
	in, s := openRemote(t)
	ctx := t.Context()
	apply(t, in.Engines, acmeOrg())
	e := publish(t, in, s.Now().Add(time.Hour))
	if err := in.catalog.Load(ctx); err != nil {
		t.Fatal(err)
	}
	public, err := in.public()
	if err != nil {
		t.Fatal(err)
	}
	get := func(path string) string {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://events.acme.example"+path, nil)
		public.ServeHTTP(w, r)
		return w.Body.String()
	}
	if page := get("/events/reading"); !strings.Contains(page, "Registration opens on") {
		t.Fatalf("it is open before its time:\n%s", page)
	}
	unknown := strings.Repeat("b", 32)
	if _, err := in.links.Open(ctx, "acme", unknown); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Fatal(err)
	}
	s.pass(90 * time.Minute)
	now := s.Now()

	t.Run("catalog and pages", func(t *testing.T) {
		during(t, in.catalog.Run, func() {
			poll, limit := time.NewTicker(20*time.Millisecond), time.After(patience)
			defer poll.Stop()
			for strings.Contains(get("/events/reading"), "Registration opens on") {
				select {
				case <-poll.C:
				case <-limit:
					t.Error("it is not shown as open")
					return
				}
			}
		})
	})
	t.Run("links", func(t *testing.T) {
		cacheLink(t, in, e, unknown)
		if _, err := in.links.Open(ctx, "acme", unknown); err != nil {
			t.Errorf("what was not there long ago: %v", err)
		}
	})
	t.Run("web", func(t *testing.T) {
		if page := get("/events/reading/register"); !strings.Contains(page, `name="email"`) {
			t.Errorf("there is no form:\n%s", page)
		}
	})
	t.Run("api", func(t *testing.T) {
		if answer := get("/api/v1/events/reading"); !strings.Contains(answer, `"phase":"open"`) {
			t.Error(answer)
		}
	})
	t.Run("hooks", func(t *testing.T) {
		body, stamp := `{"type":"event.updated","ids":["`+string(e.ID)+`"]}`, fmt.Sprint(now.Unix())
		mac := hmac.New(sha256.New, []byte(acmeOrg().Secrets.HookSecrets[0]))
		mac.Write([]byte(stamp + "." + body))
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "http://events.acme.example/hooks/salesforce", strings.NewReader(body))
		r.Header.Set(hook.Header, fmt.Sprintf("t=%s,v1=%x", stamp, mac.Sum(nil)))
		r.Header.Set("Content-Type", "application/json")
		if public.ServeHTTP(w, r); w.Code == http.StatusUnauthorized || !s.asked["hook"].Equal(now) {
			t.Errorf("%d %s; the turn was asked for at %v, want %v", w.Code, w.Body, s.asked["hook"], now)
		}
	})
	t.Run("intake", func(t *testing.T) {
		for i := range 5 { // enough for a call
			v, err := in.intake.Register(ctx, "acme", e, turnout.Submission{Key: turnout.NewKey(now), Details: turnout.Details{
				Person: turnout.Person{FirstName: "Ada", LastName: "Lovelace", Email: fmt.Sprintf("ada%d@example.org", i)}, Ticket: "seat",
			}})
			if err != nil {
				t.Fatal(err)
			}
			if !v.Registration.ChangedAt.Equal(now) {
				t.Errorf("it was taken at %v, want %v", v.Registration.ChangedAt, now)
			}
		}
	})
	t.Run("delivery", func(t *testing.T) {
		if at := s.heard(t, "claim", in.delivery.Run); !at.Equal(now) || !s.asked["lanes"].Equal(now) {
			t.Errorf("it looked at %v and claimed at %v, want %v", s.asked["lanes"], at, now)
		}
	})
	t.Run("mirror", func(t *testing.T) {
		if at := s.heard(t, "poll", in.mirror.Run); !at.Equal(now) {
			t.Errorf("the turn was asked for at %v, want %v", at, now)
		}
	})
	t.Run("erasure", func(t *testing.T) {
		if r, err := in.erasure.Forget(ctx, "acme", "nobody@example.org"); err != nil || !r.At.Equal(now) {
			t.Errorf("forgotten at %v, want %v: %v", r.At, now, err)
		}
	})
	t.Run("sessions", func(t *testing.T) {
		r := redistest.New(t)
		for _, url := range []string{"", r.URL()} {
			one, another := sessionsOf(t, in.Engines, url), sessionsOf(t, in.Engines, url)
			value, err := one.Seal(ctx, ofAcme, session.Begin(turnout.PersonID{1}, now))
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := another.Open(ctx, ofAcme, value); !ok {
				t.Errorf("%q: what began just now does not open", url)
			}
			if err := one.RevokeOrg(ctx, "acme"); err != nil {
				t.Fatal(err)
			}
			if err := another.recall(ctx); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*sessions{one, another} {
				if _, ok := s.Open(ctx, ofAcme, value); ok {
					t.Errorf("%q: what was ended just now opens", url)
				}
			}
		}
	})
	t.Run("console", func(t *testing.T) {
		if at := in.desk().Now(); !at.Equal(now) {
			t.Errorf("it is %v, want %v", at, now)
		}
	})
	t.Run("metrics", func(t *testing.T) {
		s.pass(90 * time.Second)
		if want := `turnout_delivery_oldest_seconds{org="acme"} 90`; !slices.Contains(shown(in.metrics.registry), want) {
			t.Errorf("not shown: %s", want)
		}
	})
}

// publish puts an event into cache and store that takes registrations from opens on.
func publish(t *testing.T, in *instance, opens time.Time) *turnout.Event {
	t.Helper()
	e := reading(opens.AddDate(0, 1, 0))
	e.Opens, e.Seats = opens, turnout.Unlimited
	if err := in.Store.SetLedger(t.Context(), turnout.LedgerOf("acme", e), in.Store.Now()); err != nil {
		t.Fatal(err)
	}
	cacheEvent(t, in, e)
	return e
}
