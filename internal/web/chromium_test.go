package web_test

import (
	"os"
	"os/exec"
	"testing"
)

// browser finds Chromium where e2e/prerequisites.sh looks for it. Without one
// the test is skipped, but not in CI; under -short, which is the race
// detector's second run, it is skipped in any case.
func browser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser is slow")
	}
	path, err := exec.LookPath("chromium")
	switch {
	case err == nil:
	case os.Getenv("TURNOUT_CI") != "":
		t.Fatal("the pages are tested in a real browser: apt-get install chromium fonts-dejavu-core")
	default:
		t.Skip("needs chromium in PATH")
	}
	return path
}
