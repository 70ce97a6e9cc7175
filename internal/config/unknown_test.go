package config

import (
	"fmt"
	"strings"
	"testing"
)

// A misspelt variable is named, with what was meant; what others put there and what
// other parts read is not, and no value is.
func TestUnknownVariables(t *testing.T) {
	for names, want := range map[string]string{
		"TURNOUT_LISTEN TURNOUT_EDGE_ROUTES TURNOUT_CONFIG TURNOUT_DATA TURNOUT_MASTER_KEY TURNOUT_EDGE_KEY": "",
		"TURNOUT_LISTN":                "unknown variable TURNOUT_LISTN: did you mean TURNOUT_LISTEN?",
		"TURNOUT_LISTN TURNOUT_LISTEN": "unknown variable TURNOUT_LISTN",
		"TURNOUT_EDGE_ROUTE":           "unknown variable TURNOUT_EDGE_ROUTE: did you mean TURNOUT_EDGE_ROUTES?",
		"TURNOUT_CONFG TURNOUT_FROB":   "unknown variable TURNOUT_CONFG: did you mean TURNOUT_CONFIG?; unknown variable TURNOUT_FROB",
		"TURNOUT_PORT TURNOUT_SERVICE_HOST TURNOUT_SERVICE_PORT TURNOUT_SERVICE_PORT_HTTP TURNOUT_PORT_8080_TCP TURNOUT_PORT_8080_TCP_ADDR TURNOUT_EDGE_SERVICE_HOST TURNOUT_EDGE_PORT_443_TCP_PROTO": "",
		"TURNOUT_CI TURNOUT_ORIGIN TURNOUT_BENCH_DIR TURNOUT_TEST_MONGODB TURNOUT_STORETEST_SEED":                                                                                                     "",
		"LISTN MY_TURNOUT_LISTN HOME": "",
	} {
		var environ, got []string
		for name := range strings.FieldsSeq(names) {
			environ = append(environ, name+"="+marker)
		}
		for _, v := range Unknown(environ) {
			got = append(got, fmt.Sprint(v))
		}
		if got := strings.Join(got, "; "); got != want {
			t.Errorf("%s: %q, want %q", names, got, want)
		}
	}
}
