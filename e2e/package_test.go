//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The Salesforce package as far as it can be tried without an org: its Apex parses, and
// its buttons do what they say.
func TestSalesforcePackage(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	for _, args := range [][]string{{"ci", "--no-audit", "--no-fund", "--ignore-scripts"}, {"test"}} {
		cmd := exec.CommandContext(ctx, "npm", args...)
		cmd.Dir = "../salesforce"
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("npm %v: %v\n%s", args, err, out)
		}
		if text := string(out); args[0] == "test" && (!strings.Contains(text, "11 sources, 0 faults") || !strings.Contains(text, "29 passed, 29 total")) {
			t.Errorf("not everything was tried:\n%s", out)
		}
	}
}
