// Package modulation lets several edges hold an org to one allowance together.
//
// No request asks anybody: each edge limits by itself, by its part of the
// allowance. Ten times a second, in the background, it tells the others through
// Redis what is wanted of it, hears what is wanted of them, and sets its parts
// anew: one exchange, however many requests there are. The parts of all edges add
// up to the allowance, but for the tenth of a second in which they do not yet know
// the same.
//
// While Redis is away, each edge has the whole allowance, as if it were alone; an
// edge that is gone is left out after a second. Names in Redis are keyed hashes by
// the edges' own key, so that deployments may share a server.
package modulation

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/redis/rueidis"

	server "github.com/turnout-events/turnout/internal/redis"
)

// Options of a Sharing; Server and Key are needed.
type Options struct {
	Server *server.Server
	// Key is the same for all edges that share, and nobody else's.
	Key []byte
}

// Sharing is what edges know of each other. Safe for concurrent use.
type Sharing struct {
	o     Options
	self  string
	group string
	edges atomic.Int64

	mu      sync.Mutex
	holders []known

	looked, heard time.Time // of the goroutine that steps
}

// holder is a Meter or a Share.
type holder interface {
	// wants is what is asked of this edge now, and of how much in all.
	wants(since time.Duration) (want, of float64)
	give(part float64)
}

type held struct {
	id id
	holder
}

// known is a holder for as long as an edge has it: orgs and hosts come and go, and
// nobody says so.
type known struct {
	id id
	// now is nil once it is gone.
	now func() holder
}

// New makes a Sharing; Run does its work.
func New(o Options) *Sharing {
	s := &Sharing{o: o, self: rand.Text()}
	s.group = "turnout:limits:{" + hex.EncodeToString(s.hash("group", "")[:12]) + "}:"
	s.edges.Store(1)
	return s
}

func (s *Sharing) hash(kind, name string) []byte {
	h := hmac.New(sha256.New, s.o.Key)
	h.Write([]byte("turnout limits\x00" + kind + "\x00" + name))
	return h.Sum(nil)
}

// Meter makes the rate of a holder.
func (s *Sharing) Meter(name string) *Meter {
	m := &Meter{}
	s.add("rate", name, whileHeld[Meter](m))
	return m
}

// Share makes the places of a holder.
func (s *Sharing) Share(name string) *Share {
	h := &Share{}
	s.add("places", name, whileHeld[Share](h))
	return h
}

// whileHeld finds a holder for as long as somebody else has it.
func whileHeld[T any, P interface {
	*T
	holder
}](h P) func() holder {
	here := weak.Make((*T)(h))
	return func() holder {
		if h := here.Value(); h != nil {
			return P(h)
		}
		return nil
	}
}

func (s *Sharing) add(kind, name string, now func() holder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holders = append(s.holders, known{id(binary.BigEndian.Uint64(s.hash(kind, name))), now})
}

// all are the holders that there are, and forgets the others.
func (s *Sharing) all() []held {
	s.mu.Lock()
	defer s.mu.Unlock()
	there := make([]held, 0, len(s.holders))
	s.holders = slices.DeleteFunc(s.holders, func(k known) bool {
		h := k.now()
		if h != nil {
			there = append(there, held{k.id, h})
		}
		return h == nil
	})
	return there
}

// Edges is how many edges share as far as this one knows, itself included.
func (s *Sharing) Edges() int { return int(s.edges.Load()) }

// How often edges tell each other, how long they count without telling, and after
// how long without Redis an edge goes by itself.
const (
	every    = 100 * time.Millisecond
	livesFor = time.Second
	patience = time.Second
)

// Run tells and hears until ctx ends.
func (s *Sharing) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.leave(ctx)
		case <-tick.C:
			s.step(ctx, time.Now())
		}
	}
}

// leave lets the others have this edge's parts at once.
func (s *Sharing) leave(ctx context.Context) error {
	_ = s.o.Server.Ask(ctx, func(ctx context.Context, c rueidis.Client) error { // else they notice in a second
		return c.Do(ctx, c.B().Del().Key(s.group+s.self).Build()).Error()
	})
	return nil
}

// step looks once: what is wanted here, what is wanted of the others, and what
// that makes of this edge's parts.
func (s *Sharing) step(ctx context.Context, now time.Time) {
	since := now.Sub(s.looked)
	if s.looked.IsZero() || since <= 0 {
		since = every
	}
	s.looked = now
	holders := s.all()
	own, limits := map[id]float64{}, make([]float64, len(holders))
	for i, h := range holders {
		want, of := h.wants(since)
		limits[i] = of
		if want > 0 {
			own[h.id] += want
		}
	}
	others, err := s.exchange(ctx, own)
	switch {
	case err == nil:
		s.heard = now
	case now.Sub(s.heard) > patience:
		others = nil
	default:
		return
	}
	s.divide(holders, limits, append(others, own))
}

// divide sets the parts. What this edge wants comes last.
func (s *Sharing) divide(holders []held, limits []float64, reports []map[id]float64) {
	s.edges.Store(int64(len(reports)))
	wants := make([]float64, len(reports))
	for i, h := range holders {
		if !(limits[i] > 0) {
			h.give(1 / float64(len(reports)))
			continue
		}
		for j, r := range reports {
			wants[j] = r[h.id]
		}
		h.give(part(limits[i], wants, len(wants)-1) / limits[i])
	}
}

// exchange tells the others what is wanted here and reads what they told.
func (s *Sharing) exchange(ctx context.Context, own map[id]float64) (others []map[id]float64, err error) {
	list := s.group + "edges"
	err = s.o.Server.Ask(ctx, func(ctx context.Context, c rueidis.Client) error {
		replies := c.DoMulti(ctx,
			c.B().Set().Key(s.group+s.self).Value(string(encode(own))).Px(livesFor).Build(),
			c.B().Sadd().Key(list).Member(s.self).Build(),
			c.B().Expire().Key(list).Seconds(3600).Build(),
			c.B().Smembers().Key(list).Build(),
		)
		for _, r := range replies {
			if err := r.Error(); err != nil {
				return err
			}
		}
		names, err := replies[len(replies)-1].AsStrSlice()
		if err != nil {
			return err
		}
		others, err = s.read(ctx, c, list, names)
		return err
	})
	return others, err
}

// read reads what edges told, and takes those off the list that tell nothing any
// more.
func (s *Sharing) read(ctx context.Context, c rueidis.Client, list string, names []string) ([]map[id]float64, error) {
	names = slices.DeleteFunc(names, func(name string) bool { return name == s.self })
	if len(names) == 0 {
		return nil, nil
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.group + name
	}
	values, err := c.Do(ctx, c.B().Mget().Key(keys...).Build()).ToArray()
	if err != nil {
		return nil, err
	}
	var others []map[id]float64
	var gone []string
	for i, v := range values {
		text, err := v.ToString()
		if err != nil {
			gone = append(gone, names[i])
			continue
		}
		others = append(others, decode([]byte(text)))
	}
	if len(gone) == 0 {
		return others, nil
	}
	return others, c.Do(ctx, c.B().Srem().Key(list).Member(gone...).Build()).Error()
}
