package edge

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/edge/held"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/refusal"
	"github.com/turnout-events/turnout/internal/exchange"
	"github.com/turnout-events/turnout/internal/limit"
)

// forward sends a request to its upstream, and to others while nobody answers
// and it is safe to: nothing was sent yet, or what was sent may be sent again.
// Then patience bounds it, and the retry budget what is sent twice.
//
// A registration that somebody may have taken is not refused by somebody else: the
// first may still be at it, with a seat that comes free meanwhile, and whoever was told
// that there is none would be registered (P1). They are told that it is not known, and
// to send it again, which with the same key finds whatever became of it.
func (e *Edge) forward(v *visit) {
	body := &v.body
	e.budget.Deposit(v.began)
	out := exchange.Prepare(v.r, v.client.String(), v.proto())
	if body.Whole() && len(out.Trailer) == 0 {
		out.ContentLength = int64(len(body.Bytes())) // known by now, however it came
	}
	twice := body.Whole() && replayable(v.r, body.Bytes())
	var tried []*pool.Upstream
	elsewhere := false                  // somebody failed it
	var suspect *pool.Upstream          // who may have acted on it, or may still
	giveUp := e.now().Add(e.o.Patience) // from when the request was here whole
	for {
		resp, err := e.try(v, out, body)
		if err == nil && !e.better(v, resp, twice) {
			if suspect != nil && resp.StatusCode >= http.StatusBadRequest && registers(v.r, body.Bytes()) {
				_ = resp.Body.Close()
				e.unsure(v, suspect, resp.StatusCode)
				return
			}
			if elsewhere && v.kind == page && resp.StatusCode < http.StatusInternalServerError {
				v.moved(v.up) // once, and not there and back with each failure
			}
			e.answer(v, resp)
			return
		}
		if err == nil { // somebody else may do better
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusInternalServerError {
				suspect = v.up // who says 500 is done with it
			}
			elsewhere = true
			tried = append(tried, v.up)
			if next := v.choose(tried, e.now()); next != nil {
				v.up = next
			}
			continue
		}
		if fault := body.Fault(); fault != nil { // no upstream is to blame
			e.refuse(v, refusal.StatusOf(fault))
			return
		}
		if sent(err) {
			suspect = v.up
		}
		if v.r.Context().Err() != nil || !e.mayRetry(err, twice, body.Whole()) {
			break
		}
		tried = append(tried, v.up)
		if !e.onward(v, &tried, giveUp) {
			break
		}
	}
	if v.r.Context().Err() == nil {
		v.site.tenant.lost.Add(1)
		e.log.Warn("edge: no instance answered", "org", v.site.tenant.org, "tries", v.tries)
	}
	if suspect != nil && !reads(v.r) {
		e.refuseUnknown(v)
		return
	}
	e.refuse(v, http.StatusServiceUnavailable)
}

// unsure answers a registration that v's upstream refuses and suspect may have taken.
// The session goes to the one that is well, which by then knows what became of it.
func (e *Edge) unsure(v *visit, suspect *pool.Upstream, status int) {
	v.site.tenant.lost.Add(1)
	e.log.Warn("edge: an instance refuses what another may have taken", "org", v.site.tenant.org, "upstream", suspect.Name, "tries", v.tries)
	if v.kind == page && status < http.StatusInternalServerError {
		v.moved(v.up)
	}
	if v.kind == page && v.changed {
		e.bind(v, v.w.Header())
	}
	e.refuseUnknown(v)
}

// again is the pause before all upstreams are asked once more.
const again = 100 * time.Millisecond

// mayRetry reports whether a request that failed with err may be sent again.
func (e *Edge) mayRetry(err error, twice, whole bool) bool {
	if !sent(err) {
		return whole
	}
	return twice && e.budget.Withdraw(e.now())
}

// sent reports whether an instance may have acted on a request that failed with err.
func sent(err error) bool {
	var x *exchange.Error
	return !errors.As(err, &x) || x.Sent
}

// onward moves the visit to the next upstream. When all were tried it waits a
// moment and begins again, until patience ends.
func (e *Edge) onward(v *visit, tried *[]*pool.Upstream, giveUp time.Time) bool {
	now := e.now()
	next := v.choose(*tried, now)
	if next == nil {
		pause := time.NewTimer(again)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-v.r.Context().Done():
			return false
		}
		*tried = nil
		if now = e.now(); now.After(giveUp) {
			return false
		}
		if next = v.choose(nil, now); next == nil {
			return false
		}
	}
	v.up = next
	if v.kind == page {
		v.moved(next)
	}
	return true
}

// better reports whether another upstream is to be asked though one answered: it
// failed, once, at something that may be sent again, and somebody else is well.
// What says that it is full or away is an answer, which others would give, too.
func (e *Edge) better(v *visit, resp *http.Response, twice bool) bool {
	switch resp.StatusCode {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
	default:
		return false
	}
	now := e.now()
	if !twice || v.tries > 1 {
		return false
	}
	next := v.choose([]*pool.Upstream{v.up}, now)
	return next != nil && next.State(now).Condition == pool.Up && e.budget.Withdraw(now)
}

