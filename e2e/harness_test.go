//go:build e2e

// Package e2e proves Turnout's promises on the whole product: real processes
// on loopback, ended for real, and a real browser.
//
// Tests mostly wait for what other processes do, so they run beside each other.
// Those that look at rates, or leave nobody else a processor, run alone before them.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// demo is a running `turnout demo`.
type demo struct {
	t   *testing.T
	dir string
	// home is the demo's own directory: below dir, unless a flag says otherwise.
	home string
	// ready is the ready file as it was when everything served.
	ready struct {
		Public     string           `json:"public"`
		Simulator  string           `json:"simulator"`
		Console    string           `json:"console"`
		Org        string           `json:"org"`
		HookSecret string           `json:"hook_secret"`
		Events     []string         `json:"events"`
		Links      []string         `json:"links"`
		PIDs       map[string][]int `json:"pids"`
	}
	readyFile string
	client    *http.Client
	token     string // of the simulated Salesforce
}

// binary is the program under test, as `make e2e` built it.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TURNOUT_BINARY")
	if path == "" {
		path = "../bin/turnout"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("there is no %s: run make build first", path)
	}
	return path
}

// startDemo runs the demo until the test ends.
func startDemo(t *testing.T, flags ...string) *demo {
	t.Helper()
	return startDemoWith(t, nil, flags...)
}

// startDemoWith runs it with settings in the environment of all its processes.
func startDemoWith(t *testing.T, settings []string, flags ...string) *demo {
	t.Helper()
	d := &demo{t: t, dir: t.TempDir()}
	d.readyFile, d.home = filepath.Join(d.dir, "ready.json"), filepath.Join(d.dir, "demo")
	if i := slices.Index(flags, "--dir"); i >= 0 {
		d.home = flags[i+1]
	}
	args := append([]string{
		"demo", "--pictures=false", "--dir", d.home, "--ready-file", d.readyFile,
		"--public", wiretest.FreeAddress(t), "--admin", wiretest.FreeAddress(t), "--simulator", wiretest.FreeAddress(t),
	}, flags...)
	cmd := exec.Command(binary(t), args...)
	var output lockedBuffer
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), settings...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-exited:
			if err != nil {
				t.Errorf("the demo ended with %v\n%s", err, output.String())
			}
		case <-time.After(40 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Errorf("the demo did not end in time\n%s", output.String())
		}
		if t.Failed() {
			d.showLogs()
		}
	})
	d.client = &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 256},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	d.within(90*time.Second, "the ready file", func() bool {
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("the demo ended: %v\n%s", err, output.String())
		default:
		}
		return d.reload()
	})
	return d
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (d *demo) reload() bool {
	text, err := os.ReadFile(d.readyFile)
	return err == nil && json.Unmarshal(text, &d.ready) == nil
}

// serving reads the processes that serve from the ready file. It touches
// nothing that clients in other goroutines read.
func (d *demo) serving() []int {
	var now struct {
		PIDs map[string][]int `json:"pids"`
	}
	text, err := os.ReadFile(d.readyFile)
	if err != nil || json.Unmarshal(text, &now) != nil {
		return nil
	}
	return now.PIDs["instance"]
}

func (d *demo) showLogs() {
	logs, _ := filepath.Glob(filepath.Join(d.home, "*.log"))
	for _, path := range logs {
		text, _ := os.ReadFile(path)
		if len(text) > 6000 {
			text = text[len(text)-6000:]
		}
		d.t.Logf("%s:\n%s", filepath.Base(path), text)
	}
}

// within polls until ok; the test fails when it takes longer than limit.
func (d *demo) within(limit time.Duration, what string, ok func() bool) {
	d.t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			d.t.Fatalf("%s: not within %v", what, limit)
		case <-tick.C:
		}
	}
}

// pass lets real time go by: what is waited for happens in other processes.
func pass(d time.Duration) { <-time.After(d) }

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (d *demo) do(method, target, contentType, body string, headers ...string) (reply, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, target, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(text)}, err
}

func (d *demo) get(path string) reply {
	d.t.Helper()
	if strings.HasPrefix(path, "/") {
		path = d.ready.Public + path
	}
	r, err := d.do(http.MethodGet, path, "", "")
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// register submits one registration over the JSON API. It may be called from
// any goroutine.
func (d *demo) register(slug, key string, fields map[string]any) (reply, error) {
	body := map[string]any{"first_name": "Test", "last_name": "Person-" + key, "email": key + "@example.com"}
	for k, v := range fields {
		body[k] = v
	}
	text, _ := json.Marshal(body)
	return d.do(http.MethodPost, d.ready.Public+"/api/v1/events/"+slug+"/registrations", "application/json", string(text), "Idempotency-Key", key)
}

// sim calls the simulator's control port.
func (d *demo) sim(method, path, body string, out any) {
	d.t.Helper()
	r, err := d.do(method, d.ready.Simulator+path, "application/json", body)
	if err != nil || r.status >= 300 {
		d.t.Fatalf("%s %s: %d %s %v", method, path, r.status, r.body, err)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(r.body), out); err != nil {
			d.t.Fatalf("%s %s: %v in %s", method, path, err, r.body)
		}
	}
}

