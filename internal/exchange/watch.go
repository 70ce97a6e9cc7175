package exchange

import (
	"context"
	"time"
)

// lag is how often what is under way is looked at. A request's context is watched
// from the second look on, so after 20 ms at the latest: most are answered before,
// and to watch a context costs more than to send a request.
const lag = 10 * time.Millisecond

// begin notes that x is under way, so that the end of its context is found out.
func (c *Client) begin(x *exchange) {
	if x.request.Context().Done() == nil {
		return
	}
	p := &c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	x.conn.busy, x.conn.seen = x, false
	switch {
	case p.watching:
		return
	case p.watcher == nil:
		p.watcher = time.AfterFunc(lag, c.watch)
	default:
		p.watcher.Reset(lag)
	}
	p.watching = true
}

// finish takes x off the watch. It reports whether x was, or is just being,
// interrupted.
func (c *Client) finish(x *exchange) (interrupted bool) {
	p := &c.pool
	p.mu.Lock()
	stop := x.conn.stop
	x.conn.busy, x.conn.stop = nil, nil
	p.mu.Unlock()
	return stop != nil && !stop()
}

// watch looks at what is under way, every lag: at what it has not seen before it
// looks again, and what is still there then has its context watched from now on.
func (c *Client) watch() {
	p := &c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watching = false
	for k := range p.all {
		if k.busy == nil {
			continue
		}
		p.watching = true
		if k.seen && k.stop == nil {
			k.stop = context.AfterFunc(k.busy.request.Context(), k.expire)
		}
		k.seen = true
	}
	if p.watching {
		p.watcher.Reset(lag)
	}
}
