package watch

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const metrics = `# HELP turnout_deliveries_total Registrations.
# TYPE turnout_deliveries_total counter
turnout_deliveries_total{org="a",outcome="done"} 5
turnout_deliveries_total{org="a",outcome="retry"} 100
turnout_deliveries_total{org="b} c",outcome="parked"} 2
turnout_delivery_oldest_seconds{org="a"} 1.5
turnout_delivery_oldest_seconds{org="b"} 3
turnout_registrations_accepted_total{org="a"} 12 1732570000000
turnout_salesforce_calls_total{org="a",operation="query",code="ok"} 7
turnout_salesforce_calls_total{org="a",operation="upsert",code="ok"} 1e1
turnout_mirror_last_read_seconds{org="a"} +Inf
go_goroutines 42
process_resident_memory_bytes 6.1e+07
process_open_fds 48
broken{ 1
`

func TestRead(t *testing.T) {
	got := read(strings.NewReader(metrics))
	want := figures{known: true, calls: 17, delivered: 7, accepted: 12, oldest: 3, delivers: true, memory: 6.1e7, goroutines: 42, files: 48}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if read(strings.NewReader("")).known {
		t.Error("nothing is something")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(metrics)
	f.Fuzz(func(_ *testing.T, text string) { read(strings.NewReader(text)) })
}

// answers gives each address its metrics of now.
type answers map[string]string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := a[r.URL.Host]
	if !ok {
		return nil, io.EOF
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(text))}, nil
}

// What each second brought is told, over all processes, and a process that is started
// again or does not answer brings nothing that was not there.
func TestLook(t *testing.T) {
	a := answers{
		"one": "turnout_salesforce_calls_total 100\nturnout_registrations_accepted_total 50\nturnout_deliveries_total{outcome=\"done\"} 50\n",
		"two": "turnout_salesforce_calls_total 10\ngo_goroutines 9\n",
	}
	w := Watcher{Via: a, Processes: []Process{{Name: "1", Metrics: "http://one/metrics"}, {Name: "2", Metrics: "http://two/metrics"}}}
	if s := w.Look(t.Context(), 0); s.Calls != 0 || s.Delivered != 0 || s.Waiting != 0 {
		t.Errorf("at first: %+v", s)
	}
	a["one"] = "turnout_salesforce_calls_total 103\nturnout_registrations_accepted_total 60\nturnout_deliveries_total{outcome=\"done\"} 54\nturnout_delivery_oldest_seconds 2.5\n"
	if s := w.Look(t.Context(), 1); s.Calls != 3 || s.Delivered != 4 || s.Waiting != 6 || s.OldestAge != 2.5 {
		t.Errorf("%+v", s)
	}
	delete(a, "one")
	a["two"] = "turnout_salesforce_calls_total 12\n"
	if s := w.Look(t.Context(), 2); s.Calls != 2 || s.Delivered != 0 {
		t.Errorf("while one is away: %+v", s)
	}
	a["one"] = "turnout_salesforce_calls_total 1\n"
	if s := w.Look(t.Context(), 3); s.Calls != 0 {
		t.Errorf("after it was started again: %+v", s)
	}
	if !w.Known() || len(w.Usage()) == 0 {
		t.Error("nothing is known")
	}
}

// A second in which nobody says what waits is not one in which nothing does.
func TestNoAnswerIsNotNothing(t *testing.T) {
	a := answers{"one": "turnout_delivery_oldest_seconds{org=\"acme\"} 42\n", "edge": "go_goroutines 9\n"}
	w := Watcher{Via: a, Processes: []Process{{Name: "1", Metrics: "http://one/metrics"}, {Name: "edge", Metrics: "http://edge/metrics"}}}
	for second, step := range []struct {
		says string
		want float64
	}{{a["one"], 42}, {"", 43}, {"", 44}, {"turnout_delivery_oldest_seconds{org=\"acme\"} 0\n", 0}, {"", 0}} {
		if a["one"] = step.says; step.says == "" {
			delete(a, "one")
		}
		if s := w.Look(t.Context(), second); s.OldestAge != step.want {
			t.Errorf("second %d: the oldest has waited for %g s, want %g", second, s.OldestAge, step.want)
		}
	}
}

func TestHeld(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc")
	}
	store, err := os.Create(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.WriteString("some bytes"); err != nil {
		t.Fatal(err)
	}
	h := held(os.Getpid())
	if h.memory < 1<<20 || h.files < 4 || h.store != 10 {
		t.Errorf("%+v", h)
	}
	if gone := held(1 << 30); gone != (holding{}) {
		t.Errorf("of nobody: %+v", gone)
	}
}
