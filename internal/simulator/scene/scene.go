// Package scene draws the pictures of the sample's events: flat landscapes, the same at
// every call. They are what an organiser would have uploaded somewhere, for the mirror to
// fetch.
package scene

import (
	"image"
	"image/color"
	"math"
)

// Width and Height of a picture, in pixels.
const (
	Width  = 960
	Height = 540
)

// rgb is a colour, 0 to 1 each.
type rgb struct{ r, g, b float64 }

// paint is the colour at a point: x from 0 to 16/9, y from 0 at the top to 1.
type paint func(x, y float64) rgb

// Draw draws the picture of an event by its slug, or says that there is none.
func Draw(slug string) (*image.RGBA, bool) {
	p, ok := scenes()[slug]
	if !ok {
		return nil, false
	}
	img := image.NewRGBA(image.Rect(0, 0, Width, Height))
	for y := range Height {
		for x := range Width {
			img.SetRGBA(x, y, at(p, x, y))
		}
	}
	return img, true
}

// at is the colour of a pixel, the mean of two points in it.
func at(p paint, x, y int) color.RGBA {
	a := p((float64(x)+0.25)/Height, (float64(y)+0.3)/Height)
	c := mix(a, p((float64(x)+0.75)/Height, (float64(y)+0.7)/Height), 0.5)
	to := func(v float64) uint8 { return uint8(math.Round(255 * clamp(v))) }
	return color.RGBA{to(c.r), to(c.g), to(c.b), 255}
}

func clamp(v float64) float64 { return max(0, min(1, v)) }

// mix goes from a to b as t goes from 0 to 1.
func mix(a, b rgb, t float64) rgb {
	t = clamp(t)
	return rgb{a.r + (b.r-a.r)*t, a.g + (b.g-a.g)*t, a.b + (b.b-a.b)*t}
}

// lit adds light of a colour.
func lit(c, light rgb, t float64) rgb { return rgb{c.r + light.r*t, c.g + light.g*t, c.b + light.b*t} }

// hex is a colour such as 0x2b3a8c.
func hex(v uint32) rgb {
	return rgb{float64(v>>16&255) / 255, float64(v>>8&255) / 255, float64(v&255) / 255}
}

// wave is a line that hills and water follow.
func wave(x, level, height, length, shift float64) float64 {
	return level + height*math.Sin(x/length+shift) + height/3*math.Sin(2.7*x/length+2*shift)
}

// noise is a number from 0 to 1 for a cell of a grid, always the same.
func noise(x, y int) float64 {
	h := uint32(x)*374761393 + uint32(y)*668265263
	h = (h ^ h>>13) * 1274126177
	return float64(h^h>>16) / math.MaxUint32
}

// stars is how bright the sky is at a point: a star in some cells of a grid.
func stars(x, y, size, share float64) float64 {
	i, j := math.Floor(x/size), math.Floor(y/size)
	n := noise(int(i), int(j))
	if n > share {
		return 0
	}
	cx, cy := (i+0.2+0.6*noise(int(i)+71, int(j)))*size, (j+0.2+0.6*noise(int(i), int(j)+37))*size
	return clamp(1.4-math.Hypot(x-cx, y-cy)/(0.0012+0.0022*n/share)) * (0.5 + 0.5*n/share)
}

// disc is 1 in a circle, with an edge.
func disc(x, y, cx, cy, r float64) float64 { return clamp((r-math.Hypot(x-cx, y-cy))*Height + 0.5) }

// glow fades from a point.
func glow(x, y, cx, cy, r float64) float64 {
	d := math.Hypot(x-cx, y-cy) / r
	return math.Exp(-2.2 * d * d)
}

// inside reports whether a point is in a rectangle.
func inside(x, y, left, top, right, bottom float64) bool {
	return x >= left && x <= right && y >= top && y <= bottom
}
