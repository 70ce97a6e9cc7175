//go:build e2e

// Package faults proves that a deployment of several instances keeps its promises
// while everything around them fails: processes are killed and stopped, networks
// are slow, silent and torn, engines and Salesforce come and go, under visitors
// who register, edit and cancel.
package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/cache/mongotest"
	"github.com/turnout-events/turnout/internal/redis/redistest"
	"github.com/turnout-events/turnout/internal/store/pgtest"
	"github.com/turnout-events/turnout/internal/wiretest"
)

const hookSecret = "faults-hook-secret-0123456789"

// deployment is three instances behind an edge, over PostgreSQL, FerretDB and
// Redis, and two orgs' simulated Salesforce. A wire is between any two of them
// that talk to each other.
type deployment struct {
	t         *testing.T
	dir       string // of logs and everything else
	starter   starter
	database  *pgtest.Cluster
	cache     *mongotest.Server
	redis     *redistest.Server
	offices   []*office
	instances []*process
	edge      *process
	wires     map[string]*wiretest.Wire // by "caller→target"
	client    *http.Client
}

// address is where a process listens, known before it is started.
func address(p *process) string { return strings.TrimPrefix(p.url, "http://") }

// deploy runs it until the test ends. Where the test fails, logs stay.
func deploy(t *testing.T) *deployment {
	t.Helper()
	if _, err := os.Stat(binary()); err != nil {
		t.Fatalf("there is no %s: run make build first", binary())
	}
	dir, err := os.MkdirTemp("", "turnout-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the logs of every process are in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	d := &deployment{t: t, dir: dir, starter: newStarter(t), wires: map[string]*wiretest.Wire{}, client: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	d.engines()
	d.describe()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, o := range d.offices {
		d.launch(ctx, o.process)
	}
	d.apply()
	for _, p := range d.instances {
		d.launch(ctx, p)
	}
	d.launch(ctx, d.edge)
	return d
}

// engines starts what is not Turnout.
func (d *deployment) engines() {
	d.t.Helper()
	d.database, d.cache, d.redis = pgtest.New(d.t), mongotest.New(d.t), redistest.New(d.t)
}

// describe lays all processes and wires out.
func (d *deployment) describe() {
	public := d.wire("visitors", "edge", "tcp", wiretest.FreeAddress(d.t))
	for i, org := range []struct{ id, name, marker, host string }{
		{"tidewater", "Tidewater Observatory", "Ebbtide", "127.0.0.1"},
		{"mending", "The Mending Society", "Threadbare", "localhost"},
	} {
		o := &office{org: org.id, name: org.name, marker: org.marker, client: d.client, events: map[string]*event{}}
		o.process = d.process("salesforce-"+org.id, wiretest.FreeAddress(d.t))
		_, port, _ := strings.Cut(public, ":")
		o.process.args = []string{"simulator", "--listen", address(o.process), "--dir", filepath.Join(d.dir, org.id),
			"--hook-url", "http://" + org.host + ":" + port + "/hooks/salesforce", "--hook-secret-env", "FAULTS_HOOK_SECRET"}
		o.process.env = []string{"FAULTS_HOOK_SECRET=" + hookSecret}
		d.wire("instances", o.process.name, "tcp", address(o.process))
		d.offices = append(d.offices, o)
		_ = i
	}
	routes := "stacks:\n- name: blue\n  pools:\n  - region: here\n    upstreams:\n"
	for i := range 3 {
		p := d.process(fmt.Sprintf("instance-%d", i+1), wiretest.FreeAddress(d.t))
		admin := wiretest.FreeAddress(d.t)
		p.admin = "http://" + admin
		p.args, p.env = []string{"serve"}, append(d.environment(p.name),
			"TURNOUT_LISTEN="+address(p), "TURNOUT_ADMIN_LISTEN="+admin, "TURNOUT_DRAIN=1s", "TURNOUT_MIRROR_EVERY=10s", d.throughCache(p.name),
			"TURNOUT_SESSIONS=redis://"+d.wire(p.name, "redis", "tcp", d.redis.Address()))
		d.instances = append(d.instances, p)
		routes += fmt.Sprintf("    - {name: %s, url: %q}\n", p.name, "http://"+d.wire("edge", p.name, "tcp", address(p)))
	}
	file := filepath.Join(d.dir, "routes.yaml")
	if err := os.WriteFile(file, []byte(routes), 0o600); err != nil {
		d.t.Fatal(err)
	}
	d.edge = d.process("edge", d.target("visitors→edge"))
	d.edge.args, d.edge.env = []string{"edge"}, append(d.environment("edge"),
		"TURNOUT_EDGE_LISTEN="+address(d.edge), "TURNOUT_EDGE_ADMIN_LISTEN="+wiretest.FreeAddress(d.t), "TURNOUT_EDGE_ROUTES="+file,
		"TURNOUT_EDGE_LIMITS=redis://"+d.wire("edge", "redis", "tcp", d.redis.Address()),
		"TURNOUT_EDGE_ORG_SHARE=1", "TURNOUT_EDGE_ORG_SESSIONS=20000",
		"TURNOUT_EDGE_CLIENT_PER_SECOND=0", "TURNOUT_EDGE_CLIENT_CONNECTIONS=0", "TURNOUT_EDGE_CLIENT_OPENING=0")
}

// environment is what instances, edge and commands have in common: each has a
// directory of its own, as on a machine of its own, and a wire of its own to each
// engine.
func (d *deployment) environment(name string) []string {
	directory, err := url.Parse(d.database.URL())
	if err != nil {
		d.t.Fatal(err)
	}
	socket := filepath.Join(directory.Query().Get("host"), ".s.PGSQL.5432")
	return []string{
		"TURNOUT_DATA=" + filepath.Join(d.dir, name), "TURNOUT_INSTANCE=" + name, "TURNOUT_STACK=blue", "TURNOUT_LOG_LEVEL=info",
		"TURNOUT_MASTER_KEY_FILE=" + filepath.Join(d.dir, "master.key"), "TURNOUT_EDGE_KEY_FILE=" + filepath.Join(d.dir, "edge.key"),
		"TURNOUT_STORE=postgres://turnout@" + d.wire(name, "database", "unix", socket) + "/postgres?sslmode=disable",
	}
}

// throughCache is for those who use the cache.
func (d *deployment) throughCache(name string) string {
	return "TURNOUT_CACHE=mongodb://" + d.wire(name, "cache", "tcp", d.cacheAddress()) + "/faults?maxPoolSize=10"
}

func (d *deployment) cacheAddress() string {
	return strings.Trim(strings.TrimPrefix(d.cache.URL(), "mongodb://"), "/")
}

// wire lays one out and returns the address that the caller is to call.
func (d *deployment) wire(caller, target, network, address string) string {
	w, err := wiretest.Listen(d.t.Context(), wiretest.FreeAddress(d.t), network, address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = w.Close() })
	d.wires[caller+"→"+target] = w
	return w.Address()
}

