package app

import (
	"strings"
	"testing"
)

func TestDemoAddresses(t *testing.T) {
	for _, c := range []struct{ public, admin, simulator, says string }{
		{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", ""},
		{":1", "localhost:2", "[::1]:3", ""},
		{"41080", "127.0.0.1:2", "127.0.0.1:3", "--public 41080: give host:port"},
		{"127.0.0.1:0", "127.0.0.1:2", "127.0.0.1:http", "--simulator 127.0.0.1:http: give host:port"},
		{"127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:3", "--public and --admin are both 127.0.0.1:1"},
	} {
		err := DemoOptions{Public: c.public, Admin: c.admin, Simulator: c.simulator}.Check()
		if (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What is deleted at the end is not called kept.
func TestDemoSaysWhatIsKept(t *testing.T) {
	if got := (DemoOptions{Dir: "/tmp/x", temporary: true}).kept(); !strings.Contains(got, "removed at the end; keep it with --dir DIR") {
		t.Error(got)
	}
	if got := (DemoOptions{Dir: "/data"}).kept(); got != "Everything is kept in /data." {
		t.Error(got)
	}
}
