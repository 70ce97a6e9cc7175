// Package interest counts how many people opened their personal link to an event, and how
// many sent its form, for organisers and operators.
//
// Counting is in memory and writes nothing while a page waits (P12): what an instance has
// counted is added to what all have every few seconds, and an instance that is killed
// loses those. People are told apart and not known: what rests is a sketch of keyed
// hashes, a HyperLogLog, that is the same however often somebody comes, on whichever
// instance. It is off by 2 % or so, and by less below a thousand. An event that nobody new
// came to for three months is forgotten.
package interest

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/axiomhq/hyperloglog"

	"github.com/turnout-events/turnout"
)

// Shelf keeps what was counted, for all instances. One file for each event.
type Shelf interface {
	ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error
	File(ctx context.Context, name string) ([]byte, time.Time, error)
	Files(ctx context.Context, prefix string) ([]turnout.FileInfo, error)
	DeleteFile(ctx context.Context, name string) error
}

// Options of Interest. Shelf is required.
type Options struct {
	Shelf Shelf
	// Every is how often counts are added to the shelf's; zero means 10 s.
	Every time.Duration
	// Logger gets faults; nil means none.
	Logger *slog.Logger
}

// Counts are people by how far they came.
type Counts struct {
	// Opened is how many personal links were opened, Started how many people sent a form,
	// whether or not it was taken. Scanners of mail open links, too.
	Opened, Started int
}

// Interest counts. Any number of goroutines may use it.
type Interest struct {
	o Options

	mu     sync.Mutex
	events map[name]*seen
	// failing are events whose last write failed, swept is when old files were looked for;
	// only Run uses them.
	failing map[name]bool
	swept   time.Time
}

// name is that of an event.
type name struct {
	org   turnout.OrgID
	event turnout.EventID
}

// root begins the names of all files, prefix those of an org.
const root = "interest/"

func prefix(org turnout.OrgID) string { return root + string(org) + "/" }

func (n name) file() string { return prefix(n.org) + string(n.event) }

// seen is what this process has counted of an event.
type seen struct {
	opened, started *hyperloglog.Sketch
	// dirty: something came since the last write. idle counts the steps that it was not.
	dirty bool
	idle  int
}

// New makes it. It does no I/O.
func New(o Options) *Interest {
	if o.Every == 0 {
		o.Every = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Interest{o: o, events: map[name]*seen{}, failing: map[name]bool{}}
}

// Opened counts a personal link that somebody opened.
func (in *Interest) Opened(org turnout.OrgID, event turnout.EventID, link turnout.LinkID) {
	in.count(name{org, event}, func(s *seen) *hyperloglog.Sketch { return s.opened }, binary.BigEndian.Uint64(link[:8]))
}

// Started counts a form that somebody sent: their link's, or one with a key of its own.
func (in *Interest) Started(org turnout.OrgID, event turnout.EventID, s turnout.Submission) {
	who := binary.BigEndian.Uint64(s.Link[:8])
	if s.Link.IsZero() {
		h := fnv.New64a()
		_, _ = h.Write([]byte(s.Key)) // never fails
		who = mixed(h.Sum64())
	}
	in.count(name{org, event}, func(s *seen) *hyperloglog.Sketch { return s.started }, who)
}

// mixed spreads a hash over all bits, since a sketch reads the upper ones (the finalizer
// of MurmurHash3).
func mixed(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func (in *Interest) count(n name, of func(*seen) *hyperloglog.Sketch, who uint64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.events[n]
	if s == nil {
		s = &seen{opened: newSketch(), started: newSketch()}
		in.events[n] = s
	}
	of(s).InsertHash(who)
	s.dirty, s.idle = true, 0
}

// Run adds what was counted to the shelf's until ctx ends, and then once more.
func (in *Interest) Run(ctx context.Context) error {
	tick := time.NewTicker(in.o.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, done := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer done()
			in.step(last)
			return nil
		case <-tick.C:
			in.step(ctx)
			in.sweep(ctx, time.Now())
		}
	}
}

// lastWrite bounds what the end of a process waits for.
const lastWrite = 5 * time.Second

// step writes what is new, once. What the shelf does not take stays for the next time.
func (in *Interest) step(ctx context.Context) {
	for _, n := range in.due() {
		s, ok := in.take(n)
		if !ok {
			continue
		}
		err := in.write(ctx, n, s)
		if err == nil {
			delete(in.failing, n)
			continue
		}
		in.keep(n)
		if ctx.Err() != nil {
			return
		}
		if !in.failing[n] {
			in.o.Logger.Warn("interest: counts cannot be kept for now, and are in memory", "org", n.org, "event", n.event, "error", err)
		}
		in.failing[n] = true
	}
}

// write adds what was seen to the shelf's. The work is done before the shelf's writer has
// its turn, which registrations wait for; only where another instance came in between is
// it done again there. What is no news is not written.
func (in *Interest) write(ctx context.Context, n name, s *seen) error {
	had, _, err := in.o.Shelf.File(ctx, n.file())
	if err != nil && turnout.CodeOf(err) != turnout.CodeNotFound {
		return fmt.Errorf("read counts: %w", err)
	}
	text, news, err := merged(had, s)
	if err != nil || !news {
		return err
	}
	err = in.o.Shelf.ChangeFile(ctx, n.file(), func(old []byte, _ time.Time) ([]byte, error) {
		if bytes.Equal(old, had) {
			return text, nil
		}
		again, news, err := merged(old, s)
		switch {
		case err != nil:
			return nil, turnout.Wrap(turnout.CodeInternal, "join counts", err)
		case !news: // the other one has seen the same people
			return old, nil
		}
		return again, nil
	})
	if err != nil {
		return fmt.Errorf("write counts: %w", err)
	}
	return nil
}

// Files that nothing was added to for keepFor are deleted; they are looked for once in sweepEvery.
const (
	keepFor    = 90 * 24 * time.Hour
	sweepEvery = 12 * time.Hour
)

// sweep deletes what is old. Instances may do it at the same time.
func (in *Interest) sweep(ctx context.Context, now time.Time) {
	if now.Sub(in.swept) < sweepEvery {
		return
	}
	in.swept = now
	files, err := in.o.Shelf.Files(ctx, root)
	for _, f := range files {
		if now.Sub(f.Modified) > keepFor {
			err = errors.Join(err, in.o.Shelf.DeleteFile(ctx, f.Name))
		}
	}
	if err != nil && ctx.Err() == nil {
		in.o.Logger.Warn("interest: old counts cannot be deleted for now", "error", err)
	}
}

// forgetAfter is how many steps without news an event stays in memory for.
const forgetAfter = 60

// due are the events with news; those that had none for long are dropped.
func (in *Interest) due() []name {
	in.mu.Lock()
	defer in.mu.Unlock()
	var news []name
	for n, s := range in.events {
		switch {
		case s.dirty:
			news = append(news, n)
		case s.idle >= forgetAfter:
			delete(in.events, n)
		default:
			s.idle++
		}
	}
	return news
}

// take copies what was counted of an event. It is no news any more, unless keep says so.
func (in *Interest) take(n name) (*seen, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s := in.events[n]
	if s == nil {
		return nil, false
	}
	s.dirty = false
	return &seen{opened: s.opened.Clone(), started: s.started.Clone()}, true
}

// keep makes it news again.
func (in *Interest) keep(n name) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if s := in.events[n]; s != nil {
		s.dirty = true
	}
}

