package cachetest

import (
	"bytes"
	"maps"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// testPictures: files come back as they were stored, for their org alone, also from a cache
// that is opened again.
func testPictures(t conformance.T, open Open) {
	place := t.TempDir()
	c, ctx := open(t, place), t.Context()
	const one, two = "0123456789abcdef0123456789abcdef-480.jpg", "0123456789abcdef0123456789abcdef-960.jpg"
	_, err := c.Picture(ctx, acme, one)
	wantCode(t, err, turnout.CodeNotFound)
	if all, err := c.Pictures(ctx, acme); err != nil || len(all) != 0 {
		t.Fatalf("a new cache has %v, %v", all, err)
	}
	must(t, c.DeletePicture(ctx, acme, one))
	large := bytes.Repeat([]byte("picture"), 100_000)
	must(t, c.PutPicture(ctx, acme, one, large, day))
	must(t, c.PutPicture(ctx, acme, two, []byte("small"), day))
	must(t, c.PutPicture(ctx, acme, two, []byte("small"), day.Add(time.Hour))) // again
	must(t, c.PutPicture(ctx, birch, one, []byte("theirs"), day))
	must(t, c.Close())
	c = open(t, place)
	t.Cleanup(func() { must(t, c.Close()) })
	for name, want := range map[string][]byte{one: large, two: []byte("small")} {
		if got, err := c.Picture(ctx, acme, name); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s has %d bytes, %v, want %d", name, len(got), err, len(want))
		}
	}
	if all, err := c.Pictures(ctx, acme); err != nil || !maps.Equal(all, map[string]time.Time{one: day, two: day.Add(time.Hour)}) {
		t.Fatalf("the list is %v, %v", all, err)
	}
	must(t, c.DeletePicture(ctx, acme, one))
	_, err = c.Picture(ctx, acme, one)
	wantCode(t, err, turnout.CodeNotFound)
	if got, err := c.Picture(ctx, birch, one); err != nil || string(got) != "theirs" {
		t.Fatalf("the other org's is %q, %v", got, err)
	}
}
