package room

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// memory is a shelf.
type memory struct {
	mu    sync.Mutex
	files map[string][]byte
	now   time.Time
	err   error
	// tried counts calls, changes those that were made.
	tried, changes int
}

func (m *memory) ChangeFile(ctx context.Context, name string, change func(old []byte, now time.Time) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried++
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.err != nil {
		return m.err
	}
	m.changes++
	_, _ = change(m.files[name], m.now) // it may be called again
	value, err := change(m.files[name], m.now)
	if err == nil {
		m.files[name] = value
	}
	return err
}

// A line that edges share gives each number once, moves as one, and outlives
// them all.
func TestP11ALineIsShared(t *testing.T) {
	m := &memory{files: map[string][]byte{}, now: time.Unix(1_800_000_000, 0)}
	one, two := NewSharedLedger(m), NewSharedLedger(m)
	first, err := one.Lease(t.Context(), "acme", 16, 0)
	if err != nil {
		t.Fatal(err)
	}
	second, _ := two.Lease(t.Context(), "acme", 32, 0)
	other, _ := two.Lease(t.Context(), "umbra", 16, 0)
	if second != first+16 || other != first {
		t.Errorf("leased from %d, %d and, in another room, %d", first, second, other)
	}
	report := func(l *SharedLedger, edge string, base uint64) Mark {
		mark, err := watermark(t.Context(), l, "acme", Report{Edge: edge, Base: base, Issued: first + 47, Capacity: 10, Ahead: []uint16{0xffff, 0xffff, 0xffff, 0xffff}})
		if err != nil {
			t.Fatal(err)
		}
		return mark
	}
	mark := report(one, "one", first-1)
	if mark.Edges != 1 || mark.Served != first+9 {
		t.Errorf("the line stands at %+v, want ten called from %d on", mark, first)
	}
	report(NewSharedLedger(m), "three", mark.Served)
	m.now = m.now.Add(silence)
	report(NewSharedLedger(m), "three", mark.Served)
	m.now = m.now.Add(time.Second)
	again := report(NewSharedLedger(m), "three", mark.Served) // all who knew it are gone
	if again.Edges != 1 || again.Served < mark.Served {
		t.Errorf("the line stands at %+v after %+v", again, mark)
	}
	if next, _ := one.Lease(t.Context(), "acme", 16, 0); next != second+32 {
		t.Errorf("leased from %d, want %d", next, second+32)
	}
}

func TestLinesThatCannotBeRead(t *testing.T) {
	m := &memory{files: map[string][]byte{linesFile: []byte("{"), leaseFile + "acme": []byte("x")}}
	l := NewSharedLedger(m)
	if _, err := l.Lease(t.Context(), "acme", 1, 0); err == nil {
		t.Error("a damaged line was used")
	}
	m.err = errors.New("away")
	if _, err := watermark(t.Context(), l, "umbra", Report{}); !errors.Is(err, m.err) {
		t.Errorf("got %v", err)
	}
}
