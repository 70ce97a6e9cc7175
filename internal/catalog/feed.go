package catalog

import (
	"context"
	"log/slog"
	"time"

	"github.com/turnout-events/turnout"
)

// Feed is the change feed of the store.
type Feed interface {
	// Changes returns up to limit changes after a sequence number, in order. A
	// first one of the empty kind says that some were pruned before they were read.
	Changes(ctx context.Context, after int64, limit int) ([]turnout.Change, error)
	// LastChange is the newest sequence number, 0 for none.
	LastChange(ctx context.Context) (int64, error)
}

// News is what a look at the feed brought.
type News struct {
	// Changes are in order.
	Changes []turnout.Change
	// All says that changes were missed: everything may be different.
	All bool
}

// Subscriber hears of changes. It is called by one goroutine, and whoever
// subscribed later waits until it returns.
type Subscriber func(context.Context, News)

const (
	// feedEvery is how often the feed is read: four times a second (DESIGN, change feed).
	feedEvery = 250 * time.Millisecond
	feedLimit = 1000
)

// Follower reads the change feed and tells its subscribers, in order.
type Follower struct {
	feed        Feed
	logger      *slog.Logger
	subscribers []Subscriber
	// position is the sequence number of the last change that was told.
	position int64
	failing  bool
}

// NewFollower makes a follower of feed.
func NewFollower(feed Feed, logger *slog.Logger) *Follower {
	return &Follower{feed: feed, logger: logger}
}

// Follow adds a subscriber. Call it before Run.
func (f *Follower) Follow(s Subscriber) { f.subscribers = append(f.subscribers, s) }

// Start takes the feed's position. Whatever is loaded afterwards is at least
// as new, so nothing is missed between the two.
func (f *Follower) Start(ctx context.Context) error {
	last, err := f.feed.LastChange(ctx)
	if err != nil {
		return turnout.Wrap(turnout.CodeOf(err), "read position of change feed", err)
	}
	f.position = last
	return nil
}

// Run follows the feed until ctx ends. A feed that cannot be read is tried
// again; nothing is lost, since the position stays.
func (f *Follower) Run(ctx context.Context) error {
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := f.step(ctx)
		if err != nil && !f.failing && ctx.Err() == nil {
			f.logger.Error("change feed cannot be read; showing what is known", "err", err)
		}
		f.failing = err != nil
	}
}

// step tells what is new since the last step.
func (f *Follower) step(ctx context.Context) error {
	last, err := f.feed.LastChange(ctx)
	switch {
	case err != nil:
		return err
	case last < f.position: // the store was restored from a backup
		f.logger.Warn("change feed went back; reading everything again", "from", f.position, "to", last)
		f.position = last
		f.tell(ctx, News{All: true})
		return nil
	}
	for f.position < last {
		changes, err := f.feed.Changes(ctx, f.position, feedLimit)
		if err != nil {
			return err
		}
		if len(changes) == 0 {
			return nil // not visible yet
		}
		f.position = changes[len(changes)-1].Seq
		if changes[0].Kind == "" {
			f.logger.Warn("change feed was pruned before it was read; reading everything again")
			f.tell(ctx, News{All: true})
			continue
		}
		f.tell(ctx, News{Changes: changes})
	}
	return nil
}

func (f *Follower) tell(ctx context.Context, n News) {
	for _, s := range f.subscribers {
		s(ctx, n)
	}
}