type stats struct {
	Calls       map[string]int         `json:"calls"`
	APIUsage    int                    `json:"api_usage"`
	Records     map[string]int         `json:"records"`
	Duplicates  int                    `json:"duplicates"`
	MaxInFlight int                    `json:"max_in_flight_per_parent"`
	Lost        int                    `json:"lost_replies"`
	Locked      int                    `json:"lock_refusals"`
	Batches     map[string][]batchSize `json:"batches"`
}

type batchSize struct{ Size, Count int }

func (d *demo) stats() stats {
	d.t.Helper()
	var s stats
	d.sim(http.MethodGet, "/_sim/stats", "", &s)
	return s
}

// calls is how many calls of any kind Salesforce got.
func (s stats) calls() int {
	n := 0
	for _, c := range s.Calls {
		n += c
	}
	return n
}

// records reads all records of an object.
func (d *demo) records(object, filter string) []map[string]any {
	d.t.Helper()
	var all []map[string]any
	for offset := 0; ; offset += 2000 {
		var page []map[string]any
		d.sim(http.MethodGet, fmt.Sprintf("/_sim/records/%s?limit=2000&offset=%d%s", object, offset, filter), "", &page)
		all = append(all, page...)
		if len(page) < 2000 {
			return all
		}
	}
}

// salesforce calls the simulated Salesforce as an organiser's tool does.
func (d *demo) salesforce(method, path string, body map[string]any) map[string]any {
	d.t.Helper()
	if d.token == "" {
		r, err := d.do(http.MethodPost, d.ready.Simulator+"/services/oauth2/token", "application/x-www-form-urlencoded",
			"grant_type=client_credentials&client_id=demo&client_secret=demo")
		var token struct {
			AccessToken string `json:"access_token"`
		}
		if err != nil || json.Unmarshal([]byte(r.body), &token) != nil {
			d.t.Fatalf("sign in: %v %s", err, r.body)
		}
		d.token = token.AccessToken
	}
	text, _ := json.Marshal(body)
	r, err := d.do(method, d.ready.Simulator+"/services/data/v65.0"+path, "application/json", string(text), "Authorization", "Bearer "+d.token)
	if err != nil || r.status >= 300 {
		d.t.Fatalf("%s %s: %d %s %v", method, path, r.status, r.body, err)
	}
	var out map[string]any
	if r.body != "" {
		if err := json.Unmarshal([]byte(r.body), &out); err != nil {
			d.t.Fatal(err)
		}
	}
	return out
}

// event makes an event with one ticket in Salesforce, publishes it, and waits
// until its page is served. It returns the record's id.
func (d *demo) event(slug string, seats int, fields map[string]any) string {
	d.t.Helper()
	id := d.publish(slug, seats, fields)
	d.within(10*time.Second, "the published event "+slug, func() bool { return d.served("/events/" + slug) })
	return id
}

// publish makes an event with one ticket in Salesforce and publishes it there.
func (d *demo) publish(slug string, seats int, fields map[string]any) string {
	d.t.Helper()
	record := map[string]any{
		"Name": "Test " + slug, "Public_Id__c": slug, "Slug__c": slug, "Status__c": "Draft",
		"Starts_At__c": time.Now().Add(60 * 24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"), "Time_Zone__c": "Europe/Vienna",
	}
	for k, v := range fields {
		record[k] = v
	}
	id := d.salesforce(http.MethodPost, "/sobjects/Turnout_Event__c", record)["id"].(string)
	ticket := map[string]any{"Name": "Standard", "Event__c": id, "Public_Id__c": "std"}
	if seats >= 0 {
		ticket["Seats__c"] = seats
	}
	d.salesforce(http.MethodPost, "/sobjects/Turnout_Ticket__c", ticket)
	d.sim(http.MethodPost, "/_sim/events/"+id+"/publish", "", nil)
	return id
}

// served reports whether every instance serves the page.
func (d *demo) served(path string) bool {
	return d.everywhere(path, func(r reply) bool { return r.status == http.StatusOK })
}

// everywhere reports whether the page is as wanted on every instance.
func (d *demo) everywhere(path string, wanted func(reply) bool) bool {
	d.t.Helper()
	public, err := url.Parse(d.ready.Public)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, origin := range d.instances() {
		if r, err := d.do(http.MethodGet, origin+path, "", "", "Host", public.Host); err != nil || !wanted(r) {
			return false
		}
	}
	return true
}

var upstreamURL = regexp.MustCompile(`url: "([^"]+)"`)

// instances are where the instances serve, as the edge's routes say.
func (d *demo) instances() []string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.home, "routes.yaml"))
	if err != nil {
		d.t.Fatal(err)
	}
	var all []string
	for _, m := range upstreamURL.FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

// arrived reads the registrations of an event by External ID, and fails the
// test when a key is there twice.
func (d *demo) arrived(event string) map[string]map[string]any {
	d.t.Helper()
	byKey := map[string]map[string]any{}
	for _, r := range d.records("Turnout_Registration__c", "&Event__c="+event) {
		key, _ := r["Idempotency_Key__c"].(string)
		if byKey[key] != nil {
			d.t.Errorf("P1: %s is in Salesforce twice", key)
		}
		byKey[key] = r
	}
	return byKey
}
