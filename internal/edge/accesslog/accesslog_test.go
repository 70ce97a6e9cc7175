package accesslog

import (
	"bytes"
	"io"
	"strconv"
	"testing"
	"time"
)

// P8: of a path only what our own paths are made of, and slugs, stand in a log.
func TestP8MaskedPaths(t *testing.T) {
	for path, want := range map[string]string{
		"/":                            "/",
		"":                             "",
		"*":                            "*",
		"/events/congress":             "/events/congress",
		"/events/congress-2.ics":       "/events/congress-2.ics",
		"/events/Ada@example.com":      "/events/*",
		"/events/\"},{\"":              "/events/*",
		"/events/congress/register":    "/events/congress/register",
		"/events/congress/somebody":    "/events/congress/*",
		"/x/events/congress":           "/*/events/*",
		"events/congress":              "events/*",
		"/l/secret-token":              "/l/*",
		"/registrations/token/edit":    "/registrations/*/edit",
		"/api/v1/events/congress":      "/api/v1/events/congress",
		"/api/v9/events/congress":      "/api/*/events/congress",
		"/api/v1/links/secret-token":   "/api/v1/links/*",
		"/api/events/congress":         "/api/events/*",
		"/embed.js":                    "/embed.js",
		"/events":                      "/events",
		"/events/":                     "/events/",
		"/api/v1/events":               "/api/v1/events",
		"/1/2/3/4/5/6/7":               "/*/*/*/*/*/*/*",
		"/1/2/3/4/5/6/7/8":             "/…",
		"/events/" + "a/b/c/d/e/f/g/h": "/…",
	} {
		if got := string(appendMasked(nil, path)); got != want {
			t.Errorf("%q is logged as %q, want %q", path, got, want)
		}
	}
}

// stuck is a writer that takes nothing until it is let go.
type stuck struct {
	free chan struct{}
	err  error
	got  bytes.Buffer
}

func (w *stuck) Write(p []byte) (int, error) {
	<-w.free
	if w.err != nil {
		return 0, w.err
	}
	return w.got.Write(p)
}

// A log that nobody reads keeps nobody waiting; what does not fit is counted.
func TestALogThatIsStuck(t *testing.T) {
	w := &stuck{free: make(chan struct{})}
	l := New(w)
	flushed := make(chan error)
	l.Write(Entry{Method: "GET", Path: "/"})
	go func() { flushed <- l.Flush() }()
	for l.Dropped() == 0 {
		for range 1000 {
			l.Write(Entry{Method: "GET", Path: "/"})
		}
	}
	l.Write(Entry{Method: "GET", Path: "/"})
	close(w.free)
	if err := <-flushed; err != nil || w.got.Len() == 0 {
		t.Errorf("in the end %d bytes were written, %v", w.got.Len(), err)
	}
}

// One write that fails silences nothing that comes after.
func TestALogThatFailsOnce(t *testing.T) {
	w := &stuck{free: make(chan struct{}), err: io.ErrShortWrite}
	close(w.free)
	l := New(w)
	l.Write(Entry{Method: "GET", Path: "/"})
	if err := l.Flush(); err == nil || l.Dropped() != 1 {
		t.Errorf("got %v, %d dropped", err, l.Dropped())
	}
	w.err = nil
	l.Write(Entry{Method: "GET", Path: "/"})
	if err := l.Flush(); err != nil || bytes.Count(w.got.Bytes(), []byte("\n")) != 1 {
		t.Errorf("got %v, %q", err, w.got.String())
	}
}

// Times are written by hand, and read as the standard library writes them.
func TestTimesInTheLog(t *testing.T) {
	l := New(nil)
	at := time.Date(2030, 12, 31, 23, 59, 59, 7_000_000, time.FixedZone("", 3600))
	for _, d := range []time.Duration{0, 1, time.Microsecond, 999_999 * time.Microsecond, time.Second, 61*time.Second + 20*time.Microsecond, -time.Second} {
		want := strconv.FormatFloat(max(0, d).Truncate(time.Microsecond).Seconds(), 'f', 6, 64)
		if got := string(appendSeconds(nil, d)); got != want {
			t.Errorf("%s is %s, not %s", d, got, want)
		}
		want = at.Add(d).UTC().Format("2006-01-02T15:04:05.000Z")
		if got := string(l.appendTime(nil, at.Add(d))); got != want {
			t.Errorf("%s and not %s", got, want)
		}
	}
}
