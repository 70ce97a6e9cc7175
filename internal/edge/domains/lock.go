package domains

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

const (
	// lease is how long a lock outlives an edge that died with it.
	lease = 30 * time.Second
	// renewal is how often whoever holds a lock says so.
	renewal = lease / 3
	// look is the pause between two looks at a lock that another edge holds.
	look = 250 * time.Millisecond
)

// held is a lock that this process has.
type held struct {
	owner string
	stop  context.CancelFunc
	ended chan struct{}
}

func turnOf(name string) string { return "edge/" + name }

// Lock implements certmagic.Locker: it waits until nobody holds name, or until
// ctx ends. The lock is renewed until Unlock. An edge that cannot renew it in
// time loses it without a word: then two may make the same order, and the later
// certificate stays.
func (s *storage) Lock(ctx context.Context, name string) error {
	// Each lock is an owner of its own: two goroutines of one process keep each
	// other out as two processes do.
	owner := s.owner + " " + rand.Text()
	for {
		won, err := s.turn(ctx, name, owner, lease)
		if err != nil {
			return fmt.Errorf("lock %s: %w", name, err)
		}
		if won {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", name, ctx.Err())
		case <-time.After(look):
		}
	}
	s.keep(ctx, name, owner)
	return nil
}

func (s *storage) turn(ctx context.Context, name, owner string, ttl time.Duration) (bool, error) {
	return s.shelf.Turn(ctx, "", turnOf(name), owner, s.now(), ttl)
}

// keep renews a lock in the background until it is given back.
func (s *storage) keep(ctx context.Context, name, owner string) {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &held{owner: owner, stop: stop, ended: make(chan struct{})}
	s.mu.Lock()
	s.held[name] = h
	s.mu.Unlock()
	go func() {
		defer close(h.ended)
		tick := time.NewTicker(renewal)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if won, err := s.turn(ctx, name, owner, lease); err == nil && !won {
					return // another edge has it by now
				}
			}
		}
	}()
}

// Unlock implements certmagic.Locker.
func (s *storage) Unlock(ctx context.Context, name string) error {
	s.mu.Lock()
	h := s.held[name]
	delete(s.held, name)
	s.mu.Unlock()
	if h == nil {
		return fmt.Errorf("unlock %s: it is not locked here", name)
	}
	h.stop()
	<-h.ended
	// Whoever lost the lock has nothing to give back.
	if _, err := s.turn(ctx, name, h.owner, 0); err != nil {
		return fmt.Errorf("unlock %s: %w", name, err)
	}
	return nil
}
