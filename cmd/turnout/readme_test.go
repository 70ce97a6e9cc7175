package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/config"
)

// What the README says to type works on one store: each command reads the same
// configuration, both sample files are right, and every variable is named.
func TestReadmeWorksAsTyped(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(readme, []byte("\n")); n > 150 {
		t.Errorf("the README has %d lines", n)
	}
	_, run, _ := strings.Cut(string(readme), "## Run it")
	blocks := regexp.MustCompile("(?s)```(?:sh|yaml)\n(.*?)```").FindAllStringSubmatch(run, 3)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks", len(blocks))
	}
	commands, settings, orgs := blocks[0][1], blocks[1][1], blocks[2][1]
	if strings.Contains(commands, "--config") || !strings.Contains(commands, "export TURNOUT_CONFIG=turnout.yaml") {
		t.Errorf("commands that may work on different stores:\n%s", commands)
	}
	if err := config.Parse([]byte(settings), &config.Config{}); err != nil || strings.Count(settings, "\n") != 6 {
		t.Errorf("turnout.yaml: %v", err)
	}
	for _, m := range regexp.MustCompile(`_env: (\w+)`).FindAllStringSubmatch(orgs, -1) {
		if !strings.Contains(commands, m[1]+"=") {
			t.Errorf("nothing says to set %s", m[1])
		}
		t.Setenv(m[1], "0123456789abcdef0123456789abcdef")
	}
	if _, err := config.Orgs([]byte(orgs)); err != nil {
		t.Errorf("orgs.yaml: %v", err)
	}
}
