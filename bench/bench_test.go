package bench

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv("TURNOUT_BENCH_SERVER"); kind != "" {
		if err := Serve(kind, os.Getenv("TURNOUT_BENCH_DIR"), os.Getenv("TURNOUT_BENCH_PROFILE"), os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var (
	links   = flag.Int("links", 1_000_000, "links that are stored for BenchmarkLinkPage, and read by BenchmarkBackfill")
	rounds  = flag.Int("rounds", 5, "interleaved rounds; medians are reported")
	seconds = flag.Float64("seconds", 3, "seconds a round and server")
	clients = flag.Int("clients", 64, "connections")
	profile = flag.String("profile", "", "directory for a CPU profile of each server")
)

// server is a process under measurement.
type server struct {
	kind, url string
	pid       int
}

func start(b *testing.B, kind, dir string) *server {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TURNOUT_BENCH_SERVER="+kind, "TURNOUT_BENCH_DIR="+dir, "TURNOUT_BENCH_PROFILE="+*profile)
	return launch(b, kind, cmd)
}

// launch starts a server, which prints its address.
func launch(b *testing.B, kind string, cmd *exec.Cmd) *server {
	b.Helper()
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatalf("%s did not start: %v", kind, err)
	}
	return &server{kind, "http://" + strings.TrimPrefix(strings.TrimSpace(line), "http://"), cmd.Process.Pid}
}

// cpu is the CPU time of the process so far, user and system.
func (s *server) cpu(b *testing.B) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// memory is the resident memory of the process in MiB.
func (s *server) memory() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid))
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// figure is what one round of one server gave.
type figure struct{ rate, cpu float64 } // requests/s, CPU µs a request

