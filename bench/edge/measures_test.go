package edge

import (
	"bufio"
	"strings"
	"testing"
	"time"
)

// What measures is measured, too: a session that leaves an instance needs a
// reason at the time at which it left.
func TestNeedlessMoves(t *testing.T) {
	j := &journal{}
	began := time.Now()
	j.begin("i1.1")
	j.begin("i2.1")
	j.mend("i2.1", -time.Nanosecond)
	after := time.Now().Add(time.Second)
	for _, c := range []struct {
		who      string
		from, to time.Time
		want     bool
	}{
		{"i1.1", began, after, true},
		{"i1.1", began.Add(-2 * time.Second), began.Add(-time.Second), false}, // before
		{"i1.1", after, after.Add(time.Hour), true},                           // it lasts
		{"i1.2", began, after, false},                                         // its successor
		{"i2.1", began.Add(-time.Second), after, true},
		{"i2.1", after, after.Add(time.Hour), false}, // it is well again
		{"i3.1", began, after, false},
	} {
		if got := j.ill(c.who, c.from, c.to); got != c.want {
			t.Errorf("%s from %v to %v: %v", c.who, c.from.Sub(began), c.to.Sub(began), got)
		}
	}
}

func TestAnswersAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		status int
		over   bool
		fails  bool
		cookie string
	}{
		"a page":        {"HTTP/1.1 200 OK\r\nSet-Cookie: s=1; Path=/\r\ncontent-length: 3\r\n\r\nabc", 200, false, false, "s=1"},
		"two cookies":   {"HTTP/1.1 200 OK\r\nSet-Cookie: s=1; Path=/\r\nSet-Cookie: t=2\r\nSet-Cookie: s=3\r\nContent-Length: 0\r\n\r\n", 200, false, false, "t=2; s=3"},
		"a refusal":     {"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 429, true, false, ""},
		"broken off":    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", 200, false, true, ""},
		"no length":     {"HTTP/1.1 200 OK\r\n\r\n", 200, true, true, ""},
		"nothing":       {"", 0, true, true, ""},
		"no answer":     {"hello\r\n\r\n", 0, true, true, ""},
		"no head's end": {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", 0, true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := &line{reader: bufio.NewReader(strings.NewReader(c.text))}
			status, over, err := l.read()
			if status != c.status || over != c.over || (err != nil) != c.fails || l.cookie != c.cookie {
				t.Errorf("got %d, %v, %v, cookie %q", status, over, err, l.cookie)
			}
		})
	}
}

func TestLoadIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		text            string
		answers, faults int64
	}{
		"all well": {"finished in 3.00s, 3 req/s, 1KB/s\nrequests: 9 total, 11 started, 9 done, 9 succeeded, 0 failed, 0 errored, 0 timeout\nstatus codes: 9 2xx, 0 3xx, 0 4xx, 0 5xx\n", 9, 0},
		"refused":  {"requests: 9 total, 9 started, 9 done, 7 succeeded, 2 failed, 1 errored, 0 timeout\nstatus codes: 7 2xx, 0 3xx, 2 4xx, 0 5xx\n", 7, 3},
		"nothing":  {"", 0, 1},
	} {
		if a, f := loaded(c.text); a != c.answers || f != c.faults {
			t.Errorf("%s: %d answers, %d faults", name, a, f)
		}
	}
}

func TestParts(t *testing.T) {
	v := []int{5, 1, 4, 2, 3}
	if median(v) != 3 || part(v, 0.99) != 5 || part(v, 0) != 1 || median([]int{}) != 0 {
		t.Errorf("median %d, p99 %d, least %d", median(v), part(v, 0.99), part(v, 0))
	}
	if got := against([]float64{2, 9, 6}, []float64{1, 3, 2}); got != 3 {
		t.Errorf("ratio %v", got)
	}
}