// target is where a wire leads.
func (d *deployment) target(name string) string { return d.wires[name].Target() }

func (d *deployment) process(name, address string) *process {
	return &process{name: name, url: "http://" + address, ready: filepath.Join(d.dir, name+".ready.json"), log: filepath.Join(d.dir, name+".log")}
}

// launch starts a process until the test ends.
func (d *deployment) launch(ctx context.Context, p *process) {
	d.t.Helper()
	d.t.Cleanup(func() {
		if !p.end(20 * time.Second) {
			d.t.Errorf("%s did not end in time", p.name)
		}
		for _, end := range p.ends() {
			d.t.Error(end)
		}
	})
	if err := p.up(ctx, d.starter); err != nil {
		text, _ := os.ReadFile(p.log)
		d.t.Fatalf("%v\n%s", err, text)
	}
}

// apply tells the store of the orgs.
func (d *deployment) apply() {
	d.t.Helper()
	text := "orgs:\n"
	for _, o := range d.offices {
		host := map[string]string{"tidewater": "127.0.0.1", "mending": "localhost"}[o.org]
		text += fmt.Sprintf("- id: %s\n  name: %s\n  hosts: [%s]\n  origin: %q\n  mapping: turnout\n  hook_secrets: [%s]\n"+
			"  salesforce: {login_url: %q, client_id: demo, client_secret: demo}\n",
			o.org, o.name, host, "http://"+o.org+".localhost", hookSecret, "http://"+d.wires["instances→"+o.process.name].Address())
	}
	file := filepath.Join(d.dir, "orgs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(binary(), "org", "apply", "-f", file)
	cmd.Env = append(os.Environ(), d.environment("operator")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
}

// public is where visitors come.
func (d *deployment) public() string { return "http://" + d.wires["visitors→edge"].Address() }

// within waits for something that happens in other processes.
func (d *deployment) within(limit time.Duration, what string, ok func() bool) bool {
	d.t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			d.t.Errorf("%s: not within %v", what, limit)
			return false
		}
		pass(50 * time.Millisecond)
	}
	return true
}

// pass lets real time go by.
func pass(d time.Duration) { <-time.After(d) }
