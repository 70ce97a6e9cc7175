package app

import (
	"context"
	"fmt"
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
	var env []string
	for _, id := range []turnout.OrgID{demoOrg, demoSecond} {
		// Every user of the machine can read the arguments of a process.
		variable := "DEMO_HOOK_SECRET_" + strings.ToUpper(string(id))
		args = append(args, "--hook-url", d.url(id)+"/hooks/salesforce", "--hook-secret-env", variable)
		env = append(env, variable+"="+d.secrets[id])
	}
	var err error
	if d.simulator, err = d.child("simulator", 0, args, env); err != nil {
		return err
	}
	for i := range d.o.Instances {
		address, err := freeAddress()
		if err != nil {
			return err
		}
		admin, err := freeAddress()
		if err != nil {
			return err
		}
		c, err := d.child("instance", i+1, []string{"serve"}, []string{
			"TURNOUT_DATA=" + d.data(), "TURNOUT_LISTEN=" + address, "TURNOUT_ADMIN_LISTEN=" + admin,
			fmt.Sprintf("TURNOUT_INSTANCE=demo-%d", i+1), "TURNOUT_LOG_LEVEL=info",
		})
		if err != nil {
			return err
		}
		d.instances = append(d.instances, c)
		d.pages = append(d.pages, &url.URL{Scheme: "http", Host: address})
		d.admins = append(d.admins, &url.URL{Scheme: "http", Host: admin})
	}
	return nil
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

func (d *demo) pids() map[string][]int {
	pids := map[string][]int{"edge": {os.Getpid()}, "simulator": {d.simulator.PID()}}
	for _, c := range d.instances {
		pids["instance"] = append(pids["instance"], c.PID())
	}
	return pids
}
