package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The first edge that docs/edge.md shows passes turnout check, which says what the
// page says that it does.
func TestTheFirstEdgePassesCheck(t *testing.T) {
	page, err := os.ReadFile("../../docs/edge.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	files := map[string]string{}
	for _, m := range regexp.MustCompile("(?s)```yaml\n# (\\S+)\n(.*?)```").FindAllStringSubmatch(string(page), 2) {
		files[m[1]] = m[2]
		if err := os.WriteFile(m[1], []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if files["turnout.yaml"] == "" || files["routes.yaml"] == "" {
		t.Fatalf("the first two samples are %v", files)
	}
	said := regexp.MustCompile(`bin/turnout check +# "(.*)"`).FindSubmatch(page)
	if said == nil {
		t.Fatal("the page does not say what check prints")
	}
	var out bytes.Buffer
	cmd := root()
	cmd.SetOut(&out)
	cmd.SetArgs([]string{"check", "--config", "turnout.yaml"})
	err = cmd.Execute()
	if words := strings.Join(strings.Fields(out.String()), " "); err != nil || words != "configuration ok "+strings.Join(strings.Fields(string(said[1])), " ") {
		t.Errorf("%v; it prints\n%s", err, &out)
	}
}
