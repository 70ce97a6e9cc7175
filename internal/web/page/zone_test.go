package page

import (
	"testing"

	"github.com/turnout-events/turnout"
)

func TestZonesAreReadOnce(t *testing.T) {
	var z zones
	for range 2 {
		for name, want := range map[string]string{"Europe/Vienna": "Europe/Vienna", "UTC": "UTC", "": "UTC", "Nowhere/At all": "UTC"} {
			if got := z.of(&turnout.Event{Zone: name}); got.String() != want {
				t.Errorf("%q is %s, want %s", name, got, want)
			}
		}
	}
	kept := 0
	z.read.Range(func(any, any) bool { kept++; return true })
	if kept != 2 {
		t.Errorf("%d are kept, want the two that there are", kept)
	}
}
