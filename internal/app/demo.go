package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge"
	"github.com/turnout-events/turnout/internal/run"
)

// DemoOptions are the flags of `turnout demo`.
type DemoOptions struct {
	// Dir keeps what the demo stores; empty means a temporary one.
	Dir                      string
	Public, Admin, Simulator string
	Instances                int
	ReadyFile                string
	Out                      io.Writer
	Logger                   *slog.Logger
}

// DemoReady is the demo's ready file.
type DemoReady struct {
	Public     string           `json:"public"`
	Simulator  string           `json:"simulator"`
	Console    string           `json:"console"`
	Org        turnout.OrgID    `json:"org"`
	HookSecret string           `json:"hook_secret"`
	Events     []string         `json:"events"`
	Links      []string         `json:"links"`
	PIDs       map[string][]int `json:"pids"`
}

// The demo's two orgs: one on Turnout's own objects, one on Campaigns.
const (
	demoOrg    turnout.OrgID = "tidewater"
	demoSecond turnout.OrgID = "mending"
)

// Demo runs everything on one machine until ctx ends: a simulated Salesforce,
// instances, and a proxy before them, each a process of its own but for the
// proxy.
func Demo(ctx context.Context, o DemoOptions) error {
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "turnout-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.Dir = dir
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	unlock, err := lockDir(o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	// The file says that everything serves: not before, and not any more.
	if o.ReadyFile != "" {
		if err := os.Remove(o.ReadyFile); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the ready file of an earlier run: %w", err)
		}
		defer os.Remove(o.ReadyFile)
	}
	d := &demo{o: o, secrets: map[turnout.OrgID]string{demoOrg: rand.Text(), demoSecond: rand.Text()}}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

// lockDir keeps a second demo out of a directory that one works in.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "demo.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another demo works in %s; name another --dir", dir), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing gives the lock up
}

type demo struct {
	o         DemoOptions
	secrets   map[turnout.OrgID]string
	simulator *child
	instances []*child
	admins    []string
}

// prepare checks the addresses and sets the two orgs up in the store.
func (d *demo) prepare(ctx context.Context) error {
	for _, address := range []string{d.o.Public, d.o.Admin, d.o.Simulator} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("%s is not free; choose others with --public, --admin and --simulator: %w", address, err)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	cfg, err := config.Load("", []string{"TURNOUT_DATA=" + d.data()})
	if err != nil {
		return err
	}
	return ApplyOrgs(ctx, cfg, d.orgs(), d.o.Logger)
}

func (d *demo) data() string { return filepath.Join(d.o.Dir, "data") }

func (d *demo) orgs() []turnout.Org {
	org := func(id turnout.OrgID, name, mapping string, hosts ...string) turnout.Org {
		origin := d.url(id)
		if id == demoOrg {
			origin = "http://" + d.o.Public
		}
		return turnout.Org{
			ID: id, Name: name, Hosts: hosts, Origin: origin, Zone: "Europe/Vienna", Language: "en", Mapping: mapping,
			Salesforce: turnout.Connection{LoginURL: "http://" + d.o.Simulator, Flow: "client_credentials", ClientID: "demo"},
			Secrets:    turnout.Secrets{ClientSecret: "demo", HookSecrets: []string{d.secrets[id]}},
		}
	}
	host, _, _ := net.SplitHostPort(d.o.Public)
	return []turnout.Org{
		org(demoOrg, "Tidewater Observatory", "turnout", "localhost", host),
		org(demoSecond, "The Mending Society", "campaign"),
	}
}

func (d *demo) url(org turnout.OrgID) string {
	_, port, _ := net.SplitHostPort(d.o.Public)
	return "http://" + string(org) + ".localhost:" + port
}

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	starts := make(chan struct{}, 8)
	upstreams, err := d.children()
	if err != nil {
		return err
	}
	services := []run.Service{d.service(d.simulator, starts)}
	for _, c := range d.instances {
		services = append(services, d.service(c, starts))
	}
	proxy, _, err := listen("proxy", d.o.Public, edge.New(edge.Options{Upstreams: upstreams, Logger: d.o.Logger}), d.o.Logger)
	if err != nil {
		return err
	}
	services = append(services, proxy, run.Service{Name: "announcer", Run: func(ctx context.Context) error {
		return d.announce(ctx, starts)
	}})
	return run.Group{Services: services, Logger: d.o.Logger}.Run(ctx)
}

// children describes the processes, and says where the instances will serve.
func (d *demo) children() ([]*url.URL, error) {
	args := []string{"simulator", "--listen", d.o.Simulator, "--dir", filepath.Join(d.o.Dir, "simulator"), "--sample"}
	for _, id := range []turnout.OrgID{demoOrg, demoSecond} {
		args = append(args, "--hook-url", d.url(id)+"/hooks/salesforce", "--hook-secret", d.secrets[id])
	}
	var err error
	if d.simulator, err = d.child("simulator", 0, args, nil); err != nil {
		return nil, err
	}
	var upstreams []*url.URL
	for i := range d.o.Instances {
		admin := d.o.Admin
		if i > 0 {
			if admin, err = freeAddress(); err != nil {
				return nil, err
			}
		}
		address, err := freeAddress()
		if err != nil {
			return nil, err
		}
		c, err := d.child("instance", i+1, []string{"serve"}, []string{
			"TURNOUT_DATA=" + d.data(), "TURNOUT_LISTEN=" + address, "TURNOUT_ADMIN_LISTEN=" + admin,
			fmt.Sprintf("TURNOUT_INSTANCE=demo-%d", i+1), "TURNOUT_LOG_LEVEL=info",
		})
		if err != nil {
			return nil, err
		}
		d.instances = append(d.instances, c)
		d.admins = append(d.admins, admin)
		upstreams = append(upstreams, &url.URL{Scheme: "http", Host: address})
	}
	return upstreams, nil
}

