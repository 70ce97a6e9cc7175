package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// announce waits until everything serves, writes the ready file, tells the
// person at the terminal, and writes the file again when a process was started
// again. It is stopped before all else, and takes the file away at once.
func (d *demo) announce(ctx context.Context, starts <-chan struct{}) (err error) {
	defer func() { err = errors.Join(err, removeReady(d.o.ReadyFile)) }()
	for range 2 + d.o.Instances { // the simulator and the edge
		select {
		case <-starts:
		case <-ctx.Done():
			return nil
		}
	}
	ready, err := d.gather(ctx)
	switch {
	case ctx.Err() != nil:
		return nil // being stopped while it starts is no fault
	case err != nil:
		return err
	}
	if err := writeReady(d.o.ReadyFile, ready, secretMode); err != nil {
		return err
	}
	d.tell(ready)
	for {
		select {
		case <-starts:
			ready.PIDs = d.pids()
			if err := writeReady(d.o.ReadyFile, ready, secretMode); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// gather waits for events and links to be mirrored, and collects what the
// ready file says.
func (d *demo) gather(ctx context.Context) (*DemoReady, error) {
	_, port, _ := net.SplitHostPort(d.o.Public)
	r := &DemoReady{
		Public: "http://" + d.o.Public, Simulator: "http://" + d.o.Simulator, Console: "http://" + d.o.Admin + "/console/",
		Org: demoOrg, HookSecret: d.secrets[demoOrg], PIDs: d.pids(),
		Others: []string{d.url(demoSecond)}, Metrics: d.metricsURLs(), Allowance: d.o.Allowance,
	}
	if strings.HasPrefix(d.o.Public, "0.0.0.0:") || strings.HasPrefix(d.o.Public, ":") {
		r.Public = "http://localhost:" + port
	}
	deadline, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	s := &sampler{public: r.Public, simulator: r.Simulator}
	found, err := s.find(deadline)
	if err != nil {
		return nil, err
	}
	r.Events = found.slugs
	for _, token := range found.tokens {
		r.Links = append(r.Links, r.Public+"/l/"+token)
	}
	return r, d.await(deadline, r)
}

// await polls pages until every instance serves every event and the first and
// the last link, and the edge does.
func (d *demo) await(ctx context.Context, r *DemoReady) error {
	pages := []string{r.Links[0], r.Links[len(r.Links)-1]}
	for _, slug := range r.Events {
		pages = append(pages, r.Public+"/events/"+slug)
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !d.serves(ctx, pages) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("events and links were not served in time; see the logs in %s", d.o.Dir)
		case <-tick.C:
		}
	}
	return nil
}

// serves reports whether every page is there, on the edge and on each instance.
func (d *demo) serves(ctx context.Context, pages []string) bool {
	public := url.URL{Scheme: "http", Host: d.o.Public}
	for _, page := range pages {
		for _, at := range append([]*url.URL{&public}, d.pages...) {
			if !served(ctx, page, at) {
				return false
			}
		}
	}
	return true
}

// served reports whether a page is there at an origin.
func served(ctx context.Context, page string, origin *url.URL) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return false
	}
	req.Host, req.URL.Host = req.URL.Host, origin.Host
	status, err := perform(req, nil)
	return err == nil && status == http.StatusOK
}

func (d *demo) tell(r *DemoReady) {
	fmt.Fprintf(d.o.Out, `
Turnout is running.

  Events of Tidewater Observatory  %s
  Events of The Mending Society    %s
  A personal link                  %s
  Salesforce, simulated            %s
  Operator's console               %s
  The edge before the instances    http://%s/edge/status

Commands work on it while it runs:

  TURNOUT_DATA=%s bin/turnout parked list --org %s
  TURNOUT_DATA=%s TURNOUT_EDGE_ROUTES=%s bin/turnout migrate status

%s Press Ctrl-C to end it.
`, r.Public, d.url(demoSecond), r.Links[0], r.Simulator, r.Console, d.o.Admin, d.data(), demoOrg, d.data(), d.routes(), d.o.kept())
}
