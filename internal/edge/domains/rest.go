package domains

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
)

const (
	// firstRest after an order that the CA refused, tripled with each further
	// one up to longestRest. An order that fails tries both kinds of challenge,
	// and Let's Encrypt takes five failed validations of a host at once and one
	// more every twelve minutes (letsencrypt.org/docs/rate-limits): this stays
	// within that.
	firstRest   = 5 * time.Minute
	longestRest = time.Hour
	// outageRest is for an order that failed for the CA's sake or ours: it says
	// nothing against the host.
	outageRest = time.Minute
	// remembered bounds the rests in memory.
	remembered = 10_000
)

// rest is how long a host's orders have to wait after one failed.
type rest struct {
	Until time.Time `json:"until"`
	// Refused counts the orders in a row that the CA refused.
	Refused int `json:"refused"`

	// bare says that there is no certificate in the storage to serve meanwhile.
	bare bool
}

// after is the rest that follows from an order's failure.
func (r rest) after(err error, now time.Time) rest {
	var problem acme.Problem
	if !errors.As(err, &problem) {
		return rest{Until: now.Add(outageRest), Refused: r.Refused}
	}
	pause := firstRest
	for range r.Refused {
		pause = min(3*pause, longestRest)
	}
	if problem.Type == acme.ProblemTypeRateLimited {
		pause = longestRest
	}
	return rest{Until: now.Add(pause), Refused: r.Refused + 1}
}

// rests are in the storage, so that edges share them and a restart does not
// end them, and those that are met are in memory, so that a handshake finds
// them without a read. Safe for concurrent use.
type rests struct {
	storage certmagic.Storage
	now     func() time.Time

	mu   sync.RWMutex
	near map[string]rest
}

func newRests(storage certmagic.Storage, now func() time.Time) *rests {
	return &rests{storage: storage, now: now, near: map[string]rest{}}
}

func restFile(host string) string { return "rests/" + certmagic.StorageKeys.Safe(host) + ".json" }

// met is a host's rest if it is in memory and not over.
func (r *rests) met(host string) (rest, bool) {
	r.mu.RLock()
	found, ok := r.near[host]
	r.mu.RUnlock()
	return found, ok && r.now().Before(found.Until)
}

// meet keeps a rest in memory. What is over makes room, then any other:
// forgetting one costs a read of the storage.
func (r *rests) meet(host string, found rest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.near) >= remembered {
		r.makeRoom()
	}
	r.near[host] = found
}

func (r *rests) makeRoom() {
	now := r.now()
	for host, old := range r.near {
		if !now.Before(old.Until) {
			delete(r.near, host)
		}
	}
	for host := range r.near {
		if len(r.near) < remembered {
			return
		}
		delete(r.near, host)
	}
}

// load reads a host's rest, over or not; one without failures when there is none.
func (r *rests) load(ctx context.Context, host string) (rest, error) {
	var found rest
	text, err := r.storage.Load(ctx, restFile(host))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		return found, fmt.Errorf("read rest of %s: %w", host, err)
	}
	return found, nil
}

func (r *rests) begin(ctx context.Context, host string, found rest) error {
	r.meet(host, found)
	text, err := json.Marshal(found)
	if err == nil {
		err = r.storage.Store(ctx, restFile(host), text)
	}
	if err != nil {
		return fmt.Errorf("keep rest of %s: %w", host, err)
	}
	return nil
}

func (r *rests) end(ctx context.Context, host string) error {
	r.mu.Lock()
	delete(r.near, host)
	r.mu.Unlock()
	if err := r.storage.Delete(ctx, restFile(host)); err != nil {
		return fmt.Errorf("forget rest of %s: %w", host, err)
	}
	return nil
}
