package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	cachedb "github.com/turnout-events/turnout/internal/cache/sqlite"
	"github.com/turnout-events/turnout/internal/config"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"turnout": func() { os.Exit(Main()) }})
}

// TestScripts runs the command line as operators do, in testdata/*.txtar. Each
// script has a directory of its own; TURNOUT_DATA is data in it. Nothing leaves
// loopback.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred processes, which the race detector makes slow")
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TURNOUT_DATA", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "expand": expand, "get": get, "seed": seed, "absent": absent, "backup": backup, "terminate": terminate,
		},
	})
}

// TestHelp holds every command to saying what it is for, and every flag too.
func TestHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		t.Run(strings.ReplaceAll(cmd.CommandPath(), " ", "_"), func(t *testing.T) {
			top := root()
			var out bytes.Buffer
			top.SetOut(&out)
			top.SetArgs(append(strings.Fields(cmd.CommandPath())[1:], "--help"))
			if err := top.Execute(); err != nil {
				t.Fatal(err)
			}
			if text := out.String(); !strings.Contains(text, "Usage:\n  turnout") || !strings.Contains(text, "--help") {
				t.Errorf("help says %s", text)
			}
			if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
				t.Errorf("its short description is %q", cmd.Short)
			}
			for line := range strings.Lines(cmd.Long) {
				if len([]rune(line)) > 92 {
					t.Errorf("a line is wider than others: %s", line)
				}
			}
			for line := range strings.Lines(cmd.Flags().FlagUsages()) {
				if len(strings.Fields(line)) < 3 {
					t.Errorf("nothing is said about the flag in %q", line)
				}
			}
		})
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(root())
}

// ready FILE NAME waits for a ready file and puts its URL into variable NAME,
// the address alone into NAME_ADDRESS, and the URL of its admin listener into
// NAME_ADMIN.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ready FILE NAME")
	}
	tick, late := time.NewTicker(10*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		var r app.Ready
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && json.Unmarshal(text, &r) == nil {
			ts.Setenv(args[1], r.URL)
			ts.Setenv(args[1]+"_ADDRESS", strings.TrimPrefix(r.URL, "http://"))
			ts.Setenv(args[1]+"_ADMIN", r.Admin)
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%s: not within 20 seconds", args[0])
		}
	}
}

// terminate FILE sends SIGTERM to the process that wrote a ready file.
func terminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: terminate FILE")
	}
	var r app.Ready
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	ts.Check(syscall.Kill(r.PID, syscall.SIGTERM))
}

// expand FILE puts the values of variables into a file.
func expand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: expand FILE")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(os.Expand(ts.ReadFile(args[0]), ts.Getenv)), 0o600))
}

// get URL STATUS asks for a page.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get URL STATUS")
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, args[0], nil)
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	if got := fmt.Sprint(resp.StatusCode); got != args[1] {
		ts.Fatalf("%s answered %s, want %s", args[0], got, args[1])
	}
}

// absent DIR TEXT fails when any file below DIR holds the text, in any case.
func absent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: absent DIR TEXT")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(args[1]))) {
			return fmt.Errorf("%s holds %q", path, args[1])
		}
		return err
	}))
}

// seed ORG publishes an event there, registers Odilia Quentbrook and
// Tancred Vossberg for it (keys ORG-1 and ORG-2), and has Salesforce refuse both
// for good.
func seed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: seed ORG")
	}
	org := turnout.OrgID(args[0])
	cfg, err := config.Load("", []string{"TURNOUT_DATA=" + ts.Getenv("TURNOUT_DATA")})
	ts.Check(err)
	d, err := app.OpenDesk(context.Background(), cfg, logger(ts.Stderr(), "text", "warn"))
	ts.Check(err)
	defer d.Close()
	event := sampleEvent()
	ts.Check(publish(d, cfg, org, event))
	for i, p := range []turnout.Person{
		{Email: "Odilia.Quent@example.com", FirstName: "Odilia", LastName: "Quentbrook"},
		{Email: "tancred@example.com", FirstName: "Tancred", LastName: "Vossberg"},
	} {
		key := turnout.Key(fmt.Sprintf("%s-%d", org, i+1))
		s := turnout.Submission{Key: key, Details: turnout.Details{Person: p}}
		v, err := d.Intake.Register(context.Background(), org, event, s)
		ts.Check(err)
		ts.Check(park(d, &v.Registration, "bad value for "+p.LastName))
	}
}

// backup NAME backs the store up and puts the directory that it made into
// variable NAME.
func backup(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: backup NAME")
	}
	ts.Check(ts.Exec("turnout", "backup", "--to", ts.MkAbs("backups")))
	dir, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
	ts.Setenv(args[0], dir)
}

func sampleEvent() *turnout.Event {
	return &turnout.Event{
		ID: "a01000000000001AAA", Slug: "reading", Version: "1", Title: "A reading", Zone: "UTC",
		Starts: time.Now().UTC().AddDate(0, 1, 0), Seats: 10, Tickets: []turnout.Ticket{{ID: "seat", Name: "Seat", Seats: turnout.Unlimited}},
		Form: turnout.Form{Version: "1", Questions: []turnout.Question{{ID: "diet", Label: "Diet", Kind: turnout.KindText, MaxLength: 10}}},
	}
}

// publish does what the mirror does with an event.
func publish(d *app.Desk, cfg config.Config, org turnout.OrgID, e *turnout.Event) error {
	ctx := context.Background()
	cache, err := cachedb.Open(ctx, cachedb.Options{Path: app.CachePath(cfg)})
	if err != nil {
		return err
	}
	defer cache.Close()
	ring, err := d.Keyring.Ring(ctx, string(org))
	if err != nil {
		return err
	}
	plain, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := cache.PutEvent(ctx, org, e.ID, e.Slug, ring.Seal(plain, "event", string(e.ID)), time.Now()); err != nil {
		return err
	}
	return d.Store.SetLedger(ctx, turnout.LedgerOf(org, e), time.Now())
}

// park does what delivery does when Salesforce refuses a registration.
func park(d *app.Desk, r *turnout.Registration, words string) error {
	ctx, now := context.Background(), time.Now()
	lanes, err := d.Store.Lanes(ctx, now.Add(time.Second), 1)
	if err != nil || len(lanes) == 0 {
		return fmt.Errorf("%d lanes: %w", len(lanes), err)
	}
	for _, l := range lanes {
		if l.Org != r.Org {
			continue
		}
		lease, _, err := d.Store.Claim(ctx, l.Lane, "seed", now, time.Minute)
		if err != nil {
			return err
		}
		note, err := d.Intake.SealNote(ctx, r, words)
		if err != nil {
			return err
		}
		return d.Store.Settle(ctx, lease, []turnout.Outcome{{
			Key: r.Key, Revision: r.Revision, Result: turnout.ResultParked,
			Parked: &turnout.Parked{Code: "STRING_TOO_LONG", Sealed: note, At: now},
		}}, time.Time{})
	}
	return fmt.Errorf("no lane of %s", r.Org)
}
