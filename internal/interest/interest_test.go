package interest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/axiomhq/hyperloglog"

	"github.com/turnout-events/turnout"
)

// shelf is one in memory.
type shelf struct {
	mu      sync.Mutex
	files   map[string][]byte
	at      time.Time // when all of them were written
	writes  int
	changes int // calls of ChangeFile, each in the writer's turn
	away    bool
}

var errAway = errors.New("the store is away")

func (s *shelf) ChangeFile(_ context.Context, name string, change func([]byte, time.Time) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	if s.away {
		return errAway
	}
	text, err := change(s.files[name], time.Time{})
	if err != nil {
		return err
	}
	if s.files == nil {
		s.files = map[string][]byte{}
	}
	s.files[name], s.writes = text, s.writes+1
	return nil
}

func (s *shelf) File(_ context.Context, name string) ([]byte, time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, time.Time{}, errAway
	}
	text, ok := s.files[name]
	if !ok {
		return nil, time.Time{}, &turnout.Error{Code: turnout.CodeNotFound}
	}
	return text, time.Time{}, nil
}

func (s *shelf) Files(_ context.Context, prefix string) ([]turnout.FileInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return nil, errAway
	}
	var all []turnout.FileInfo
	for name := range s.files {
		if strings.HasPrefix(name, prefix) {
			all = append(all, turnout.FileInfo{Name: name, Modified: s.at})
		}
	}
	return all, nil
}

func (s *shelf) DeleteFile(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, name)
	return nil
}

// link is the n-th link: a hash, as they all are.
func link(n int) turnout.LinkID {
	var id turnout.LinkID
	binary.BigEndian.PutUint64(id[:], mixed(uint64(n)+1))
	id[15] = 1
	return id
}

