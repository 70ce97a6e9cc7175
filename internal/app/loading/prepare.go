package loading

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/load/browse"
	"github.com/turnout-events/turnout/internal/load/scenario"
	"github.com/turnout-events/turnout/internal/load/simulated"
	"github.com/turnout-events/turnout/internal/load/watch"
)

// prepare reads the operator's words and looks whether everything is there.
func prepare(ctx context.Context, o Options) (*party, error) {
	p := &party{o: o, guard: browse.Guard{Owned: o.Owned}, stamp: strconv.FormatInt(time.Now().UnixMilli(), 36)}
	for p.o.Seed == 0 {
		p.o.Seed = uint64(rand.Uint32())
	}
	var err error
	if p.scenario, err = p.read(); err != nil {
		return nil, err
	}
	processes, err := p.demo()
	if err != nil {
		return nil, err
	}
	if p.o.Target == "" {
		return nil, badly("say what is to be loaded: --target http://127.0.0.1:8080, or --demo with a demo's ready file")
	}
	if p.target, err = p.site(ctx, "--target", p.o.Target); err != nil {
		return nil, err
	}
	if err := p.ownedFor(); err != nil {
		return nil, err
	}
	if err := reached(ctx, "--target", p.target); err != nil {
		return nil, err
	}
	if err := p.attacked(ctx); err != nil {
		return nil, err
	}
	if err := p.backstage(ctx, processes); err != nil {
		return nil, err
	}
	if p.o.Links != "" {
		p.links, err = readLinks(p.o.Links, p.target.URL)
	}
	return p, err
}

// read finds the scenario and puts it on the operator's scale.
func (p *party) read() (*scenario.Scenario, error) {
	if p.o.Scenario == "smoke" {
		return nil, nil
	}
	text, ok := scenario.BuiltIn(p.o.Scenario)
	if !ok {
		var err error
		if text, err = os.ReadFile(p.o.Scenario); err != nil {
			if !strings.ContainsAny(p.o.Scenario, "./\\") {
				return nil, badly("there is no scenario %q: use smoke, %s, or the path of a file", p.o.Scenario, strings.Join(scenario.Names(), ", "))
			}
			return nil, badly("read the scenario: %w", err)
		}
	}
	s, err := config.Scenario(text)
	if err != nil {
		return nil, badly("%s:\n%w", p.o.Scenario, err)
	}
	return s, nil
}

// demo reads a demo's ready file, whose words are taken where the operator has none.
func (p *party) demo() ([]watch.Process, error) {
	if p.o.Demo == "" {
		return nil, nil
	}
	text, err := os.ReadFile(p.o.Demo)
	if err != nil {
		return nil, badly("--demo: %w", err)
	}
	var ready app.DemoReady
	if err := json.Unmarshal(text, &ready); err != nil || ready.Public == "" {
		return nil, badly("--demo %s: it is no ready file of turnout demo", p.o.Demo)
	}
	take := func(flag *string, value string) {
		if *flag == "" {
			*flag = value
		}
	}
	if slices.ContainsFunc(ready.Others, func(other string) bool { return sameHost(other, p.o.Target) }) {
		return nil, badly("--target %s: the demo simulates Salesforce for another org, and its ready file says nothing of this one; leave out --target or --demo", p.o.Target)
	}
	take(&p.o.Target, ready.Public)
	take(&p.o.Simulator, ready.Simulator)
	if len(ready.Others) > 0 {
		take(&p.o.Attack, ready.Others[0])
	}
	if p.o.Allowance == 0 {
		p.o.Allowance = float64(ready.Allowance)
	}
	var processes []watch.Process
	for _, role := range []string{"instance", "edge"} {
		for i, url := range ready.Metrics[role] {
			process := watch.Process{Name: role, Metrics: url}
			if len(ready.Metrics[role]) > 1 {
				process.Name = fmt.Sprintf("%s %d", role, i+1)
			}
			if i < len(ready.PIDs[role]) {
				process.PID = ready.PIDs[role][i]
			}
			processes = append(processes, process)
		}
	}
	return processes, nil
}

func sameHost(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && strings.EqualFold(x.Host, y.Host)
}

// ownedFor refuses a host that was named a second time and is no target: whoever
// mistypes one of the two has not named a host twice.
func (p *party) ownedFor() error {
	for _, host := range p.o.Owned {
		used := false
		for _, raw := range append([]string{p.o.Target, p.o.Attack, p.o.Simulator}, p.o.Metrics...) {
			used = used || strings.Contains(strings.ToLower(raw), strings.ToLower(host))
		}
		if !used || host == "" {
			return badly("--i-own-this-host %s: no URL has this host", host)
		}
	}
	return nil
}

// usualAllowance is what an attacked org is taken to be allowed where nobody says, in
// requests a second.
const usualAllowance = 20

// attacked finds the org that is attacked, where the scenario attacks one, and puts
// the scenario on the operator's scale.
func (p *party) attacked(ctx context.Context) (err error) {
	if p.scenario == nil {
		return nil
	}
	allowance := p.o.Allowance
	if allowance == 0 {
		allowance = usualAllowance
	}
	p.allowance = allowance
	p.scenario = p.scenario.Scaled(scenario.Scale{Rate: p.o.Rate, Sessions: p.o.Sessions, Duration: p.o.Duration, Allowance: allowance})
	if !p.scenario.Attacks() {
		return nil
	}
	if p.o.Attack == "" {
		return badly("%s attacks another org of the same platform: say which one with --attack URL", p.scenario.Name)
	}
	if p.attack, err = p.site(ctx, "--attack", p.o.Attack); err != nil {
		return err
	}
	if p.attack.URL.Host == p.target.URL.Host {
		return badly("--attack and --target are the same host: the visitors must be another org's")
	}
	return reached(ctx, "--attack", p.attack)
}

// backstage finds the simulator and those who show metrics.
func (p *party) backstage(ctx context.Context, processes []watch.Process) error {
	if p.o.Simulator != "" {
		site, err := p.site(ctx, "--simulator", p.o.Simulator)
		if err != nil {
			return err
		}
		p.simulator = &simulated.Client{URL: site.URL, Via: site.Via}
		if _, err := p.simulator.Stats(ctx); err != nil {
			return badly("--simulator %s: %w", p.o.Simulator, err)
		}
	}
	for i, raw := range p.o.Metrics {
		name, url, ok := strings.Cut(raw, "=http")
		if url = "http" + url; !ok {
			name, url = fmt.Sprintf("process %d", i+1), raw
		}
		u, err := p.guard.Check(ctx, url)
		if err != nil {
			return badly("--metrics: %w", err)
		}
		if u.Path == "" || u.Path == "/" {
			url = strings.TrimSuffix(url, "/") + "/metrics"
		}
		processes = append(processes, watch.Process{Name: name, Metrics: url})
	}
	if len(processes) == 0 {
		return nil
	}
	p.watch = &watch.Watcher{Processes: processes, Via: p.collector()}
	if p.scenario != nil { // a table of usage is read by people
		p.watch.Every = max(1, int(p.scenario.Duration/(600*time.Second)))
	}
	p.watch.Look(ctx, 0)
	if !p.watch.Known() {
		return badly("--metrics: none of them shows metrics of Turnout")
	}
	return nil
}
