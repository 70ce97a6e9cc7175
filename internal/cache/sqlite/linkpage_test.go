package sqlite

import (
	"context"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// TestLinksAfter reads each link of an org once, in order, and none that was
// removed or is another org's.
func TestLinksAfter(t *testing.T) {
	c, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "cache.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	changed := time.UnixMilli(1_800_000_000_000).UTC()
	link := func(org turnout.OrgID, n byte) turnout.AttendeeLink {
		return turnout.AttendeeLink{ID: turnout.LinkID{n, 0xff}, Org: org, Event: "a0E1", Person: turnout.PersonID{n}, Sealed: []byte{n}, Changed: changed}
	}
	var put []turnout.AttendeeLink
	for n := range byte(23) {
		put = append(put, link("acme", n), link("birch", n+100))
	}
	put = append(put, link("acme", 0xff))
	if err := c.PutLinks(t.Context(), put); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteLinks(t.Context(), []turnout.AttendeeLink{{Org: "acme", ID: turnout.LinkID{5, 0xff}, Changed: changed}}); err != nil {
		t.Fatal(err)
	}
	var got []turnout.AttendeeLink
	for after, more := (turnout.LinkID{}), true; more; {
		page, err := c.LinksAfter(t.Context(), "acme", after, 4)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if more = len(page) == 4; more {
			after = page[3].ID
		}
	}
	var want []turnout.AttendeeLink
	for n := range byte(23) {
		if n != 5 {
			want = append(want, link("acme", n))
		}
	}
	if want = append(want, link("acme", 0xff)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if page, err := c.LinksAfter(t.Context(), "cedar", turnout.LinkID{}, 4); err != nil || len(page) > 0 {
		t.Errorf("an unknown org: %v, %v", page, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := c.LinksAfter(ended, "acme", turnout.LinkID{}, 4); err == nil {
		t.Error("no error after the caller left")
	}
}
