//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout/internal/store/pgtest"
	"github.com/turnout-events/turnout/internal/wiretest"
)

// fleet is three instances over one PostgreSQL, as processes of their own, and a
// simulated Salesforce. There is no edge: clients ask the instances in turn.
type fleet struct {
	*demo
	server    *pgtest.Cluster
	instances []*process
	turn      atomic.Int64
}

// process is one of `turnout`.
type process struct {
	name, url string
	cmd       *exec.Cmd
	exited    chan struct{}
	output    lockedBuffer
}

const hookSecret = "fleet-hook-secret-0123456789"

// startFleet runs it until the test ends.
func startFleet(t *testing.T) *fleet {
	t.Helper()
	server, err := pgtest.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	dir := t.TempDir()
	f := &fleet{server: server, demo: &demo{t: t, dir: dir, home: dir, client: &http.Client{
		Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}}
	var addresses []string
	for range 3 {
		addresses = append(addresses, wiretest.FreeAddress(t))
	}
	simulator := wiretest.FreeAddress(t)
	f.ready.Public, f.ready.Simulator, f.ready.Org = "http://"+addresses[0], "http://"+simulator, "tidewater"
	f.start("simulator", nil, "simulator", "--listen", simulator, "--sample", "--hook-url", f.ready.Public+"/hooks/salesforce", "--hook-secret", hookSecret)
	f.setUp()
	routes := ""
	for i, address := range addresses {
		routes += fmt.Sprintf("url: %q\n", "http://"+address)
		f.instances = append(f.instances, f.start(fmt.Sprintf("instance-%d", i+1), []string{"TURNOUT_LISTEN=" + address}, "serve"))
		f.instances[i].url = "http://" + address
	}
	if err := os.WriteFile(filepath.Join(dir, "routes.yaml"), []byte(routes), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

// setUp tells the store of an org.
func (f *fleet) setUp() {
	f.t.Helper()
	text := fmt.Sprintf("orgs:\n- id: tidewater\n  name: Tidewater\n  hosts: [127.0.0.1]\n  origin: %q\n  mapping: turnout\n  hook_secrets: [%s]\n"+
		"  salesforce: {login_url: %q, client_id: demo, client_secret: demo}\n", f.ready.Public, hookSecret, f.ready.Simulator)
	file := filepath.Join(f.dir, "orgs.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(binary(f.t), "org", "apply", "-f", file)
	cmd.Env = f.environment("apply")
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("%v\n%s", err, out)
	}
}

func (f *fleet) environment(name string) []string {
	return append(os.Environ(), "TURNOUT_STORE="+f.server.URL(), "TURNOUT_DATA="+filepath.Join(f.dir, "data"),
		"TURNOUT_INSTANCE="+name, "TURNOUT_ADMIN_LISTEN=127.0.0.1:0", "TURNOUT_LOG_LEVEL=warn")
}

// start starts a process and waits until it serves.
func (f *fleet) start(name string, env []string, args ...string) *process {
	f.t.Helper()
	ready := filepath.Join(f.dir, name+".ready.json")
	_ = os.Remove(ready)
	p := &process{name: name, exited: make(chan struct{})}
	p.cmd = exec.Command(binary(f.t), append(args, "--ready-file", ready)...)
	p.cmd.Env = append(f.environment(name), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	f.t.Cleanup(func() { f.end(p) })
	f.within(60*time.Second, name, func() bool {
		select {
		case <-p.exited:
			f.t.Fatalf("%s ended:\n%s", name, p.output.String())
		default:
		}
		_, err := os.Stat(ready)
		return err == nil
	})
	return p
}

// end stops a process if it runs, and shows what it said where the test failed.
func (f *fleet) end(p *process) {
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		f.t.Errorf("%s did not end in time", p.name)
	}
	if text := p.output.String(); f.t.Failed() && text != "" {
		f.t.Logf("%s:\n%s", p.name, text[max(0, len(text)-6000):])
	}
}

// kill ends an instance by kill -9.
func (f *fleet) kill(p *process) {
	f.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		f.t.Fatal(err)
	}
	<-p.exited
}

// next is the instance whose turn it is.
func (f *fleet) next() *process { return f.instances[int(f.turn.Add(1))%len(f.instances)] }

// registerAt submits one registration to an instance.
func (f *fleet) registerAt(p *process, slug, key string) (reply, error) {
	text, _ := json.Marshal(map[string]any{"first_name": "Test", "last_name": "Person-" + key, "email": key + "@example.com"})
	return f.do(http.MethodPost, p.url+"/api/v1/events/"+slug+"/registrations", "application/json", string(text), "Idempotency-Key", key)
}

// query reads one value from the database.
func (f *fleet) query(dest any, text string, args ...any) {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), f.server.URL())
	if err == nil {
		defer conn.Close(context.Background())
		err = conn.QueryRow(f.t.Context(), text, args...).Scan(dest)
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// form asks an instance for an event's form and fills it in.
func (f *fleet) form(p *process, slug string, fields url.Values) url.Values {
	f.t.Helper()
	r, err := f.do(http.MethodGet, p.url+"/events/"+slug+"/register", "", "")
	key, form := keyField.FindStringSubmatch(r.body), formField.FindStringSubmatch(r.body)
	if err != nil || r.status != http.StatusOK || key == nil || form == nil {
		f.t.Fatalf("the form: %d %v %s", r.status, err, r.body)
	}
	fields.Set("key", key[1])
	fields.Set("form", form[1])
	return fields
}

// send submits a form.
func (f *fleet) send(p *process, slug string, fields url.Values) reply {
	f.t.Helper()
	r, err := f.do(http.MethodPost, p.url+"/events/"+slug+"/register", "application/x-www-form-urlencoded", fields.Encode())
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}
