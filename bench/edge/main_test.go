// Package edge measures `turnout edge` beside HAProxy, nginx and net/http's own
// reverse proxy, each in front of the same instances and in the same run:
// ratios, since machines are shared and noisy (DESIGN.md, "Measuring").
//
// Every server is a process of its own, so that it can be killed and its CPU
// time told from the load generator's. Those that are ours are this test binary,
// run again in a role.
package edge

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
)

var (
	rounds  = flag.Int("rounds", 5, "interleaved rounds; medians are reported")
	seconds = flag.Float64("seconds", 3, "seconds a round and server")
	clients = flag.Int("clients", 64, "connections of BenchmarkCPU")
	kills   = flag.Int("kills", 20, "instances that are killed before each peer")
	changes = flag.Int("changes", 100, "configurations that each peer takes up")
	into    = flag.String("into", "", "file that the tables are added to, as Markdown")
	profile = flag.String("profile", "", "directory for a CPU profile of each of our servers")
	only    = flag.String("peers", "", "names of the peers that are measured, with commas; empty means all")
)

// Environment of a role.
const (
	roleVar     = "TURNOUT_BENCH_ROLE"
	settingsVar = "TURNOUT_BENCH_SETTINGS"
	profileVar  = "TURNOUT_BENCH_PROFILE"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVar)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := play(role, []byte(os.Getenv(settingsVar)), os.Getenv(profileVar)); err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

// play is one of our servers until SIGTERM, or until whoever started it is gone.
func play(role string, settings []byte, profiles string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if profiles != "" {
		f, err := os.Create(filepath.Join(profiles, role+".prof"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	switch role {
	case "floor":
		return serveFloor(ctx, settings)
	case "instance":
		return serveInstance(ctx, settings)
	case "edge":
		return serveEdge(ctx, settings)
	case "reverseproxy":
		return serveReverseProxy(ctx, settings)
	case "abuser":
		return abuse(ctx, settings)
	case "hostile":
		return assail(ctx, settings)
	}
	return fmt.Errorf("there is no role %s", role)
}

// edgeSettings are those of the role "edge".
type edgeSettings struct {
	Listen, Dir     string
	Secure, Guarded bool
}

// serveEdge is `turnout edge`, without a store.
func serveEdge(ctx context.Context, settings []byte) error {
	var s edgeSettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return err
	}
	cfg := config.Default()
	cfg.Edge.Listen, cfg.Edge.AdminListen = s.Listen, "127.0.0.1:0"
	cfg.Edge.Orgs, cfg.Edge.Routes = "routes", filepath.Join(s.Dir, "routes.yaml")
	cfg.Edge.KeyFile, cfg.Edge.AccessLog = filepath.Join(s.Dir, "edge.key"), filepath.Join(s.Dir, "access.log")
	// On, and never reached: everybody here has one address, and orgs that are
	// held to an allowance have one of their own.
	cfg.Edge.Client = config.EdgeClient{PerSecond: plenty, Burst: plenty}
	if usual := config.Default().Edge.Client; s.Guarded {
		cfg.Edge.Client.Connections, cfg.Edge.Client.Opening = usual.Connections, usual.Opening
	}
	if s.Secure {
		cfg.Edge.Listen, cfg.Edge.TLSListen = "", s.Listen
		cfg.Data, cfg.Edge.Certificates.From = s.Dir, "internal"
	}
	cfg.Edge.Org = config.EdgeAllowance{PerSecond: plenty, Burst: plenty, Share: 0.5}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return app.Edge(ctx, cfg, log, "")
}

// plenty is a rate that is never reached.
const plenty = 1_000_000

// proxySettings are those of the role "reverseproxy".
type proxySettings struct {
	Listen    string
	Pair      string // file of its certificate and key, empty for plain HTTP
	Upstreams []string
}

// serveReverseProxy is httputil.ReverseProxy without any policy: instances in
// turn, buffers and connections kept.
func serveReverseProxy(ctx context.Context, settings []byte) error {
	var s proxySettings
	if err := json.Unmarshal(settings, &s); err != nil {
		return err
	}
	var next atomic.Uint32
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.SetURL(&url.URL{Scheme: "http", Host: s.Upstreams[int(next.Add(1))%len(s.Upstreams)]})
			r.Out.Host = r.In.Host
		},
		BufferPool: &buffers{sync.Pool{New: func() any { return make([]byte, 32<<10) }}},
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute, DisableCompression: true, ForceAttemptHTTP2: false,
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}
	l, err := listen(s.Listen, s.Pair)
	if err != nil {
		return err
	}
	return serve(ctx, l, p, 0)
}

type buffers struct{ sync.Pool }

func (b *buffers) Get() []byte  { return b.Pool.Get().([]byte) }
func (b *buffers) Put(p []byte) { b.Pool.Put(p) } //nolint:staticcheck // a slice's header a request is what a tuned proxy pays, too
