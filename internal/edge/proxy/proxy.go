// Package proxy is a plain reverse proxy over a few upstreams any of which answers any
// request: it tries the next one when one does not answer, and asks nobody twice for
// what may not be done twice.
package proxy

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/drain"
	"github.com/turnout-events/turnout/internal/edge/held"
	"github.com/turnout-events/turnout/internal/edge/refusal"
	"github.com/turnout-events/turnout/internal/edge/speech"
)

// Options of a Proxy.
type Options struct {
	// Upstreams are origins such as http://127.0.0.1:8081.
	Upstreams []*url.URL
	// Order tells at each request which upstreams it tries, best first, for pages
	// that show one process's view; nil takes all in turn.
	Order func() []*url.URL
	// Patience is how long a request that may be sent again waits for an
	// instance; 0 means 2 s: an instance that was killed is back in half of one.
	Patience time.Duration
	// Logger is told when no instance answers, never who asked for what.
	Logger *slog.Logger
}

// Proxy is a reverse proxy over a fixed list of upstreams, such as the demo
// has before what its instances serve to operators. It waits a moment when none of
// them answers. Safe for concurrent use.
type Proxy struct {
	o         Options
	next      atomic.Uint32
	transport http.RoundTripper
	handler   http.Handler
	refusals  refusal.Set
}

// New makes a proxy. It does no I/O.
func New(o Options) *Proxy {
	if o.Patience == 0 {
		o.Patience = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &Proxy{o: o, refusals: refusal.New(speech.New()), transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second,
		ResponseHeaderTimeout: hangs,
	}}
	p.handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Expect")                           // the body is read here, so the go-ahead was given here
			r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host // replaced by each try
		},
		Transport:    p,
		ErrorLog:     slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		ErrorHandler: p.refuse,
	}
	return p
}

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

// hangs is when an instance that took a request and does not answer is given
// up: while there is time to ask another one before whoever asked is cut off.
const hangs = 20 * time.Second

// again is the pause between two rounds over all instances.
const again = 100 * time.Millisecond

// RoundTrip tries one instance after the other, and all of them again for as
// long as patience lasts. A request that an instance may have acted on is only
// sent again where that is safe: a read, or a submission, which carries its
// idempotency key.
func (p *Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	body := new(held.Body)
	if err := body.Hold(r); err != nil {
		return nil, err
	}
	s := &sending{request: r, body: body, lost: len(p.o.Upstreams)}
	giveUp := time.NewTimer(p.o.Patience)
	defer giveUp.Stop()
	for {
		resp, err := p.round(s)
		if err == nil || !s.mayGoOn(err) {
			return resp, err
		}
		pause := time.NewTimer(again)
		select {
		case <-pause.C:
			continue
		case <-r.Context().Done():
		case <-giveUp.C:
		}
		pause.Stop()
		return nil, err
	}
}

// round tries every instance once.
func (p *Proxy) round(s *sending) (*http.Response, error) {
	last := errNone
	for _, up := range p.order() {
		resp, err := s.to(up, p.transport)
		if err == nil {
			return resp, nil
		}
		if last = err; !s.mayGoOn(err) {
			break
		}
	}
	return nil, last
}

// order is the instances in the order in which a request tries them.
func (p *Proxy) order() []*url.URL {
	if p.o.Order != nil {
		return p.o.Order()
	}
	ups := p.o.Upstreams
	if len(ups) == 0 {
		return ups
	}
	start := int(p.next.Add(1)) % len(ups)
	return append(ups[start:len(ups):len(ups)], ups[:start]...)
}

var errNone = errors.New("there is no instance")

// sending is one request on its way to whoever answers it.
type sending struct {
	request *http.Request
	body    *held.Body
	// lost is how often it may still be sent again after an instance that may
	// have seen it did not answer: what makes one instance after the other fail
	// is not to go round until patience ends.
	lost int
}

func (s *sending) to(up *url.URL, transport http.RoundTripper) (*http.Response, error) {
	try := s.request.Clone(s.request.Context())
	try.URL.Scheme, try.URL.Host = up.Scheme, up.Host
	try.Body = s.body.Open()
	resp, err := transport.RoundTrip(try)
	if fault := s.body.Fault(); err != nil && fault != nil {
		return nil, fault // no instance is to blame
	}
	if err != nil && !unsent(err) {
		s.lost--
	}
	return resp, err
}

// mayGoOn reports whether a request that failed with err may be sent again.
func (s *sending) mayGoOn(err error) bool {
	if s.request.Context().Err() != nil || !s.body.Whole() || errors.Is(err, errNone) {
		return false
	}
	return unsent(err) || (repeatable(s.request) && s.lost >= 0)
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

// refuse answers where no instance did.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := refusal.StatusOf(err)
	switch status {
	case http.StatusServiceUnavailable:
		if r.Context().Err() == nil {
			p.o.Logger.Warn("edge: no instance answered", "error", err)
		}
		w.Header().Set("Retry-After", "5")
		drain.Rest(w, r)
	case http.StatusRequestEntityTooLarge:
		w.Header().Set("Connection", "close")
		drain.Rest(w, r)
	default: // the rest of the body is not to be waited for
		w.Header().Set("Connection", "close")
	}
	p.refusals.Answer(w, r, status, refusal.Whose{})
}
