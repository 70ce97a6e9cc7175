package exchange

import (
	"context"
	"slices"
	"sync"
	"time"
)

// pool is the connections of a client: all of them, so that they can be broken,
// and those that wait for a request. Its lock is held for no I/O.
type pool struct {
	most    int
	longest time.Duration

	mu     sync.Mutex
	all    map[*conn]struct{}
	idle   []*conn // the longest idle first
	timer  *time.Timer
	armed  bool // the timer will fire
	closed bool

	watcher  *time.Timer
	watching bool // the watcher will fire
}

// take gives a connection for a request: the one that was used last, since its
// peer is the most likely to be alive and the oldest can then grow too old.
func (c *Client) take(ctx context.Context) (*conn, error) {
	for {
		k := c.pool.last()
		if k == nil {
			return c.dial(ctx)
		}
		if k.quiet() {
			return k, nil
		}
		c.drop(k)
	}
}

// put keeps a connection for the next request, or closes it.
func (c *Client) put(k *conn) {
	if !c.pool.keep(k, c) {
		c.drop(k)
	}
}

// drop closes a connection for good.
func (c *Client) drop(k *conn) {
	c.pool.forget(k)
	k.sever()
}

// sweep closes what has been idle for too long.
func (c *Client) sweep() {
	for _, k := range c.pool.expired() {
		c.drop(k)
	}
}

// add registers a connection before it is dialled.
func (p *pool) add(k *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = make(map[*conn]struct{})
	}
	p.all[k] = struct{}{}
}

func (p *pool) forget(k *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, k)
}

func (p *pool) last() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle) - 1
	if n < 0 {
		return nil
	}
	k := p.idle[n]
	p.idle[n] = nil
	p.idle = p.idle[:n]
	return k
}

// keep reports whether k now waits in the pool, which c sweeps when the first of
// those that wait may be too old.
func (p *pool) keep(k *conn, c *Client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ours := p.all[k]; !ours || p.closed || len(p.idle) >= p.most {
		return false
	}
	k.since = time.Now()
	p.idle = append(p.idle, k)
	switch {
	case p.timer == nil:
		p.timer = time.AfterFunc(p.longest, c.sweep)
	case !p.armed:
		p.timer.Reset(p.longest)
	}
	p.armed = true
	return true
}

// expired takes out what has been idle for too long and sets the timer for the rest.
func (p *pool) expired() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	n := 0
	for n < len(p.idle) && now.Sub(p.idle[n].since) >= p.longest {
		n++
	}
	old := slices.Clone(p.idle[:n])
	p.idle = slices.Delete(p.idle, 0, n)
	if p.armed = len(p.idle) > 0; p.armed {
		p.timer.Reset(p.longest - now.Sub(p.idle[0].since))
	}
	return old
}

// empty takes out every connection, those in use and those being dialled too,
// and marks them with the reason.
func (p *pool) empty(cause error) []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*conn, 0, len(p.all))
	for k := range p.all {
		k.broken.Store(&cause)
		all = append(all, k)
	}
	p.all, p.idle = nil, nil
	return all
}

// close takes out what is idle and keeps nothing any more.
func (p *pool) close() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle
	p.idle, p.closed = nil, true
	if p.timer != nil {
		p.timer.Stop()
	}
	return idle
}
