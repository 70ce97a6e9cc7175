// Package accesslog writes down what was asked and how it was answered, and nothing
// of who asked (P8): no address, no query, and of a path that carries a token only
// its shape. A log that cannot be written keeps nobody waiting.
package accesslog

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Entry is one request that was answered.
type Entry struct {
	Began time.Time
	// Took is how long its answer took.
	Took time.Duration
	// Method and Path are as they came; what may be somebody's is not written.
	Method, Path string
	// Status is the answer's, Tries how many upstreams were asked.
	Status, Tries int
	// Org and Upstream are whose page it was and who answered, empty for nobody.
	Org, Upstream string
}

// Log writes a JSON object for each request. Lines are gathered in memory and
// written by a goroutine of their own (Run), so that a log that cannot be written
// keeps nobody waiting; what does not fit is dropped and counted. Safe for
// concurrent use.
type Log struct {
	out  io.Writer
	full chan struct{} // there is enough to be written

	mu       sync.Mutex
	gathered []byte
	second   int64 // whose time is written
	clock    []byte
	dropped  atomic.Int64

	writing sync.Mutex
	written []byte // the other buffer
}

// Sizes of what is gathered, in bytes: enough to be written, and the most.
const (
	enoughLog = 32 << 10
	mostLog   = 4 << 20
)

// New makes a log that goes to w; nil writes nothing.
func New(w io.Writer) *Log {
	return &Log{out: w, full: make(chan struct{}, 1)}
}

// Run writes once a second, or when there is enough, until ctx ends.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.full:
		case <-tick.C:
		}
		_ = l.Flush() // what is lost is counted
	}
}

// Flush writes what was gathered. What cannot be written is dropped.
func (l *Log) Flush() error {
	if l.out == nil {
		return nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	lines := l.gathered
	l.gathered = l.written[:0]
	l.written = lines
	l.mu.Unlock()
	if len(lines) == 0 {
		return nil
	}
	_, err := l.out.Write(lines)
	if err != nil {
		l.dropped.Add(int64(bytes.Count(lines, []byte{'\n'})))
	}
	return err
}

// Dropped is how many lines could not be written.
func (l *Log) Dropped() int64 { return l.dropped.Load() }

// Write notes a request.
func (l *Log) Write(e Entry) {
	if l.out == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.gathered) > mostLog {
		l.dropped.Add(1)
		return
	}
	b := append(l.gathered, `{"time":"`...)
	b = l.appendTime(b, e.Began)
	b = append(b, `","method":`...)
	b = strconv.AppendQuote(b, method(e.Method))
	b = append(b, `,"path":`...)
	b = append(b, '"')
	b = appendMasked(b, e.Path)
	b = append(b, '"')
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(e.Status), 10)
	b = append(b, `,"seconds":`...)
	b = appendSeconds(b, e.Took)
	b = append(b, `,"tries":`...)
	b = strconv.AppendInt(b, int64(e.Tries), 10)
	if e.Org != "" {
		b = append(b, `,"org":"`...)
		b = append(b, e.Org...)
		b = append(b, '"')
	}
	if e.Upstream != "" {
		b = append(b, `,"upstream":"`...)
		b = append(b, e.Upstream...)
		b = append(b, '"')
	}
	b = append(b, "}\n"...)
	if l.gathered = b; len(b) >= enoughLog {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

// appendTime writes a time in UTC to the millisecond. All but that is the same
// for the many lines of a second.
func (l *Log) appendTime(b []byte, t time.Time) []byte {
	if s := t.Unix(); s != l.second || len(l.clock) == 0 {
		l.second, l.clock = s, t.UTC().AppendFormat(l.clock[:0], "2006-01-02T15:04:05.")
	}
	b = appendDigits(append(b, l.clock...), int64(t.Nanosecond())/int64(time.Millisecond), 3)
	return append(b, 'Z')
}

// appendSeconds writes seconds to the microsecond.
func appendSeconds(b []byte, d time.Duration) []byte {
	us := max(0, d.Microseconds()) // a clock may have been set back
	b = strconv.AppendInt(b, us/1e6, 10)
	return appendDigits(append(b, '.'), us%1e6, 6)
}

// appendDigits writes n in so many digits.
func appendDigits(b []byte, n int64, digits int) []byte {
	b = append(b, "000000"[:digits]...)
	for i := len(b) - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}

// method is a method as it may stand in a log: anything may be sent as one.
func method(m string) string {
	switch m {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE":
		return m
	}
	return "other"
}

// mostParts is how many a path of ours has at the most.
const mostParts = 8

// appendMasked appends a path without what may be somebody's: only the words that
// our own paths are made of, and events' slugs, stand in a log. None of these has
// anything that JSON would want escaped.
func appendMasked(b []byte, path string) []byte {
	if strings.Count(path, "/") >= mostParts {
		return append(b, "/…"...)
	}
	at := slugAt(path)
	i := 0
	for part := range strings.SplitSeq(path, "/") {
		if i > 0 {
			b = append(b, '/')
		}
		if known(part) || (i > 0 && i == at && slug(part)) {
			b = append(b, part...)
		} else {
			b = append(b, '*')
		}
		i++
	}
	return b
}

// slugAt is which part of a path is an event's slug, 0 for none.
func slugAt(path string) int {
	if strings.HasPrefix(path, "/events/") {
		return 2
	}
	if rest, ok := strings.CutPrefix(path, "/api/"); ok {
		if _, rest, ok = strings.Cut(rest, "/"); ok && strings.HasPrefix(rest, "events/") {
			return 4
		}
	}
	return 0
}

func known(part string) bool {
	switch part {
	case "", "events", "register", "l", "registrations", "edit", "cancel", "api", "v1", "openapi.json", "links", "decline",
		"hooks", "salesforce", "assets", "media", "embed.js", "favicon.ico", "robots.txt":
		return true
	}
	return false
}

// slug reports whether a part may be an event's slug: long ones, and ones with
// anything but small letters, digits, hyphens and the ending of a calendar file,
// are somebody's guess.
func slug(part string) bool {
	part = strings.TrimSuffix(part, ".ics")
	if len(part) > 64 {
		return false
	}
	for _, c := range part {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
