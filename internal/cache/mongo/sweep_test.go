package mongo

import (
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/turnout-events/turnout"
)

func (c *Cache) documents(t *testing.T, filter bson.D) int64 {
	t.Helper()
	n, err := c.links.CountDocuments(t.Context(), filter)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestSweeperFinishesWhatDeadWritersLeft: of two versions one can be read and
// counted from the start; the other one goes when nobody can be writing any more.
func TestSweeperFinishesWhatDeadWritersLeft(t *testing.T) {
	c, ctx := openCache(t, database(t, t.TempDir())), t.Context()
	day := time.UnixMilli(1_800_000_000_000).UTC()
	key := linkKey("acme", turnout.LinkID{1})
	note := pendingDoc{ID: "note", Org: "acme", At: c.now(), Keys: []string{key}}
	if _, err := c.pending.InsertOne(ctx, note); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		id := timed(key, day.Add(time.Duration(n)*time.Second), kindThere)
		if _, err := c.links.InsertOne(ctx, linkDoc{ID: id, Key: key, Org: "acme", Event: "a0E1", Person: personKey("acme", turnout.PersonID{1}), Sealed: []byte("x"), Expires: never()}); err != nil {
			t.Fatal(err)
		}
	}
	look := func(documents int64) {
		t.Helper()
		n, err := c.CountLinks(ctx, "acme")
		if err != nil || n != 1 {
			t.Errorf("%d links are counted, %v", n, err)
		}
		if l, err := c.Link(ctx, "acme", turnout.LinkID{1}); err != nil || !l.Changed.Equal(day.Add(time.Second)) {
			t.Errorf("the link is %+v, %v", l, err)
		}
		if have := c.documents(t, bson.D{}); have != documents {
			t.Errorf("there are %d versions, want %d", have, documents)
		}
	}
	look(2)
	if err := c.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	look(2) // its writer may be at work
	c.now = func() time.Time { return time.Now().Add(2 * unfinished) }
	if err := c.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	look(1)
}

// TestSweeperDropsOldRemovals, and what older versions a removal hides goes first.
func TestSweeperDropsOldRemovals(t *testing.T) {
	c, ctx := openCache(t, database(t, t.TempDir())), t.Context()
	day := time.UnixMilli(1_800_000_000_000).UTC()
	if err := c.PutLinks(ctx, []turnout.AttendeeLink{testLink(1, day), testLink(2, day)}); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteLinks(ctx, []turnout.AttendeeLink{testLink(1, day)}); err != nil {
		t.Fatal(err)
	}
	key := linkKey("acme", turnout.LinkID{1})
	hidden := linkDoc{ID: timed(key, day.Add(-time.Second), kindThere), Key: key, Org: "acme", Event: "a0E1", Expires: never()}
	if _, err := c.links.InsertOne(ctx, hidden); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		left  int64
	}{{removalsKept - time.Hour, 3}, {removalsKept + time.Hour, 1}} {
		c.now = func() time.Time { return time.Now().Add(step.after) }
		if err := c.sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if n := c.documents(t, bson.D{}); n != step.left {
			t.Errorf("after %v there are %d documents, want %d", step.after, n, step.left)
		}
		if _, err := c.Link(ctx, "acme", turnout.LinkID{1}); turnout.CodeOf(err) != turnout.CodeNotFound {
			t.Errorf("after %v the removed link answers %v", step.after, err)
		}
	}
	if _, err := c.Link(ctx, "acme", turnout.LinkID{2}); err != nil {
		t.Error(err)
	}
}

// TestP8ForgettingReachesOlderVersions that a writer left behind.
func TestP8ForgettingReachesOlderVersions(t *testing.T) {
	c, ctx := openCache(t, database(t, t.TempDir())), t.Context()
	day := time.UnixMilli(1_800_000_000_000).UTC()
	if err := c.PutLinks(ctx, []turnout.AttendeeLink{testLink(1, day), testLink(2, day)}); err != nil {
		t.Fatal(err)
	}
	key, person := linkKey("acme", turnout.LinkID{1}), turnout.PersonID{1}
	hidden := linkDoc{ID: timed(key, day.Add(-time.Second), kindThere), Key: key, Org: "acme", Person: personKey("acme", person), Expires: never()}
	if _, err := c.links.InsertOne(ctx, hidden); err != nil {
		t.Fatal(err)
	}
	if err := c.DeletePerson(ctx, "acme", person); err != nil {
		t.Fatal(err)
	}
	if n := c.documents(t, bson.D{{Key: "k", Value: key}}); n != 0 {
		t.Errorf("P8: %d versions are left", n)
	}
	if n := c.documents(t, bson.D{}); n != 1 {
		t.Errorf("%d links are left of the other person", n)
	}
	// A version that another one replaced, of which the writer died before it was removed.
	other := linkKey("acme", turnout.LinkID{2})
	replaced := linkDoc{ID: timed(other, day.Add(-time.Second), kindThere), Key: other, Org: "acme", Person: personKey("acme", person), Expires: never()}
	if _, err := c.links.InsertOne(ctx, replaced); err != nil {
		t.Fatal(err)
	}
	if err := c.DeletePerson(ctx, "acme", person); err != nil {
		t.Fatal(err)
	}
	if l, err := c.Link(ctx, "acme", turnout.LinkID{2}); err != nil || l.Person != (turnout.PersonID{2}) || c.documents(t, bson.D{}) != 1 {
		t.Errorf("the link that is somebody else's by now is %+v, %v", l, err)
	}
}

// Every document has every field that an index is on.
func TestIndexedFieldsArePresent(t *testing.T) {
	c, ctx := openCache(t, database(t, t.TempDir())), t.Context()
	if err := c.PutLinks(ctx, []turnout.AttendeeLink{testLink(1, time.UnixMilli(1))}); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteLinks(ctx, []turnout.AttendeeLink{testLink(2, time.UnixMilli(1))}); err != nil {
		t.Fatal(err)
	}
	docs, err := find[bson.M](ctx, c.links, bson.D{})
	if err != nil || len(docs) != 2 {
		t.Fatal(docs, err)
	}
	for _, d := range docs {
		for _, field := range []string{"k", "p", "o", "e", "x"} {
			if d[field] == nil {
				t.Errorf("%v lacks %s", d, field)
			}
		}
	}
}
