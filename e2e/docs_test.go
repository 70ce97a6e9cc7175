//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// What docs/api.md shows works as typed, against the demo.
func TestAPIExampleWorksAsTyped(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("there is no example")
	}
	d := startDemo(t)
	example := strings.Replace(string(block[1]), "http://127.0.0.1:8080", d.ready.Public, 1)
	out, err := exec.Command("sh", "-euc", example).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := string(out)
	for _, want := range []string{ // in this order
		`"slug":"long-night-of-lenses"`, `"questions":`, `"status":"registered"`, `"repeat":true`, `"can_cancel":true`, `"status":"cancelled"`,
	} {
		before, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("%s is not said after\n%s", want, strings.TrimSuffix(string(out), rest))
		}
		if want == `"status":"registered"` && strings.Contains(before, `"repeat"`) {
			t.Errorf("the first registration is a repeat:\n%s", out)
		}
		rest = after
	}
}
