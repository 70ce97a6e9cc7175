// Package redis reaches a Redis server that may be away.
//
// It promises that nobody waits for the server longer than a moment: what is
// asked is bounded, a first failure opens a circuit, and from then on callers
// hear ErrAway at once until the server was reached again in the background,
// which is tried once a second. What is done without Redis is for the callers to
// know; one log line and a gauge say that it is away.
//
// It needs the commands of Redis 7.0 and no more.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrAway says that the server does not answer, and that nobody waited for it.
var ErrAway = errors.New("the Redis server is away")

// Options of a Server. URL is needed.
type Options struct {
	URL string
	// Use says what for, in logs: "sessions". Without says what goes on while the
	// server is away: "sealed cookies go on".
	Use, Without string
	// Patience bounds what a request waits; 0 means 50 ms.
	Patience time.Duration
	Logger   *slog.Logger
}

// Server is a Redis server as one use of it sees it. Safe for concurrent use.
type Server struct {
	o      Options
	client rueidis.ClientOption

	now    atomic.Pointer[rueidis.Client] // nil while it is away
	mu     sync.Mutex                     // held to change now
	closed bool
}

// background bounds what is asked for by nobody who waits.
const background = 2 * time.Second

// Open connects to a server, or goes on without one that is away; Run brings it
// back. Its error is one that waiting does not heal: a URL, a password, a
// certificate.
func Open(ctx context.Context, o Options) (*Server, error) {
	client, err := parse(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Patience == 0 {
		o.Patience = 50 * time.Millisecond
	}
	s := &Server{o: o, client: client}
	switch err := s.connect(ctx); {
	case err != nil && lasting(err):
		return nil, fmt.Errorf("connect to Redis for %s at %s: %w; correct its URL or its users", o.Use, client.InitAddress[0], err)
	case err != nil:
		s.say(err)
	}
	return s, nil
}

// lasting reports whether an error stays until somebody changes a setting.
func lasting(err error) bool {
	if said, ok := rueidis.IsRedisErr(err); ok {
		return !passing(said.Error())
	}
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.Is(err, rueidis.ErrNoCache) || errors.As(err, &certificate) || errors.As(err, &record)
}

// passing reports whether the server answered with what it says of itself while
// it starts, fails over, or has no room: it is as good as away then.
func passing(said string) bool {
	for _, word := range []string{"LOADING", "READONLY", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS", "ERR max number of clients"} {
		if strings.HasPrefix(said, word) {
			return true
		}
	}
	return false
}

// probe does a little of all that is asked of the server, so that a user who may
// not is noticed at once.
const probe = `return redis.call('SET', KEYS[1], redis.call('TIME')[1], 'PX', 1000)`

// connect makes a client, unless there is one, and sees that the server takes
// writes: after a failover the old primary may still answer.
func (s *Server) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, background)
	defer cancel()
	made := make(chan error, 1)
	var client rueidis.Client
	go func() {
		c, err := rueidis.NewClient(once(s.client))
		if err == nil {
			client = c
			err = c.Do(ctx, c.B().Eval().Script(probe).Numkeys(1).Key("turnout:probe").Build()).Error()
		}
		if err != nil && c != nil {
			c.Close()
		}
		made <- err
	}()
	select {
	case err := <-made:
		if err != nil {
			return err
		}
		s.install(client)
		return nil
	case <-ctx.Done():
		go func() { // it is closed when it comes after all
			if <-made == nil {
				client.Close()
			}
		}()
		return ErrAway
	}
}

func (s *Server) install(c rueidis.Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.now.Load() != nil {
		c.Close()
		return
	}
	s.now.Store(&c)
}

// Away reports whether the server is away.
func (s *Server) Away() bool { return s.now.Load() == nil }

// Ask does something that a request waits for, which is for a moment. ErrAway
// means that the server was not there, or is not any more.
func (s *Server) Ask(ctx context.Context, do func(context.Context, rueidis.Client) error) error {
	return s.within(ctx, s.o.Patience, do)
}

// Do does something that nobody waits for.
func (s *Server) Do(ctx context.Context, do func(context.Context, rueidis.Client) error) error {
	return s.within(ctx, background, do)
}

// within runs do for at most long. Whoever asked and left does not end it: a
// call that is given up would look like a server that is gone.
func (s *Server) within(ctx context.Context, long time.Duration, do func(context.Context, rueidis.Client) error) error {
	client := s.now.Load()
	if client == nil {
		return ErrAway
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), long)
	defer cancel()
	err := do(ctx, *client)
	if err == nil || rueidis.IsRedisNil(err) {
		return err
	}
	if said, ok := rueidis.IsRedisErr(err); ok && !passing(said.Error()) {
		return err
	}
	s.lose(client, err)
	return ErrAway
}

// lose opens the circuit.
func (s *Server) lose(client *rueidis.Client, err error) {
	s.mu.Lock()
	lost := s.now.CompareAndSwap(client, nil)
	closed := s.closed
	s.mu.Unlock()
	if !lost {
		return // somebody saw it before
	}
	go (*client).Close() // it may wait for what is under way
	if !closed {
		s.say(err)
	}
}

func (s *Server) say(err error) {
	s.o.Logger.Warn("Redis does not answer: "+s.o.Without, "use", s.o.Use, "at", s.client.InitAddress[0], "error", err)
}

// retryEvery is how often a server that is away is looked for.
const retryEvery = time.Second

// Run looks for the server while it is away, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.step(ctx)
		}
	}
}

// step looks for the server if it is away, and whether it is there if not: one
// that nobody asks anything is missed all the same.
func (s *Server) step(ctx context.Context) {
	if !s.Away() {
		_ = s.Do(ctx, func(ctx context.Context, c rueidis.Client) error { return c.Do(ctx, c.B().Ping().Build()).Error() }) // what it finds, it says
		return
	}
	if s.connect(ctx) == nil {
		s.o.Logger.Info("Redis answers again", "use", s.o.Use, "at", s.client.InitAddress[0])
	}
}

// Close ends the connection. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	client := s.now.Swap(nil)
	s.mu.Unlock()
	if client != nil {
		(*client).Close()
	}
	return nil
}
