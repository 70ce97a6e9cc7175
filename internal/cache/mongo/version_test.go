package mongo

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func TestVersionsSortAsTimesDo(t *testing.T) {
	times := []time.Time{time.UnixMilli(math.MinInt32), time.UnixMilli(-1), {}, time.UnixMilli(1), time.UnixMilli(1 << 40), time.UnixMilli(1 << 45)}
	var ids []string
	for _, at := range times {
		for _, kind := range []rune{kindThere, kindGone} {
			id := timed("acme/key", at, kind)
			if got, err := timeOf(id); err != nil || !got.Equal(at) || keyOf(id) != "acme/key" || isGone(id) != (kind == kindGone) {
				t.Errorf("%s is of %v, %v", id, got, err)
			}
			ids = append(ids, id)
		}
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not in order: %q", ids)
	}
}

// FuzzSplit: whatever lies in the database, the newest of each key is found, once.
func FuzzSplit(f *testing.F) {
	f.Add("acme/a/80000000000000010 acme/a/80000000000000020 acme/b/80000000000000011")
	f.Add("x  /")
	f.Fuzz(func(t *testing.T, text string) {
		ids := strings.Fields(text)
		slices.Sort(ids)
		ids = slices.Compact(ids)
		newest := map[string]string{}
		for _, id := range ids {
			newest[keyOf(id)] = max(newest[keyOf(id)], id)
			_, _ = timeOf(id)
		}
		older, newer := split(slices.Clone(ids))
		if len(older)+len(newer) != len(ids) || len(newer) != len(newest) {
			t.Fatalf("%q became %q and %q", ids, older, newer)
		}
		for _, id := range newer {
			if newest[keyOf(id)] != id {
				t.Errorf("%q: %q is not the newest", ids, id)
			}
		}
	})
}

func testLink(n byte, at time.Time) turnout.AttendeeLink {
	return turnout.AttendeeLink{ID: turnout.LinkID{n}, Org: "acme", Event: "a0E1", Person: turnout.PersonID{n}, Sealed: []byte("sealed"), Changed: at}
}

// TestSlowWriterBringsNothingBack: an instance that slept between reading a copy
// and writing it, for longer than any lease, overwrites nothing. Its writes are
// taken apart here: the older version is put while the newer one is there.
func TestSlowWriterBringsNothingBack(t *testing.T) {
	c, ctx := openCache(t, database(t, t.TempDir())), t.Context()
	day := time.UnixMilli(1_800_000_000_000).UTC()
	newer, older := testLink(1, day.Add(time.Second)), testLink(1, day)
	for name, last := range map[string]func() error{
		"a newer copy": func() error { return c.PutLinks(ctx, []turnout.AttendeeLink{newer}) },
		"a removal":    func() error { return c.DeleteLinks(ctx, []turnout.AttendeeLink{newer}) },
	} {
		if err := last(); err != nil {
			t.Fatal(err)
		}
		want, wantErr := c.Link(ctx, "acme", older.ID)
		key := linkKey("acme", older.ID)
		id := timed(key, older.Changed, kindThere)
		// What the slow one sent arrives, and it is gone before it can clean up.
		if _, err := c.links.InsertOne(ctx, linkDoc{ID: id, Key: key, Org: "acme", Event: "a0E1", Expires: never()}); err != nil {
			t.Fatal(err)
		}
		got, err := c.Link(ctx, "acme", older.ID)
		if turnout.CodeOf(err) != turnout.CodeOf(wantErr) || !got.Changed.Equal(want.Changed) {
			t.Errorf("after %s: %+v, %v", name, got, err)
		}
		if err := remove(ctx, c.links, []string{id}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSlowMoverOfCursor: a number that was removed is no place to move from.
func TestSlowMoverOfCursor(t *testing.T) {
	c, ctx := openCache(t, database(t, t.TempDir())), t.Context()
	at := func(n int64) time.Time { return time.UnixMilli(n).UTC() }
	for n := range int64(3) {
		if moved, err := c.SetCursor(ctx, "acme", "links", instant(n), at(n+1)); err != nil || !moved {
			t.Fatal(moved, err)
		}
	}
	key := scoped("acme", "links")
	slow := cursorDoc{ID: numbered(key, 1, kindThere), Key: key, At: 9} // as who read that there was none
	if _, err := c.cursors.InsertOne(ctx, slow); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Cursor(ctx, "acme", "links"); err != nil || !got.Equal(at(3)) {
		t.Errorf("the cursor is at %v, %v", got, err)
	}
	if moved, err := c.SetCursor(ctx, "acme", "links", at(9), at(10)); err != nil || moved {
		t.Errorf("moved from where it is not: %v, %v", moved, err)
	}
}
