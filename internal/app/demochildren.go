package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/run"
)

// children describes the processes.
func (d *demo) children() error {
	args := []string{"simulator", "--listen", d.o.Simulator, "--dir", filepath.Join(d.o.Dir, "simulator"), "--sample"}
	if d.o.Pictures {
		args = append(args, "--sample-pictures", "http://"+d.o.Simulator)
	}
	var env []string
	var err error
	for _, id := range []turnout.OrgID{demoOrg, demoSecond} {
		// Every user of the machine can read the arguments of a process.
		variable := "DEMO_HOOK_SECRET_" + strings.ToUpper(string(id))
		args = append(args, "--hook-url", d.url(id)+"/hooks/salesforce", "--hook-secret-env", variable)
		env = append(env, variable+"="+d.secrets[id])
	}
	if d.simulator, err = d.child("simulator", 0, args, env); err != nil {
		return err
	}
	free, err := d.freeAddresses(2*d.o.Instances + 1)
	if err != nil {
		return err
	}
	for i := range d.o.Instances {
		address, admin := free[2*i], free[2*i+1]
		c, err := d.child("instance", i+1, []string{"serve"}, []string{
			"TURNOUT_DATA=" + d.data(), "TURNOUT_LISTEN=" + address, "TURNOUT_ADMIN_LISTEN=" + admin,
			fmt.Sprintf("TURNOUT_INSTANCE=demo-%d", i+1), "TURNOUT_LOG_LEVEL=info",
			"TURNOUT_MIRROR_PICTURES=any", // whoever presses Publish is on this machine
		})
		if err != nil {
			return err
		}
		d.instances = append(d.instances, c)
		d.pages = append(d.pages, &url.URL{Scheme: "http", Host: address})
		d.admins = append(d.admins, &url.URL{Scheme: "http", Host: admin})
	}
	return d.edgeChild(free[2*d.o.Instances])
}

// edgeChild describes the edge, which serves operators at admin, and writes the file of its routes.
func (d *demo) edgeChild(admin string) (err error) {
	routes := d.routes()
	text := "# Instances that the edge spreads visitors over. It is read again when it changes.\nstacks:\n- name: demo\n  pools:\n  - region: here\n    upstreams:\n"
	for i, page := range d.pages {
		text += fmt.Sprintf("    - {name: demo-%d, url: %q}\n", i+1, page)
	}
	if err := os.WriteFile(routes, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	d.edgeAdmin = &url.URL{Scheme: "http", Host: admin}
	d.edge, err = d.child("edge", 0, []string{"edge"}, []string{
		"TURNOUT_DATA=" + d.data(), "TURNOUT_EDGE_LISTEN=" + d.o.Public, "TURNOUT_EDGE_ADMIN_LISTEN=" + admin,
		"TURNOUT_EDGE_ROUTES=" + routes, "TURNOUT_INSTANCE=demo-edge", "TURNOUT_LOG_LEVEL=info",
		// Everybody is on this machine, and it is there to be loaded.
		"TURNOUT_EDGE_ORG_PER_SECOND=0", "TURNOUT_EDGE_ORG_BURST=0", "TURNOUT_EDGE_ORG_SHARE=1", "TURNOUT_EDGE_ORG_SESSIONS=20000",
		"TURNOUT_EDGE_CLIENT_PER_SECOND=0", "TURNOUT_EDGE_CLIENT_CONNECTIONS=0", "TURNOUT_EDGE_CLIENT_OPENING=0",
	})
	return err
}

// metricsURLs are where the processes show their metrics, by role.
func (d *demo) metricsURLs() map[string][]string {
	all := map[string][]string{"edge": {d.edgeAdmin.String() + "/metrics"}}
	for _, admin := range d.admins {
		all["instance"] = append(all["instance"], admin.String()+"/metrics")
	}
	return all
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

// freeAddresses are n addresses on loopback that nobody listens on, for this demo alone
// until it ends: a process takes its address only later, and again when it was killed. A
// datagram socket of the same number, which nobody reads, tells other demos whose it is. They lie
// below the ports that systems give to outgoing connections.
func (d *demo) freeAddresses(n int) ([]string, error) {
	var all []string
	for range 1000 {
		if len(all) == n {
			return all, nil
		}
		address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
		claim, err := net.ListenPacket("udp", address)
		if err != nil {
			continue // another demo has it
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			_ = claim.Close()
			continue // somebody else has it
		}
		_ = l.Close()
		d.claims = append(d.claims, claim)
		all = append(all, address)
	}
	return nil, errors.New("no free port was found for the demo's processes")
}

// release lets other demos have the addresses.
func (d *demo) release() {
	for _, claim := range d.claims {
		_ = claim.Close()
	}
}

func (d *demo) pids() map[string][]int {
	pids := map[string][]int{"edge": {d.edge.PID()}, "simulator": {d.simulator.PID()}}
	for _, c := range d.instances {
		pids["instance"] = append(pids["instance"], c.PID())
	}
	return pids
}
