package scene

import (
	"image/color"
	"slices"
	"testing"
)

// Every scene is a picture of many colours, and the same at every call.
func TestScenes(t *testing.T) {
	for slug := range scenes() {
		first, ok := Draw(slug)
		again, _ := Draw(slug)
		if !ok || first.Bounds().Dx() != Width || first.Bounds().Dy() != Height {
			t.Fatalf("%s: %v", slug, first.Bounds())
		}
		if !slices.Equal(first.Pix, again.Pix) {
			t.Errorf("%s is another one at the second call", slug)
		}
		colours := map[color.RGBA]bool{}
		for x := range Width {
			for y := 0; y < Height; y += 20 {
				colours[first.RGBAAt(x, y)] = true
			}
		}
		if len(colours) < 50 {
			t.Errorf("%s has %d colours", slug, len(colours))
		}
	}
	if _, ok := Draw("no-such-event"); ok {
		t.Error("an event that there is not has a picture")
	}
}