func of(t *testing.T, in *Interest) map[turnout.EventID]Counts {
	t.Helper()
	counts, err := in.Of(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// People are counted once, however often they come, on whichever instance.
func TestPeopleAreCountedOnce(t *testing.T) {
	kept := &shelf{}
	one, other := New(Options{Shelf: kept}), New(Options{Shelf: kept})
	for n := range 300 {
		one.Opened("acme", "gala", link(n))
		one.Opened("acme", "gala", link(n))
		other.Opened("acme", "gala", link(n+100))
	}
	for n := range 40 {
		one.Started("acme", "gala", turnout.Submission{Link: link(n), Key: turnout.Key(fmt.Sprint("another each time ", n))})
		other.Started("acme", "gala", turnout.Submission{Link: link(n)})
		other.Started("acme", "talk", turnout.Submission{Key: turnout.NewKey(time.UnixMilli(int64(n)))})
		other.Started("acme", "talk", turnout.Submission{Key: "of-a-program"})
	}
	other.Opened("other", "gala", link(1))
	for range 2 {
		one.step(t.Context())
		other.step(t.Context())
	}
	want := map[turnout.EventID]Counts{"gala": {Opened: 400, Started: 40}, "talk": {Started: 41}}
	if got := of(t, New(Options{Shelf: kept})); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	// Who comes again is no news, and the writer is not troubled for them: registrations
	// wait for it.
	changes := kept.changes
	one.Opened("acme", "gala", link(1))
	one.step(t.Context())
	if kept.changes != changes {
		t.Errorf("the writer had %d turns for nobody new", kept.changes-changes)
	}
}

// Of a million it is off by little, and takes no more room.
func TestAMillionIsAboutAMillion(t *testing.T) {
	kept := &shelf{}
	in := New(Options{Shelf: kept})
	const many = 1_000_000
	for n := range many {
		in.Opened("acme", "gala", link(n))
	}
	in.step(t.Context())
	if got := of(t, in)["gala"].Opened; got < many*95/100 || got > many*105/100 {
		t.Errorf("a million is counted as %d", got)
	}
	if size := len(kept.files["interest/acme/gala"]); size > 16<<10 {
		t.Errorf("it takes %d bytes", size)
	}
}

// What was counted while the store was away is added when it is back, and the log says
// once that it is.
func TestAStoreThatIsAway(t *testing.T) {
	kept := &shelf{away: true}
	var log strings.Builder
	in := New(Options{Shelf: kept, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for n := range 3 {
		in.Opened("acme", "gala", link(n))
		in.step(t.Context())
	}
	if said := strings.Count(log.String(), "cannot be kept"); said != 1 {
		t.Errorf("the log says %d times that the store is away", said)
	}
	if _, err := in.Of(t.Context(), "acme"); err == nil {
		t.Error("counts were read of a store that is away")
	}
	kept.away = false
	in.step(t.Context())
	if got := of(t, in)["gala"].Opened; got != 3 {
		t.Errorf("%d were counted", got)
	}
}

// Another instance that writes between reading and writing loses nothing.
func TestTwoAtOnce(t *testing.T) {
	kept := &shelf{}
	one, other := New(Options{Shelf: kept}), New(Options{Shelf: kept})
	one.Opened("acme", "gala", link(1))
	other.Opened("acme", "gala", link(2))
	s, _ := one.take(name{"acme", "gala"})
	between := &interrupted{shelf: kept, by: func() { other.step(t.Context()) }}
	one.o.Shelf = between
	if err := one.write(t.Context(), name{"acme", "gala"}, s); err != nil {
		t.Fatal(err)
	}
	if got := of(t, other)["gala"].Opened; got != 2 {
		t.Errorf("%d were counted", got)
	}
	// The other one sees the same people first.
	one.Opened("acme", "gala", link(3))
	other.Opened("acme", "gala", link(3))
	other.Opened("acme", "gala", link(1))
	s, _ = one.take(name{"acme", "gala"})
	if err := one.write(t.Context(), name{"acme", "gala"}, s); err != nil {
		t.Fatal(err)
	}
	if got := of(t, other)["gala"].Opened; got != 3 {
		t.Errorf("%d were counted", got)
	}
}

// interrupted is a shelf to which somebody else writes first.
type interrupted struct {
	*shelf
	by func()
}

func (s *interrupted) ChangeFile(ctx context.Context, name string, change func([]byte, time.Time) ([]byte, error)) error {
	s.by()
	return s.shelf.ChangeFile(ctx, name, change)
}

// What nobody added to for three months is deleted, and nothing else.
func TestOldCountsAreDeleted(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	kept := &shelf{files: map[string][]byte{"interest/acme/gala": nil, "certificates/acme": nil}, at: now.Add(-keepFor)}
	in := New(Options{Shelf: kept})
	if in.sweep(t.Context(), now); len(kept.files) != 2 {
		t.Errorf("what is not too old is gone: %v", kept.files)
	}
	if in.sweep(t.Context(), now.Add(sweepEvery-1)); len(kept.files) != 2 {
		t.Error("it is looked for all the time")
	}
	in.sweep(t.Context(), now.Add(sweepEvery))
	if _, ok := kept.files["certificates/acme"]; !ok || len(kept.files) != 1 {
		t.Errorf("there are still %v", kept.files)
	}
}

// Counts that cannot be read begin anew; nothing fails for them.
func TestDamagedCounts(t *testing.T) {
	otherPrecision := func(t *testing.T) string {
		s, err := hyperloglog.NewSketch(10, false)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(kept{b, b})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, damaged := range []string{"{", `{"opened":"AAAA","started":""}`, `"x"`, "\x00", otherPrecision(t)} {
		kept := &shelf{files: map[string][]byte{"interest/acme/gala": []byte(damaged)}}
		in := New(Options{Shelf: kept})
		if got := of(t, in)["gala"]; got != (Counts{}) {
			t.Errorf("%q counts %v", damaged, got)
		}
		in.Opened("acme", "gala", link(1))
		in.step(t.Context())
		if got := of(t, in)["gala"].Opened; got != 1 {
			t.Errorf("after %q %d are counted", damaged, got)
		}
	}
}

// It writes every ten seconds, and once more at the end; what nobody comes to any more
// leaves the memory.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kept := &shelf{at: time.Now()}
		in := New(Options{Shelf: kept})
		ctx, end := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- in.Run(ctx) }()
		in.Opened("acme", "gala", link(1))
		<-time.After(11 * time.Second)
		synctest.Wait()
		if kept.writes != 1 {
			t.Errorf("%d writes in eleven seconds", kept.writes)
		}
		<-time.After(time.Duration(forgetAfter+1) * 10 * time.Second)
		synctest.Wait()
		if len(in.events) != 0 || kept.writes != 1 {
			t.Errorf("%d events are in memory after %d writes", len(in.events), kept.writes)
		}
		in.Opened("acme", "gala", link(2))
		end()
		if err := <-done; err != nil || of(t, in)["gala"].Opened != 2 {
			t.Errorf("at the end: %v, %v", err, of(t, in))
		}
	})
}

// ending is a shelf at whose first write the process is told to end.
type ending struct {
	shelf
	end context.CancelFunc
}

func (s *ending) ChangeFile(ctx context.Context, name string, change func([]byte, time.Time) ([]byte, error)) error {
	s.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.shelf.ChangeFile(ctx, name, change)
}

// A process that ends amid writing keeps all that it counted.
func TestAnEndAmidWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		kept := &ending{end: end}
		in := New(Options{Shelf: kept})
		for e := range 20 {
			in.Opened("acme", turnout.EventID(fmt.Sprint("event-", e)), link(e))
		}
		if err := in.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if got := of(t, in); len(got) != 20 {
			t.Errorf("%d of 20 events were kept", len(got))
		}
	})
}

func FuzzCounts(f *testing.F) {
	s := seen{opened: newSketch(), started: newSketch()}
	s.opened.InsertHash(7)
	text, news, err := merged(nil, &s)
	if err != nil || !news {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"opened":"AgABAAAA","started":"AwEAAA=="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := read(text)
		if err == nil {
			got.opened.Estimate()
		}
		again := seen{opened: newSketch(), started: newSketch()}
		again.opened.InsertHash(9)
		if _, _, err := merged(text, &again); err != nil {
			t.Errorf("%v", err)
		}
	})
}

func BenchmarkOpened(b *testing.B) {
	in, n := New(Options{Shelf: &shelf{}}), 0
	for b.Loop() {
		in.Opened("acme", "gala", link(n))
		n++
	}
}
