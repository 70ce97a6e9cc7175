package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// deployment is the real program as processes of this machine: an instance, and
// a simulated Salesforce for each org.
type deployment struct {
	b           *testing.B
	dir, binary string
	// listen is where the instance will serve its pages.
	listen        string
	public, admin string
	// client is the visitors', slow one for what takes its time.
	client, slow *http.Client
}

// salesforceOrg is an org's simulated Salesforce and what it was filled with.
type salesforceOrg struct {
	*process
	ids, slugs, tokens []string
	// session is a token of its API, once somebody needed one.
	session string
}

const hookSecret = "bench-hook-secret-0123456789"

// process is one of `turnout`.
type process struct {
	url, admin string
	cmd        *exec.Cmd
	exited     chan struct{}
	once       sync.Once
}

// deploy finds the program, or builds it.
func deploy(b *testing.B, dir string) *deployment {
	b.Helper()
	d := &deployment{b: b, dir: dir, binary: os.Getenv("TURNOUT_BINARY"), listen: wiretest.FreeAddress(b),
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		slow: &http.Client{Timeout: 10 * time.Minute}}
	if d.binary != "" {
		return d
	}
	d.binary = filepath.Join(dir, "turnout")
	cmd := exec.Command("go", "build", "-trimpath", "-o", d.binary, "../cmd/turnout")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build turnout: %v\n%s", err, out)
	}
	return d
}

// salesforce starts a simulator and fills it with events and links.
func (d *deployment) salesforce(name string, events, links int, flags ...string) *salesforceOrg {
	d.b.Helper()
	s := &salesforceOrg{process: d.start("salesforce-"+name, append([]string{"simulator", "--listen", wiretest.FreeAddress(d.b)}, flags...)...)}
	var made struct {
		Events []struct{ ID, Slug string } `json:"events"`
		Tokens []string                    `json:"tokens"`
	}
	d.json(http.MethodPost, s.url+"/_sim/seed", fmt.Sprintf(`{"events":%d,"links":%d}`, events, links), &made)
	for _, e := range made.Events {
		s.ids, s.slugs = append(s.ids, e.ID), append(s.slugs, e.Slug)
	}
	s.tokens = made.Tokens
	return s
}

// serve starts the instance.
func (d *deployment) serve() *process {
	d.b.Helper()
	p := d.start("instance", "serve")
	d.public, d.admin = p.url, p.admin
	return p
}

// apply sets an org up.
func (d *deployment) apply(org, url string) {
	d.b.Helper()
	path := file(d.b, filepath.Join(d.dir, org+".yaml"), fmt.Sprintf("orgs:\n- id: %s\n  name: %s\n  mapping: turnout\n"+
		"  hook_secrets: [%s]\n  salesforce: {login_url: %q, client_id: demo, client_secret: demo}\n", org, org, hookSecret, url))
	cmd := exec.Command(d.binary, "org", "apply", "-f", path)
	cmd.Env = d.environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		d.b.Fatalf("org apply: %v\n%s", err, out)
	}
}

func (d *deployment) environment() []string {
	return append(os.Environ(), "TURNOUT_DATA="+filepath.Join(d.dir, "data"), "TURNOUT_LISTEN="+d.listen,
		"TURNOUT_ADMIN_LISTEN="+wiretest.FreeAddress(d.b), "TURNOUT_DRAIN=0s")
}

// start starts a process and waits until it serves. Its output is shown where
// the benchmark fails, or with -v.
func (d *deployment) start(name string, args ...string) *process {
	d.b.Helper()
	ready := filepath.Join(d.dir, name+".ready.json")
	output, err := os.Create(filepath.Join(d.dir, name+".log"))
	if err != nil {
		d.b.Fatal(err)
	}
	p := &process{exited: make(chan struct{})}
	p.cmd = exec.Command(d.binary, append(args, "--ready-file", ready)...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = d.environment(), output, output
	if *profile != "" && args[0] == "serve" {
		p.cmd.Path, p.cmd.Args = os.Args[0], os.Args[:1]
		p.cmd.Env = append(p.cmd.Env, "TURNOUT_BENCH_SERVER=instance", "TURNOUT_BENCH_PROFILE="+*profile, "TURNOUT_BENCH_DIR="+ready)
	}
	if err := p.cmd.Start(); err != nil {
		d.b.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	d.b.Cleanup(func() {
		p.end()
		text, _ := os.ReadFile(output.Name())
		_ = output.Close()
		if d.b.Failed() || testing.Verbose() {
			d.b.Logf("%s:\n%s", name, text[max(0, len(text)-6000):])
		}
	})
	var r struct{ URL, Admin string }
	d.within(time.Minute, name, func() bool {
		text, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(text, &r) == nil
	})
	p.url, p.admin = r.URL, r.Admin
	return p
}

// within looks until ok.
func (d *deployment) within(limit time.Duration, what string, ok func() bool) {
	d.b.Helper()
	tick, late := time.NewTicker(100*time.Millisecond), time.After(limit)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			d.b.Fatalf("%s: not within %v", what, limit)
		case <-tick.C:
		}
	}
}

// end ends it as an operator does. It may be called twice.
func (p *process) end() {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
		case <-time.After(time.Minute):
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	})
}

// peak is the most memory that it had resident so far, in MiB.
func (p *process) peak() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(string(rest))[0], 64)
			return kib / 1024
		}
	}
	return 0
}