func (d *demo) child(role string, n int, args, env []string) (*child, error) {
	name := role
	if n > 0 {
		name = fmt.Sprintf("%s-%d", role, n)
	}
	out, err := os.OpenFile(filepath.Join(d.o.Dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &child{role: name, args: args, env: env, ready: filepath.Join(d.o.Dir, name+".ready.json"), out: out, log: d.o.Logger}, nil
}

func (d *demo) service(c *child, starts chan<- struct{}) run.Service {
	return run.Service{Name: c.role, Run: func(ctx context.Context) error {
		return c.run(ctx, func(Ready) { starts <- struct{}{} })
	}}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// announce waits until everything serves, writes the ready file, tells the
// person at the terminal, and writes the file again when a process was started
// again.
func (d *demo) announce(ctx context.Context, starts <-chan struct{}) error {
	for range 1 + d.o.Instances {
		select {
		case <-starts:
		case <-ctx.Done():
			return nil
		}
	}
	ready, err := d.gather(ctx)
	switch {
	case ctx.Err() != nil:
		return nil //nolint:nilerr // being stopped while it starts is no fault
	case err != nil:
		return err
	}
	if err := WriteReady(d.o.ReadyFile, ready); err != nil {
		return err
	}
	d.tell(ready)
	for {
		select {
		case <-starts:
			ready.PIDs = d.pids()
			if err := WriteReady(d.o.ReadyFile, ready); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *demo) pids() map[string][]int {
	pids := map[string][]int{"edge": {os.Getpid()}, "simulator": {d.simulator.PID()}}
	for _, c := range d.instances {
		pids["instance"] = append(pids["instance"], c.PID())
	}
	return pids
}

// demoLinks is how many personal links the ready file names.
const demoLinks = 50

// gather waits for events and links to be mirrored, and collects what the
// ready file says.
func (d *demo) gather(ctx context.Context) (*DemoReady, error) {
	_, port, _ := net.SplitHostPort(d.o.Public)
	r := &DemoReady{
		Public: "http://" + d.o.Public, Simulator: "http://" + d.o.Simulator, Console: "http://" + d.o.Admin + "/console/",
		Org: demoOrg, HookSecret: d.secrets[demoOrg], PIDs: d.pids(),
	}
	if strings.HasPrefix(d.o.Public, "0.0.0.0:") || strings.HasPrefix(d.o.Public, ":") {
		r.Public = "http://localhost:" + port
	}
	slugs, links, err := d.sample(ctx)
	if err != nil {
		return nil, err
	}
	r.Events = slugs
	for _, token := range links {
		r.Links = append(r.Links, r.Public+"/l/"+token)
	}
	return r, d.await(ctx, r)
}

// sample asks the simulator for the published events and for links to them.
func (d *demo) sample(ctx context.Context) (slugs, tokens []string, err error) {
	var events []struct {
		ID     string `json:"Id"`
		Slug   string `json:"Slug__c"`
		Status string `json:"Status__c"`
	}
	if err := d.records(ctx, "Turnout_Event__c", &events); err != nil {
		return nil, nil, err
	}
	published := map[string]bool{}
	for _, e := range events {
		if e.Status == "Published" {
			published[e.ID] = true
			slugs = append(slugs, e.Slug)
		}
	}
	var links []struct {
		Token string `json:"Token__c"`
		Event string `json:"Event__c"`
	}
	if err := d.records(ctx, "Turnout_Link__c?limit=400", &links); err != nil {
		return nil, nil, err
	}
	for _, l := range links {
		if published[l.Event] && len(tokens) < demoLinks {
			tokens = append(tokens, l.Token)
		}
	}
	return slugs, tokens, nil
}

func (d *demo) records(ctx context.Context, what string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.o.Simulator+"/_sim/records/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(out)
}

// await polls pages until the last event and the last link are served by
// every instance: the proxy takes them in turn.
func (d *demo) await(ctx context.Context, r *DemoReady) error {
	if len(r.Events) == 0 || len(r.Links) == 0 {
		return errors.New("the simulator has no published events or no links; use an empty --dir")
	}
	pages := append([]string{r.Links[len(r.Links)-1]}, r.Links[0])
	for _, slug := range r.Events {
		pages = append(pages, r.Public+"/events/"+slug)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for streak := 0; streak < d.o.Instances; {
		if d.serves(deadline, pages) {
			streak++
			continue
		}
		streak = 0
		select {
		case <-deadline.Done():
			return fmt.Errorf("events and links were not served after %s; see the logs in %s", startPatience, d.o.Dir)
		case <-tick.C:
		}
	}
	return nil
}

func (d *demo) serves(ctx context.Context, pages []string) bool {
	for _, page := range pages {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
		if err != nil {
			return false
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return false
		}
	}
	return true
}

func (d *demo) tell(r *DemoReady) {
	fmt.Fprintf(d.o.Out, `
Turnout is running.

  Events of Tidewater Observatory  %s
  Events of The Mending Society    %s
  A personal link                  %s
  Salesforce, simulated            %s
  Operator's console               %s

Commands work on it while it runs:

  TURNOUT_DATA=%s bin/turnout parked list --org %s

Everything is kept in %s. Press Ctrl-C to end it.
`, r.Public, d.url(demoSecond), r.Links[0], r.Simulator, r.Console, d.data(), demoOrg, d.o.Dir)
}