// try sends the request once.
func (e *Edge) try(v *visit, out *http.Request, body *held.Body) (*http.Response, error) {
	v.tries++
	up := v.up
	if out.ContentLength < 0 {
		// Its body is sent beside the reading of the answer, and the sender of an
		// earlier try may not have ended yet.
		out = out.WithContext(out.Context())
	}
	out.Body = body.Open()
	up.Places.Enter()
	began := e.now()
	resp, err := up.Exchange.RoundTrip(out)
	if err == nil {
		err = fetch(resp)
	}
	now := e.now()
	switch {
	case err == nil:
		failed := resp.StatusCode == http.StatusInternalServerError || resp.StatusCode >= http.StatusBadGateway
		up.Places.Release(now.Sub(began), limit.Success)
		if up.Answered(v.site.tenant.key, now.Sub(began), failed, now) {
			e.log.Warn("edge: an instance is ejected, since too much of what it answers fails", "upstream", up.Name)
		}
	case v.r.Context().Err() != nil || body.Fault() != nil:
		up.Places.Release(now.Sub(began), limit.Ignored)
	default:
		up.Places.Release(now.Sub(began), limit.Ignored) // who is gone is not busy
		up.Lost(now)
		e.prober.Hurry(up)
	}
	return resp, err
}

// mostFetched is up to which size an answer is read whole before any of it is
// passed on: what breaks off within it can still be had from another upstream,
// and a visitor who reads slowly holds up no instance.
const mostFetched = 64 << 10

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// fetched is a body that was read whole.
type fetched struct {
	*bytes.Buffer
	once sync.Once
}

func (f *fetched) Close() error {
	f.once.Do(func() {
		f.Reset()
		buffers.Put(f.Buffer)
	})
	return nil
}

// fetch reads a small answer whole.
func fetch(resp *http.Response) error {
	if resp.ContentLength <= 0 || resp.ContentLength > mostFetched || resp.Body == http.NoBody {
		return nil
	}
	b := buffers.Get().(*bytes.Buffer)
	b.Grow(int(resp.ContentLength) + bytes.MinRead)
	_, err := b.ReadFrom(resp.Body)
	if closeErr := resp.Body.Close(); err == nil {
		err = closeErr
	}
	f := &fetched{Buffer: b}
	if err != nil {
		_ = f.Close()
		return &exchange.Error{Op: "read", Sent: true, Err: err}
	}
	resp.Body = f
	return nil
}

// answer passes an upstream's answer on. One that was read whole is written from
// where it is: exchange.Answer would copy it through a buffer of its own.
func (e *Edge) answer(v *visit, resp *http.Response) {
	defer resp.Body.Close()
	v.status = resp.StatusCode
	whole, ok := resp.Body.(*fetched)
	if ok {
		resp.Body = http.NoBody
	}
	if ok {
		v.leave() // who reads slowly takes nobody's place
	}
	if !e.belongs(v, resp) {
		return
	}
	e.found(v, resp.StatusCode)
	e.tell(v, resp.Header)
	e.keepToHTTPS(v, resp.Header)
	err := exchange.Answer(v.w, resp)
	if ok && err == nil {
		_, err = v.w.Write(whole.Bytes())
	}
	if err != nil {
		panic(http.ErrAbortHandler) // its first part is with the visitor
	}
}

// strictTransport keeps browsers on HTTPS for a year (RFC 6797).
const strictTransport = "max-age=31536000"

func (e *Edge) keepToHTTPS(v *visit, h http.Header) {
	if v.https && !e.o.Trial {
		h.Set("Strict-Transport-Security", strictTransport)
	}
}

func (v *visit) proto() string {
	if v.https {
		return "https"
	}
	return "http"
}

// replayable reports whether sending a request twice does what sending it once
// does: a read, or something that carries its idempotency key or the revision
// that it changes, which the store remembers.
func replayable(r *http.Request, body []byte) bool {
	switch {
	case reads(r) || r.Method == http.MethodPut:
		return true
	case r.Method != http.MethodPost:
		return false
	}
	if r.Header.Get("Idempotency-Key") != "" {
		return true
	}
	if r.URL.Path == hookPath { // each is taken once, and names records to read again
		return true
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if media != "application/x-www-form-urlencoded" {
		return false
	}
	return says(body, "key=") || says(body, "revision=")
}

// reads reports whether a request changes nothing.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// registers reports whether a replayable request makes something new: what carries a
// revision changes what is there, and is told what that is by then.
func registers(r *http.Request, body []byte) bool {
	if r.Method != http.MethodPost || r.URL.Path == hookPath {
		return false
	}
	return r.Header.Get("Idempotency-Key") != "" || !says(body, "revision=")
}

// says reports whether a form has a field that is not empty, as our pages and every
// browser write it. A field that is written otherwise is not sent twice, and no more.
func says(form []byte, field string) bool {
	for one := range bytes.SplitSeq(form, []byte("&")) {
		if value, ok := bytes.CutPrefix(one, []byte(field)); ok && len(value) > 0 {
			return true
		}
	}
	return false
}

const hookPath = "/hooks/salesforce"

type visitKey struct{}

func with(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

// upgrades carries connections that become something else, such as WebSockets.
// They go to one upstream, once.
func (e *Edge) upgrades() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			v, _ := r.In.Context().Value(visitKey{}).(*visit)
			r.SetURL(v.up.Origin)
			r.Out.Host = r.In.Host
			r.Out.Header.Set("X-Forwarded-For", v.client.String())
			r.Out.Header.Set("X-Forwarded-Host", r.In.Host)
			r.Out.Header.Set("X-Forwarded-Proto", v.proto())
		},
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, _ error) {
			if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
				e.refuse(v, http.StatusServiceUnavailable)
			}
		},
	}
}
