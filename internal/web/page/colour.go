package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// colour is an sRGB colour, each part in [0,1].
type colour struct{ r, g, b float64 }

// parseColour reads "#rrggbb" or "rrggbb".
func parseColour(s string) (colour, bool) {
	s = strings.TrimPrefix(s, "#")
	if len(s) != 6 {
		return colour{}, false
	}
	n, err := strconv.ParseUint(s, 16, 24)
	if err != nil || strings.ContainsAny(s, "+_") {
		return colour{}, false
	}
	return colour{float64(n>>16) / 255, float64(n>>8&255) / 255, float64(n&255) / 255}, true
}

func (c colour) hex() string {
	part := func(v float64) int { return int(math.Round(v * 255)) }
	return fmt.Sprintf("%02x%02x%02x", part(c.r), part(c.g), part(c.b))
}

// mix moves c towards d by share, to a colour that hex can write: a contrast
// that was computed is then the contrast that is seen.
func (c colour) mix(d colour, share float64) colour {
	m := func(a, b float64) float64 { return math.Round((a+(b-a)*share)*255) / 255 }
	return colour{m(c.r, d.r), m(c.g, d.g), m(c.b, d.b)}
}

// luminance is WCAG 2.2's relative luminance.
func (c colour) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is WCAG 2.2's contrast ratio, 1 to 21.
func contrast(a, b colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// textContrast is what WCAG 2.2 AA asks of text (1.4.3).
const textContrast = 4.5

// controlContrast is what it asks of buttons against what is around them (1.4.11).
const controlContrast = 3

// on is white or black, whichever can be read on c. One of them always
// reaches textContrast, since their product over any colour is 21.
func (c colour) on() colour {
	if white := (colour{1, 1, 1}); contrast(c, white) >= textContrast {
		return white
	}
	return colour{}
}

// readable moves c towards pole until it can be read as text on every ground.
func (c colour) readable(pole colour, grounds ...colour) colour {
	return c.reaching(textContrast, pole, grounds...)
}

// reaching moves c towards pole, by as little as needed, until it has at least
// this contrast on every ground.
func (c colour) reaching(least float64, pole colour, grounds ...colour) colour {
	for share := 0.0; share < 1; share += 0.02 {
		if m := c.mix(pole, share); m.worst(grounds...) >= least {
			return m
		}
	}
	return pole
}

// worst is the smallest contrast that c has on any of the grounds.
func (c colour) worst(grounds ...colour) float64 {
	least := 21.0
	for _, g := range grounds {
		least = min(least, contrast(c, g))
	}
	return least
}

// lightGrounds and darkGrounds are what text in the accent's colour stands on
// in site.css: page and card.
func lightGrounds() []colour { return colours("f5f5f2", "ffffff") }
func darkGrounds() []colour  { return colours("141619", "1f2226") }

func colours(hex ...string) []colour {
	list := make([]colour, len(hex))
	for i, h := range hex {
		list[i], _ = parseColour(h)
	}
	return list
}

// AccentCSS is the stylesheet of an accent colour, given as six hexadecimal
// digits, or false if it is none. Every text colour in it reaches 4.5 to 1. On dark
// pages the accent is softened as long as a button still stands out, 3 to 1;
// one too dark for that is lightened.
func AccentCSS(hex string) ([]byte, bool) {
	c, ok := parseColour(hex)
	if !ok || hex != c.hex() {
		return nil, false
	}
	black, white := colour{}, colour{1, 1, 1}
	dark := c.mix(black, 0.25)
	if dark.worst(darkGrounds()...) < controlContrast {
		dark = c.reaching(controlContrast, white, darkGrounds()...)
	}
	return fmt.Appendf(nil, ":root{--accent:#%s;--on-accent:#%s;--ink:#%s}"+
		"@media(prefers-color-scheme:dark){:root{--accent:#%s;--on-accent:#%s;--ink:#%s}}\n",
		c.hex(), c.on().hex(), c.readable(black, lightGrounds()...).hex(),
		dark.hex(), dark.on().hex(), c.readable(white, darkGrounds()...).hex()), true
}

// accentPath is the path of the accent's stylesheet, empty for no or an
// unreadable colour, which then is the site's own.
func accentPath(accent string) string {
	c, ok := parseColour(strings.ToLower(accent))
	if !ok {
		return ""
	}
	return AssetPrefix + "accent-" + c.hex() + ".css"
}
