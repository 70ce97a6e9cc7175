package wiretest

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is one connection: a caller's end and the target's.
type link struct {
	wire     *Wire
	up, down way
	gone     chan struct{} // closed when it was reset
	once     sync.Once

	mu             sync.Mutex
	caller, target net.Conn
}

// way is one direction of a link.
type way struct{ lost atomic.Bool }

func (w *way) lose() { w.lost.Store(true) }

// run passes on both ways until both ends have gone.
func (l *link) run(target net.Conn) {
	l.mu.Lock()
	l.target = target
	l.mu.Unlock()
	select {
	case <-l.gone: // meanwhile, so that reset did not know of it
		reset(target)
	default:
	}
	var both sync.WaitGroup
	both.Go(func() { l.pass(&l.up, l.caller, target, func(f Fault) bool { return f.LoseUp }) })
	both.Go(func() { l.pass(&l.down, target, l.caller, func(f Fault) bool { return f.LoseDown }) })
	both.Wait()
	_, _ = l.caller.Close(), target.Close()
}

// pass passes one way on until its sender has gone. Its receiver hears of that,
// unless the way has lost something.
func (l *link) pass(w *way, from, to net.Conn, loses func(Fault) bool) {
	piece := make([]byte, 32<<10)
	for {
		n, err := from.Read(piece)
		if !l.ready(w, loses) {
			return
		}
		if n > 0 && !w.lost.Load() {
			if _, failed := to.Write(piece[:n]); failed != nil {
				w.lose() // the other way says why
			}
		}
		switch {
		case err == nil:
		case w.lost.Load():
			return
		case errors.Is(err, io.EOF):
			if half, ok := to.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite() // it may have gone as well
			}
			return
		default:
			l.reset()
			return
		}
	}
}

// ready waits until what was read may go on, and notes what is lost. It is false
// once the link has ended.
func (l *link) ready(w *way, loses func(Fault) bool) bool {
	f, changed, ended := l.wire.state()
	if f.Delay > 0 && !l.wait(f.Delay) {
		return false
	}
	for f.Hold && !ended {
		select {
		case <-changed:
			f, changed, ended = l.wire.state()
		case <-l.gone:
			return false
		}
	}
	if loses(f) {
		w.lose()
	}
	return true
}

func (l *link) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.gone:
		return false
	}
}

// reset ends both ends at once.
func (l *link) reset() {
	l.once.Do(func() {
		close(l.gone)
		reset(l.caller)
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.target != nil {
			reset(l.target)
		}
	})
}

// reset closes a connection so that its other end hears of a reset.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it may have ended
	}
	_ = c.Close()
}
