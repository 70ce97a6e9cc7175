package edge

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/limit"
)

// Meter holds one holder to a rate, without asking anybody at each request.
// limit.Meter is this process's; one that edges share leases requests ahead.
type Meter interface {
	Take(r limit.Rate, now time.Time) limit.Verdict
}

// Share holds one holder to a part of what there is at once. limit.Share is this
// process's.
type Share interface {
	Acquire(capacity int, fraction float64) bool
	Release()
	InUse() int
}

// clientMay reports whether the client's address may ask now. It refuses if not.
func (e *Edge) clientMay(v *visit) bool {
	if e.o.Client.PerSecond == 0 {
		return true
	}
	verdict := e.clients.TakeAddr(v.client, e.o.Client, v.began)
	if !verdict.OK {
		e.throttled.Add(1)
		e.throttle(v, "client", verdict)
	}
	return verdict.OK
}

// orgMay reports whether the domain and the org may be asked now. It refuses if not.
func (e *Edge) orgMay(v *visit) bool {
	s := v.site
	if verdict := s.meter.Take(s.domain, v.began); !verdict.OK {
		e.throttle(v, "domain", verdict)
		return false
	}
	rate := limit.Rate{PerSecond: s.allowance.PerSecond, Burst: s.allowance.Burst}
	if verdict := s.tenant.meter.Take(rate, v.began); !verdict.OK {
		e.throttle(v, "org", verdict)
		return false
	}
	return true
}

// Requests that find no place wait for one, so that what comes in bursts is not
// refused for coming together, and whoever has filled in a form is not told to do
// it again. So many for each place of the org's wait at once, each for
// Options.Patience: behind an org that answers slowly none of them would get a place.
const waitForAPlace = 16

// takePlace takes a place of the org's share, which the caller gives back. Where
// none is free the request waits for one; it is refused when that takes too long or
// too many do. The rate holds the fast, the share the slow: whoever keeps within the
// rate with requests that take long runs out of places, and of nobody else's (P7).
func (e *Edge) takePlace(v *visit) bool {
	s := v.site
	part := s.part()
	pressed := false
	v.holds = s.tenant.stile.Pass(v.r.Context(), part*waitForAPlace, e.o.Patience, func() bool {
		if s.tenant.share.Acquire(s.part(), 1) {
			return true
		}
		if !pressed {
			pressed = true
			s.courses[0].press()
		}
		return false
	})
	if v.holds || v.r.Context().Err() != nil {
		return v.holds
	}
	if l, identity := e.gate(v); l != nil { // a form is waited for, and its visitor comes again by themselves
		e.showLine(v, l, room.Place{Refresh: comeAgain}, identity != nil)
		return false
	}
	e.throttle(v, "org", limit.Verdict{RetryAfter: time.Second, Reset: time.Second})
	return false
}

// comeAgain is when whoever has a place in line and found no free one looks again.
const comeAgain = 2 * time.Second

// places is how many requests the course's first living pool holds at once, or
// its first one while none lives: a request may wait for that.
func (c *course) places() int {
	for _, alive := range [...]bool{true, false} {
		for _, p := range c.pools {
			all := 0
			for _, u := range p.Upstreams {
				if !alive || !u.IsDown() {
					all += u.Places.Limit()
				}
			}
			if all > 0 {
				return all
			}
		}
	}
	return 0
}

// press tells the instances' limits that more was wanted than an org's share of
// them, so that they grow by what several orgs would have used.
func (c *course) press() {
	for _, p := range c.pools {
		for _, u := range p.Upstreams {
			u.Places.Press()
		}
	}
}

// throttle answers 429 with what the client is to wait for. Nothing of the
// request was read but its head.
func (e *Edge) throttle(v *visit, policy string, verdict limit.Verdict) {
	if v.site != nil {
		v.site.tenant.refused.Add(1)
	}
	h := v.w.Header()
	wait := max(1, int64((verdict.RetryAfter+time.Second-1)/time.Second))
	h.Set("Retry-After", strconv.FormatInt(wait, 10))
	if verdict.Limit > 0 {
		reset := max(1, int64((verdict.Reset+time.Second-1)/time.Second))
		h.Set("RateLimit-Policy", `"`+policy+`";q=`+strconv.Itoa(verdict.Limit))
		h.Set("RateLimit", `"`+policy+`";r=`+strconv.Itoa(verdict.Remaining)+";t="+strconv.FormatInt(reset, 10))
	}
	if insists(v.r.Context()) {
		h.Set("Connection", "close")
	}
	e.refuse(v, http.StatusTooManyRequests)
}

// most refusals on one connection end it: whoever goes on asking all the same
// is to pay for a handshake, too.
const most = 20

type connKey struct{}

// CountRefusals is for http.Server.ConnContext: it lets the edge end
// connections on which it had to refuse too often.
func CountRefusals(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, new(atomic.Int32))
}

// insists counts a refusal on the request's connection, and reports whether
// there were too many.
func insists(ctx context.Context) bool {
	n, ok := ctx.Value(connKey{}).(*atomic.Int32)
	return ok && n.Add(1) >= most
}
