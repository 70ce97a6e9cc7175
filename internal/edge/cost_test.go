package edge

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/limit"
)

// fixedPage answers every request with 1 KiB at once.
type fixedPage struct{ body []byte }

func (p fixedPage) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, ContentLength: int64(len(p.body)), Body: io.NopCloser(bytes.NewReader(p.body)),
		Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"}, "Content-Length": {"1024"}},
	}, nil
}
func (fixedPage) Break(error)  {}
func (fixedPage) Close() error { return nil }

// nowhere takes an answer without keeping it.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header       { return n.header }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Flush()                      {}
func (n nowhere) clear()                    { clear(n.header) }

// manned is an edge before three instances that answer at once, whose one org
// has an allowance.
func manned(b *testing.B, a turnout.Allowance) *Edge {
	b.Helper()
	signer, err := affinity.NewSigner(bytes.Repeat([]byte{7}, affinity.KeySize))
	if err != nil {
		b.Fatal(err)
	}
	table, err := routing.New(routing.Plan{
		Stacks: []routing.Stack{{Name: "blue", Pools: []routing.Pool{{Region: "home", Upstreams: []routing.Upstream{
			{Name: "a", URL: "http://127.0.0.1:1"}, {Name: "b", URL: "http://127.0.0.1:2"}, {Name: "c", URL: "http://127.0.0.1:3"},
		}}}}},
		Orgs: []routing.Org{{ID: "acme"}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return New(Options{
		Signer: signer, AccessLog: io.Discard, Default: a, Client: limit.Rate{PerSecond: 1e6, Burst: 1e6},
		Connect: func(*url.URL) pool.Exchange { return fixedPage{bytes.Repeat([]byte("x"), 1024)} },
	}, table)
}

// BenchmarkPolicies: what the edge itself does for a request of a session that is
// known, with every policy on, without the network on either side.
func BenchmarkPolicies(b *testing.B) {
	e := manned(b, turnout.Allowance{PerSecond: 1e6, Burst: 1e6, Share: 1})
	r := httptest.NewRequest(http.MethodGet, "http://acme.localhost/events/congress/register", http.NoBody)
	first := httptest.NewRecorder()
	e.ServeHTTP(first, r)
	r.AddCookie(first.Result().Cookies()[0])
	w := nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		e.ServeHTTP(w, r)
		w.clear()
	}
}

// BenchmarkRefusal: what a request beyond an allowance costs (P7): less than one
// that is served, or refusing would be no protection.
func BenchmarkRefusal(b *testing.B) {
	for name, path := range map[string]string{"page": "/events/congress", "problem": "/api/v1/events/congress"} {
		b.Run(name, func(b *testing.B) {
			e := manned(b, turnout.Allowance{PerSecond: 1e-6, Burst: 1, Share: 1})
			r := httptest.NewRequest(http.MethodGet, "http://acme.localhost"+path, http.NoBody)
			w := nowhere{http.Header{}}
			e.ServeHTTP(w, r)
			b.ReportAllocs()
			for b.Loop() {
				e.ServeHTTP(w, r)
				w.clear()
			}
		})
	}
}
