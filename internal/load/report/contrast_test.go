package report_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Text is told from what is behind it at 4.5:1 (WCAG 2.2, 1.4.3), lines and
// bars at 3:1 (1.4.11), by day, by night and on paper.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("page.css")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`(?s):root \{.*?\}`).FindAllString(string(css), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d sets of colours", len(blocks))
	}
	for n, block := range blocks {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z0-9-]+): #([0-9a-fA-F]{3,6});`).FindAllStringSubmatch(block, -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range strings.Fields("text/page text/card soft/page soft/card ink/page ink/card bad/card text/bad-soft bad/bad-soft text/good-soft good/good-soft text/wait-soft") {
			least(t, n, colours, pair, 4.5)
		}
		for _, pair := range strings.Fields("s1/card s2/card good/card field/card ink/track bad/track") {
			least(t, n, colours, pair, 3)
		}
	}
}

func least(t *testing.T, block int, colours map[string]string, pair string, want float64) {
	t.Helper()
	front, back, _ := strings.Cut(pair, "/")
	a, b := luminance(t, colours[front]), luminance(t, colours[back])
	if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < want {
		t.Errorf("in set %d %s is %.2f:1, want %v:1", block, pair, got, want)
	}
}

func luminance(t *testing.T, hex string) (l float64) {
	t.Helper()
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