// kept is a file's content.
type kept struct {
	Opened  []byte `json:"opened"`
	Started []byte `json:"started"`
}

func (s *seen) counts() Counts {
	return Counts{Opened: int(s.opened.Estimate()), Started: int(s.started.Estimate())}
}

// merged is a file with what this process has seen, and whether that says anything new:
// what does not change a count stays in memory, and comes with the next that does.
func merged(old []byte, s *seen) (text []byte, news bool, err error) {
	all, err := read(old)
	before := all.counts()
	if err == nil {
		err = errors.Join(all.opened.Merge(s.opened), all.started.Merge(s.started))
	}
	if err != nil { // a damaged file is not worth an operator's night: it begins anew
		all, before = *s, Counts{}
	}
	if all.counts() == before {
		return nil, false, nil
	}
	opened, err1 := all.opened.MarshalBinary()
	started, err2 := all.started.MarshalBinary()
	text, err3 := json.Marshal(kept{opened, started})
	return text, true, errors.Join(err1, err2, err3)
}

// read reads a file; empty is of nobody.
func read(text []byte) (seen, error) {
	s := seen{opened: newSketch(), started: newSketch()}
	if len(text) == 0 {
		return s, nil
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return s, fmt.Errorf("read counts: %w", err)
	}
	if err := errors.Join(s.opened.UnmarshalBinary(k.Opened), s.started.UnmarshalBinary(k.Started)); err != nil {
		return s, fmt.Errorf("read counts: %w", err)
	}
	return s, nil
}

// Of are an org's counts by event: those of all instances, up to Every ago.
func (in *Interest) Of(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]Counts, error) {
	files, err := in.o.Shelf.Files(ctx, prefix(org))
	if err != nil {
		return nil, fmt.Errorf("list counts: %w", err)
	}
	all := map[turnout.EventID]Counts{}
	for _, f := range files {
		text, _, err := in.o.Shelf.File(ctx, f.Name)
		if turnout.CodeOf(err) == turnout.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read counts: %w", err)
		}
		s, err := read(text)
		if err != nil {
			in.o.Logger.Warn("interest: counts that cannot be read begin anew", "org", org, "error", err)
			continue
		}
		all[turnout.EventID(strings.TrimPrefix(f.Name, prefix(org)))] = s.counts()
	}
	return all, nil
}

// precision is how many bits of a hash name a place of a sketch: 4,096 places of a byte at
// the most, and off by 1.6 % in the mean.
const precision = 12

// newSketch is one of nobody.
func newSketch() *hyperloglog.Sketch {
	s, err := hyperloglog.NewSketch(precision, true)
	if err != nil { // it is one of the precisions that there are
		return hyperloglog.New()
	}
	return s
}
