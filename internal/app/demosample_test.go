package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/simulator"
)

// pages is an instance that serves every event as open and every link, and has
// a registration for those that are answered.
type pages struct {
	answered func(token string) bool
	mu       sync.Mutex
	late     int  // links that it does not know yet
	drops    bool // ends the connection when it is asked for a link
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var out any
	if slug, ok := strings.CutPrefix(r.URL.Path, "/api/v1/events/"); ok {
		var e api.Event
		e.Slug, e.Phase = slug, "open"
		if slug != "sky-from-your-sofa" { // whose links are all taken, so that a second look at one would show
			e.Form.Company = turnout.AskRequired
		}
		out = e
	} else {
		if p.drops {
			panic(http.ErrAbortHandler)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.late > 0 {
			p.late--
			http.NotFound(w, r)
			return
		}
		var l api.Link
		if p.answered(strings.TrimPrefix(r.URL.Path, "/api/v1/links/")) {
			l.Registration = &api.Registration{}
		}
		out = l
	}
	_ = json.NewEncoder(w).Encode(out)
}

func newSampler(t *testing.T, p *pages) *sampler {
	t.Helper()
	sim, err := simulator.New(simulator.Options{Sample: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	salesforce, public := httptest.NewServer(sim.Handler()), httptest.NewServer(p)
	t.Cleanup(salesforce.Close)
	t.Cleanup(public.Close)
	return &sampler{public: public.URL, simulator: salesforce.URL}
}

// The ready file names unanswered links of the sample's published events, and
// waits for those that are not mirrored yet.
func TestFindWaitsForLinks(t *testing.T) {
	p := &pages{answered: func(token string) bool { return token[0] < 'a' }, late: 30}
	f, err := newSampler(t, p).find(t.Context())
	if err != nil || len(f.tokens) < fewestLinks || len(f.slugs) < 5 || f.unknown != 0 {
		t.Fatalf("%d links, %d events, %d unknown, %v", len(f.tokens), len(f.slugs), f.unknown, err)
	}
	if i := slices.IndexFunc(f.tokens, p.answered); i >= 0 {
		t.Errorf("link %d is answered", i)
	}
}

// Where all links are answered, more people are invited: a demo that was used
// up starts again.
func TestFindMakesMoreLinks(t *testing.T) {
	var s *sampler
	p := &pages{answered: func(token string) bool {
		for _, made := range s.made {
			if slices.Contains(made, token) {
				return false
			}
		}
		return true
	}}
	s = newSampler(t, p)
	f, err := s.find(t.Context())
	if err != nil || len(f.tokens) < fewestLinks {
		t.Fatalf("%d links, %v", len(f.tokens), err)
	}
	sorted := slices.Sorted(slices.Values(f.tokens))
	if len(slices.Compact(sorted)) != len(f.tokens) {
		t.Error("a link is named twice")
	}
}

// Where more links do not help either, it says what does.
func TestFindGivesUp(t *testing.T) {
	s := newSampler(t, &pages{answered: func(string) bool { return true }})
	if _, err := s.find(t.Context()); err == nil || !strings.Contains(err.Error(), "use an empty --dir") {
		t.Error(err)
	}
}

// P8: the token of a personal link is in no error.
func TestP8ErrorsNameNoLink(t *testing.T) {
	s := newSampler(t, &pages{drops: true})
	_, err := s.look(t.Context())
	if err == nil || strings.Contains(err.Error(), "links/") {
		t.Error(err)
	}
}
