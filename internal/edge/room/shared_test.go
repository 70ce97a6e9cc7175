package room

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
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
	one, two := NewSharedLedger(m, nil), NewSharedLedger(m, nil)
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
	report(NewSharedLedger(m, nil), "three", mark.Served)
	m.now = m.now.Add(silence)
	report(NewSharedLedger(m, nil), "three", mark.Served)
	m.now = m.now.Add(time.Second)
	again := report(NewSharedLedger(m, nil), "three", mark.Served) // all who knew it are gone
	if again.Edges != 1 || again.Served < mark.Served {
		t.Errorf("the line stands at %+v after %+v", again, mark)
	}
	if next, _ := one.Lease(t.Context(), "acme", 16, 0); next != second+32 {
		t.Errorf("leased from %d, want %d", next, second+32)
	}
}

func TestLinesThatCannotBeRead(t *testing.T) {
	m := &memory{files: map[string][]byte{linesFile: []byte("{"), leaseFile + "acme": []byte("x")}}
	l := NewSharedLedger(m, nil)
	if _, err := l.Lease(t.Context(), "acme", 1, 0); err == nil {
		t.Error("a damaged line was used")
	}
	m.err = errors.New("away")
	if _, err := watermark(t.Context(), l, "umbra", Report{}); !errors.Is(err, m.err) {
		t.Errorf("got %v", err)
	}
}

// P11: a line that cannot be read any more begins anew, above the numbers that it
// gave, and is told of once; those of other rooms go on where they stood.
func TestP11AnUnreadableLineStopsNoOther(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(whole string) string
		told   int // lines of the log
		begins []string
	}{
		"nothing":                    {func(s string) string { return s }, 0, nil},
		"a line that is none":        {of("acme", `{"h":1800000000000,"l":{"s":"many"}}`), 1, []string{"acme"}},
		"a line without a watermark": {of("acme", `{"h":1800000000000,"l":{}}`), 1, []string{"acme"}},
		"no line at all":             {of("acme", `7`), 1, []string{"acme"}},
		"a word that is broken off":  {func(s string) string { return s[:len(s)/2] }, 1, []string{"acme", "umbra"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			m := &memory{files: map[string][]byte{}, now: time.Unix(1_800_000_000, 0)}
			l := NewSharedLedger(m, slog.New(slog.NewTextHandler(&log, nil)))
			step := func() map[string]Mark {
				m.now = m.now.Add(time.Second)
				marks, err := l.Watermarks(t.Context(), map[string]Report{"acme": {Edge: "one"}, "umbra": {Edge: "one"}})
				if err != nil {
					t.Fatal(err)
				}
				return marks
			}
			before := step()
			m.files[linesFile] = []byte(c.damage(string(m.files[linesFile])))
			after := step()
			for room := range after {
				if anew := after[room].Served > before[room].Served; anew != slices.Contains(c.begins, room) {
					t.Errorf("%s stands at %+v after %+v", room, after[room], before[room])
				}
			}
			if again := step(); again["acme"].Served != after["acme"].Served || again["umbra"].Served != after["umbra"].Served {
				t.Errorf("%+v after %+v", again, after)
			}
			if told := strings.Count(log.String(), "begin anew"); told != c.told {
				t.Errorf("told %d times, want %d:\n%s", told, c.told, log.String())
			}
		})
	}
}

// of puts something in the place of a room's line.
func of(room, line string) func(whole string) string {
	return func(whole string) string {
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(whole), &all); err != nil {
			return err.Error()
		}
		all[room] = json.RawMessage(line)
		text, _ := json.Marshal(all) // what was read a moment ago
		return string(text)
	}
}
