package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/run"
)

// DemoOptions are the flags of `turnout demo`.
type DemoOptions struct {
	// Dir keeps what the demo stores; empty means a temporary one.
	Dir                      string
	Public, Admin, Simulator string
	Instances                int
	// Allowance is how many requests a second the second org may have; 0 for no limit.
	Allowance int
	// Pictures says that the sample's events have pictures.
	Pictures  bool
	ReadyFile string
	Out       io.Writer
	Logger    *slog.Logger
	// temporary is a Dir that is removed at the end.
	temporary bool
}

// DemoReady is the demo's ready file.
type DemoReady struct {
	Public     string        `json:"public"`
	Simulator  string        `json:"simulator"`
	Console    string        `json:"console"`
	Org        turnout.OrgID `json:"org"`
	HookSecret string        `json:"hook_secret"`
	// Events are the published events of the sample, those that ask least first.
	Events []string `json:"events"`
	// Links are unanswered; those of events that ask least come first, those of
	// sold-out ones last.
	Links []string         `json:"links"`
	PIDs  map[string][]int `json:"pids"`
	// Others are the pages of the other orgs, Metrics where processes show theirs, by
	// role and in the order of PIDs, and Allowance what each of these orgs may have, in
	// requests a second, 0 for no limit.
	Others    []string            `json:"others"`
	Metrics   map[string][]string `json:"metrics"`
	Allowance int                 `json:"allowance"`
}

// The demo's two orgs: one on Turnout's own objects, one on Campaigns.
const (
	demoOrg    turnout.OrgID = "tidewater"
	demoSecond turnout.OrgID = "mending"
)

// Demo runs everything on one machine until ctx ends: a simulated Salesforce,
// instances and the edge before them, each a process of its own, and a proxy
// before what they serve to operators.
func Demo(ctx context.Context, o DemoOptions) error {
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "turnout-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.Dir, o.temporary = dir, true
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
	if err := removeReady(o.ReadyFile); err != nil {
		return err
	}
	d := &demo{o: o, secrets: map[turnout.OrgID]string{demoOrg: rand.Text(), demoSecond: rand.Text()}}
	if err := d.prepare(ctx); err != nil {
		return err
	}
	return d.run(ctx)
}

func removeReady(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove ready file: %w", err)
	}
	return nil
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
	edge      *child
	// pages and admins are where the instances serve, edgeAdmin where the edge
	// serves operators.
	pages, admins []*url.URL
	edgeAdmin     *url.URL
	// claims say that addresses are this demo's, see freeAddresses.
	claims []net.PacketConn
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

// routes is the file of the edge's routes.
func (d *demo) routes() string { return filepath.Join(d.o.Dir, "routes.yaml") }

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
		d.limited(org(demoSecond, "The Mending Society", "campaign")),
	}
}

// limited gives an org the allowance that the demo is to show something with.
func (d *demo) limited(o turnout.Org) turnout.Org {
	if d.o.Allowance > 0 {
		o.Placement.Allowance.PerSecond, o.Placement.Allowance.Share = float64(d.o.Allowance), 0.5
	}
	return o
}

func (d *demo) url(org turnout.OrgID) string {
	_, port, _ := net.SplitHostPort(d.o.Public)
	return "http://" + string(org) + ".localhost:" + port
}

func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	starts := make(chan struct{}, 8)
	defer d.release()
	if err := d.children(); err != nil {
		return err
	}
	services := []run.Service{d.service(d.simulator, starts)}
	for _, c := range d.instances {
		services = append(services, d.service(c, starts))
	}
	services = append(services, d.service(d.edge, starts))
	tally := newTally(d.admins, d.edgeAdmin)
	admin, _, err := listen("admin proxy", d.o.Admin, d.admin(tally), d.o.Logger)
	if err != nil {
		return err
	}
	services = append(services, run.Service{Name: "metrics", Run: tally.run}, admin, run.Service{Name: "announcer", Run: func(ctx context.Context) error {
		return d.announce(ctx, starts)
	}})
	return run.Group{Services: services, Logger: d.o.Logger}.Run(ctx)
}
