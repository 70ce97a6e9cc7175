package edge

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// accessLog writes a JSON object for each request. It holds nothing of a person
// (P8): no address, no query, and of a path that carries a token only its shape.
type accessLog struct {
	mu  sync.Mutex
	out *bufio.Writer
	// line is built here, so that nothing is made for each request.
	buf []byte
}

func newAccessLog(w io.Writer) *accessLog {
	if w == nil {
		return &accessLog{}
	}
	return &accessLog{out: bufio.NewWriterSize(w, 64<<10)}
}

func (l *accessLog) line(v *visit, now time.Time) {
	if l.out == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := append(l.buf[:0], `{"time":"`...)
	b = v.began.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","method":`...)
	b = strconv.AppendQuote(b, method(v.r.Method))
	b = append(b, `,"path":`...)
	b = append(b, '"')
	b = appendMasked(b, v.r.URL.Path)
	b = append(b, '"')
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(v.status), 10)
	b = append(b, `,"seconds":`...)
	b = strconv.AppendFloat(b, now.Sub(v.began).Seconds(), 'f', 6, 64)
	b = append(b, `,"tries":`...)
	b = strconv.AppendInt(b, int64(v.tries), 10)
	if v.site != nil {
		b = append(b, `,"org":"`...)
		b = append(b, v.site.tenant.org...)
		b = append(b, '"')
	}
	if v.up != nil {
		b = append(b, `,"upstream":"`...)
		b = append(b, v.up.Name...)
		b = append(b, '"')
	}
	b = append(b, "}\n"...)
	l.buf = b
	_, _ = l.out.Write(b) // a log that cannot be written keeps nobody waiting
}

// flush writes what was gathered.
func (l *accessLog) flush() error {
	if l.out == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Flush()
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
		"hooks", "salesforce", "assets", "media", "favicon.ico", "robots.txt":
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
