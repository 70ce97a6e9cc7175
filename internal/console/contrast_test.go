package console

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The stylesheet's colours can be told apart, by day and by night: text at
// 4.5:1 (WCAG 2.2, 1.4.3), the borders of fields and what a meter shows at 3:1
// (1.4.11).
func TestContrast(t *testing.T) {
	css, err := files.ReadFile("assets/console.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(css), "prefers-color-scheme: dark")
	colour := regexp.MustCompile(`--([a-z-]+): #([0-9a-fA-F]{3,6});`)
	for name, block := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range colour.FindAllStringSubmatch(block, -1) {
			if _, ok := colours[m[1]]; !ok {
				colours[m[1]] = m[2]
			}
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"text", "page", 4.5}, {"text", "card", 4.5}, {"soft", "page", 4.5}, {"soft", "card", 4.5}, {"ink", "page", 4.5}, {"ink", "card", 4.5},
			{"on-accent", "accent", 4.5}, {"bad", "page", 4.5}, {"bad", "card", 4.5}, {"card", "bad", 4.5}, {"bad", "bad-soft", 4.5}, {"text", "bad-soft", 4.5},
			{"good", "good-soft", 4.5}, {"wait", "wait-soft", 4.5}, {"soft", "off-soft", 4.5}, {"text", "good-soft", 4.5}, {"text", "wait-soft", 4.5},
			{"ink", "wait-soft", 4.5}, {"field", "card", 3}, {"field", "page", 3}, {"ink", "track", 3}, {"bad", "track", 3}, {"wait", "track", 3},
		} {
			if got := contrast(t, colours[pair.front], colours[pair.back]); got < pair.least {
				t.Errorf("%s: %s on %s is %.2f:1, want %v:1", name, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

// contrast is WCAG's ratio of two colours in three or six hexadecimal digits.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(hex string) (l float64) {
		if len(hex) == 3 {
			hex = strings.Join([]string{hex[:1], hex[:1], hex[1:2], hex[1:2], hex[2:], hex[2:]}, "")
		}
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
