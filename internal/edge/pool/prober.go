package pool

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Probing.
const (
	// Every is the time between two probes of an upstream, give or take a fifth
	// so that edges and upstreams do not beat in time.
	Every = 250 * time.Millisecond
	// patience is how long a probe waits.
	patience = 500 * time.Millisecond
	// Path answers whether an instance takes new sessions: below 500 means yes.
	Path = "/.turnout/ready"
	// DrainHeader is the time until which a draining instance keeps its
	// sessions, in seconds since 1970.
	DrainHeader = "Turnout-Drain"
)

// ErrHangs is what becomes of requests at an upstream that stopped answering.
var ErrHangs = errors.New("the instance hangs")

// Prober asks upstreams how they are. Safe for concurrent use.
type Prober struct {
	client  *http.Client
	logger  *slog.Logger
	mu      sync.Mutex
	running map[*Upstream]*watch
	all     sync.WaitGroup
}

type watch struct {
	cancel context.CancelFunc
	now    chan struct{} // asks for a probe at once
}

// ProberOptions of a Prober.
type ProberOptions struct {
	// Logger is told of upstreams that go and come back; required.
	Logger *slog.Logger
	// Transport sends probes; nil means connections of the prober's own.
	Transport http.RoundTripper
}

// NewProber makes a prober.
func NewProber(o ProberOptions) *Prober {
	if o.Transport == nil {
		o.Transport = &http.Transport{
			DialContext: (&net.Dialer{Timeout: patience}).DialContext, MaxIdleConnsPerHost: 1, IdleConnTimeout: 10 * time.Second,
			DisableCompression: true,
		}
	}
	return &Prober{
		logger: o.Logger, running: map[*Upstream]*watch{},
		client: &http.Client{
			Timeout: patience, Transport: o.Transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Watch probes exactly these upstreams from now on, until ctx ends.
func (p *Prober) Watch(ctx context.Context, upstreams map[*Upstream]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for u, w := range p.running {
		if !upstreams[u] {
			w.cancel()
			delete(p.running, u)
		}
	}
	for u := range upstreams {
		if p.running[u] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		w := &watch{cancel: cancel, now: make(chan struct{}, 1)}
		p.running[u] = w
		p.all.Go(func() { p.run(ctx, u, w) })
	}
}

// Wait returns when the last probe is over, after the context of Watch has ended:
// from then on nothing is said of any upstream. No Watch may come any more.
func (p *Prober) Wait() { p.all.Wait() }

// Hurry asks for a probe at once: a request at the upstream has failed.
func (p *Prober) Hurry(u *Upstream) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.running[u]; w != nil {
		select {
		case w.now <- struct{}{}:
		default:
		}
	}
}

func (p *Prober) run(ctx context.Context, u *Upstream, w *watch) {
	defer w.cancel()
	for {
		p.step(ctx, u)
		wait := time.NewTimer(Every*4/5 + rand.N(Every*2/5))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-w.now:
		case <-wait.C:
		}
		wait.Stop()
	}
}

// step probes once. One that does not answer a probe in time is down only if it
// answered nobody else meanwhile: a busy one is slow, and one that hangs is silent.
func (p *Prober) step(ctx context.Context, u *Upstream) {
	began := time.Now()
	there, drain, err := p.ask(ctx, u)
	if ctx.Err() != nil {
		return
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() && u.heard.Load() >= began.UnixNano() {
		return
	}
	now := time.Now()
	if there {
		u.measured(now.Sub(began))
	}
	went, came := u.Probed(there, drain, now)
	if !there { // each time: somebody may have tried it all the same
		u.Exchange.Break(ErrHangs)
	}
	switch {
	case went:
		p.logger.Warn("edge: an instance is down", "upstream", u.Name, "error", err)
	case came:
		p.logger.Info("edge: an instance is back", "upstream", u.Name)
	}
}

// ask reports whether the upstream takes requests, and until when it drains.
func (p *Prober) ask(ctx context.Context, u *Upstream) (there bool, drain time.Time, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Origin.String()+Path, nil)
	if err != nil {
		return false, drain, err
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return false, drain, err
	}
	defer resp.Body.Close()
	_, err = io.CopyN(io.Discard, resp.Body, 4<<10)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if at, failed := strconv.ParseInt(resp.Header.Get(DrainHeader), 10, 64); failed == nil {
		return true, time.Unix(at, 0), err
	}
	return resp.StatusCode < http.StatusInternalServerError, drain, err
}