// round sends requests over keep-alive connections for a while.
func (s *server) round(b *testing.B, request func() *http.Request, want int) figure {
	b.Helper()
	client := &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: *clients, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var done atomic.Int64
	ctx, cancel := context.WithTimeout(b.Context(), time.Duration(*seconds*float64(time.Second)))
	defer cancel()
	begin, before := time.Now(), s.cpu(b)
	var wg sync.WaitGroup
	for range *clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				resp, err := client.Do(request())
				if err != nil {
					b.Errorf("%s: %v", s.kind, err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if resp.StatusCode != want {
					b.Errorf("%s: status %d, want %d", s.kind, resp.StatusCode, want)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	n := float64(done.Load())
	return figure{n / time.Since(begin).Seconds(), float64((s.cpu(b) - before).Microseconds()) / n}
}

// compare measures both servers in turn and reports medians and their ratios.
func compare(b *testing.B, floor, ours *server, floorRequest, request func() *http.Request, want, floorWant int) {
	var fr, fc, or, oc []float64
	for range *rounds {
		f := floor.round(b, floorRequest, floorWant)
		o := ours.round(b, request, want)
		fr, fc, or, oc = append(fr, f.rate), append(fc, f.cpu), append(or, o.rate), append(oc, o.cpu)
	}
	b.ReportMetric(median(fr), "floor-req/s")
	b.ReportMetric(median(or), "ours-req/s")
	b.ReportMetric(median(fc), "floor-cpu-µs/req")
	b.ReportMetric(median(oc), "ours-cpu-µs/req")
	b.ReportMetric(median(or)/median(fr), "rate-ratio")
	b.ReportMetric(median(oc)/median(fc), "cpu-ratio")
	b.ReportMetric(ours.memory(), "ours-MiB")
	b.ReportMetric(0, "ns/op")
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return v[len(v)/2]
}

// BenchmarkAccept: a form post with validation, sealing, seats and idempotency
// beside a handler that inserts 600 bytes through the same group-commit writer.
func BenchmarkAccept(b *testing.B) { besideAccepting(b, start(b, "floor", b.TempDir())) }

// BenchmarkAcceptByHand: the same beside one event's form written by hand, with the
// promises at their least.
func BenchmarkAcceptByHand(b *testing.B) { besideAccepting(b, start(b, "byhand", b.TempDir())) }

// BenchmarkAcceptFastify: the same beside a form written by hand in Fastify on SQLite,
// with none of the promises. It is skipped where Fastify was not installed, which
// nothing else of the project needs (docs/performance.md says how).
func BenchmarkAcceptFastify(b *testing.B) {
	if _, err := os.Stat("fastify/node_modules"); err != nil {
		b.Skip("Fastify is not there: run npm install --no-package-lock in bench/fastify")
	}
	besideAccepting(b, launch(b, "fastify", exec.Command("node", "fastify/server.mjs", filepath.Join(b.TempDir(), "rows.db"))))
}

func besideAccepting(b *testing.B, floor *server) {
	dir := b.TempDir()
	if err := prepare(b.Context(), dir, 0); err != nil {
		b.Fatal(err)
	}
	ours := start(b, "accept", dir)
	var n atomic.Int64
	run := rand.Uint32()
	form := func(base string) func() *http.Request {
		return func() *http.Request {
			i := n.Add(1)
			values := url.Values{
				"key": {string(turnout.NewKey(time.Now()))}, "form": {"1"}, "ticket": {ticket}, "agenda": {"tour"},
				"first_name": {"Test"}, "last_name": {fmt.Sprintf("Person %d", i)}, "email": {fmt.Sprintf("p%x-%d@example.com", run, i)},
				"company": {"Example Company Ltd"}, "title": {"Head of Testing"}, "answers.diet": {"Vegetarian"}, "answers.note": {"I come by train and may be late."},
			}
			req, _ := http.NewRequest(http.MethodPost, base+"/events/"+slug+"/register", strings.NewReader(values.Encode()))
			req.Host = host
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			return req
		}
	}
	for b.Loop() {
		compare(b, floor, ours, form(floor.url), form(ours.url), http.StatusSeeOther, http.StatusSeeOther)
	}
}

// BenchmarkLinkPage: a personal link's page out of -links stored links, its
// sealed fields opened for the request, beside a handler that writes the same bytes.
func BenchmarkLinkPage(b *testing.B) {
	dir := b.TempDir()
	if err := prepare(b.Context(), dir, *links); err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	ours := start(b, "links", dir) // which reads all of them ahead
	ahead := time.Since(begun)
	get := func(base string, link func() int) func() *http.Request {
		return func() *http.Request {
			req, _ := http.NewRequest(http.MethodGet, base+"/l/"+tokenOf(link()), nil)
			req.Host = host
			return req
		}
	}
	resp, err := http.DefaultClient.Do(get(ours.url, func() int { return 0 })())
	if err != nil {
		b.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err := os.WriteFile(filepath.Join(dir, "link.html"), page, 0o600); err != nil {
		b.Fatal(err)
	}
	static := start(b, "static", dir)
	anyLink := func() int { return rand.IntN(*links) }
	for b.Loop() {
		compare(b, static, ours, get(static.url, anyLink), get(ours.url, anyLink), http.StatusOK, http.StatusOK)
	}
	b.ReportMetric(ahead.Seconds(), "ahead-s")
	grown := ours.memory() - fewLinks(b, get)
	b.ReportMetric(grown*(1<<20)/float64(*links), "memory-B/link")
	b.ReportMetric(size(dir, "cache.db")/float64(*links), "cache-B/link")
	b.ReportMetric(size(dir, "store.db")/float64(*links), "store-B/link")
}

// fewLinks is the memory, in MiB, of a server that has next to no links, after as
// many rounds.
func fewLinks(b *testing.B, get func(base string, link func() int) func() *http.Request) float64 {
	const n = 100
	dir := b.TempDir()
	if err := prepare(b.Context(), dir, n); err != nil {
		b.Fatal(err)
	}
	few := start(b, "few", dir)
	for range *rounds {
		few.round(b, get(few.url, func() int { return rand.IntN(n) }), http.StatusOK)
	}
	return few.memory()
}

func size(dir, name string) float64 {
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return 0
	}
	return float64(info.Size())
}
