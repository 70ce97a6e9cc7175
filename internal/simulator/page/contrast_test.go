package page

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// The stylesheet's colours can be told apart, by day and by night: text at
// 4.5:1 (WCAG 2.2, 1.4.3), the borders of fields at 3:1 (1.4.11).
func TestContrast(t *testing.T) {
	css, err := files.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string][2]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\)`).FindAllStringSubmatch(string(css), -1) {
		colours[m[1]] = [2]string{m[2], m[3]}
	}
	for _, pair := range []struct {
		front, back string
		least       float64
	}{
		{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"ink", "glow", 4.5}, {"soft", "paper", 4.5}, {"soft", "card", 4.5},
		{"accent", "card", 4.5}, {"accent", "paper", 4.5}, {"on-accent", "accent", 4.5}, {"good", "card", 4.5}, {"bad", "card", 4.5},
		{"field", "paper", 3}, {"field", "card", 3}, {"bad", "paper", 3},
	} {
		for scheme, name := range []string{"light", "dark"} {
			if got := contrast(t, colours[pair.front][scheme], colours[pair.back][scheme]); got < pair.least {
				t.Errorf("%s: %s on %s is %.2f:1, want %v:1", name, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

// contrast is WCAG's ratio of two colours in six hexadecimal digits.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(hex string) (l float64) {
		n, err := strconv.ParseUint(hex, 16, 32)
		if err != nil {
			t.Fatalf("a colour is missing: %v", err)
		}
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			c := float64(n>>(16-8*i)&255) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			l += weight * c
		}
		return l
	}
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}
