// Package edge spreads traffic over instances. What is here is the plain
// reverse proxy that the demo uses: any instance answers any request, so it
// takes them in turn, and tries the next one when an instance does not answer.
package edge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// Proxy is a reverse proxy over a fixed list of upstreams. Safe for concurrent use.
type Proxy struct {
	upstreams []*url.URL
	next      atomic.Uint32
	transport http.RoundTripper
	handler   http.Handler
}

// Bodies that are held for a second try are at most as large as any that an
// instance takes.
const maxHeld = 64 << 10

// New makes a proxy over upstreams, which are origins such as http://127.0.0.1:8081.
func New(upstreams []*url.URL, log *slog.Logger) *Proxy {
	p := &Proxy{upstreams: upstreams, transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second,
		ResponseHeaderTimeout: 60 * time.Second,
	}}
	p.handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host = r.In.Host
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host // replaced by each try
		},
		Transport: p,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				log.Warn("edge: no instance answered", "error", err)
			}
			w.Header().Set("Retry-After", "5")
			http.Error(w, "No server answers right now. Nothing you sent was lost that you saw confirmed. Try again in a few seconds.", http.StatusServiceUnavailable)
		},
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// RoundTrip tries one instance after the other. A request that an instance may
// have acted on is only sent to another one where that is safe: a read, or a
// submission, which carries its idempotency key.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	body, whole, err := hold(r)
	if err != nil {
		return nil, err
	}
	start := p.next.Add(1)
	last := errors.New("there is no instance")
	for i := range p.upstreams {
		up := p.upstreams[(int(start)+i)%len(p.upstreams)]
		try := r.Clone(r.Context())
		try.URL.Scheme, try.URL.Host = up.Scheme, up.Host
		try.Body = body()
		resp, err := p.transport.RoundTrip(try)
		if err == nil {
			return resp, nil
		}
		last = err
		if r.Context().Err() != nil || !whole || (!unsent(err) && !repeatable(r)) {
			break
		}
	}
	return nil, last
}

// hold reads a small body so that it can be sent again. whole is false for a
// body that is too large for that.
func hold(r *http.Request) (body func() io.ReadCloser, whole bool, err error) {
	if r.Body == nil || r.Body == http.NoBody {
		return func() io.ReadCloser { return http.NoBody }, true, nil
	}
	held, err := io.ReadAll(io.LimitReader(r.Body, maxHeld+1))
	if err != nil {
		return nil, false, err
	}
	if len(held) > maxHeld {
		rest := io.MultiReader(bytes.NewReader(held), r.Body)
		return func() io.ReadCloser { return io.NopCloser(rest) }, false, nil
	}
	return func() io.ReadCloser { return io.NopCloser(bytes.NewReader(held)) }, true, nil
}

// unsent reports whether no instance can have seen the request.
func unsent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// repeatable reports whether sending twice does what sending once does: reads,
// and posts, all of which carry a key or the revision that they change.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPost, http.MethodPut:
		return true
	}
	return false
}

// Ready waits until an upstream answers anything at all.
func Ready(ctx context.Context, up *url.URL) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", up.Host)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
