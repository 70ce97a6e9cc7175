//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// somebody has words that stand nowhere else.
func somebody() map[string]any {
	return map[string]any{
		"first_name": "Quillfeather", "last_name": "Marrowbone-Zanzibar", "email": "quillfeather.marrowbone@zanzibar.example.org",
		"title": "Keeper of Umbrellas", "company": "Thistlewick & Oddsocks",
	}
}

func words(of map[string]any) []string {
	var all []string
	for _, v := range of {
		all = append(all, v.(string))
	}
	return all
}

// command runs a command of the program on a data directory.
func command(t *testing.T, data string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Env = append(os.Environ(), "TURNOUT_DATA="+data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("turnout %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// found names the files below dir, the simulated Salesforce's apart, that hold
// one of the words, whole or in any case.
func found(t *testing.T, dir string, needles []string) []string {
	t.Helper()
	var hits []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "/simulator") {
			return nil // files come and go while the product runs
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		text = bytes.ToLower(text)
		for _, n := range needles {
			if bytes.Contains(text, bytes.ToLower([]byte(n))) {
				hits = append(hits, filepath.Base(path)+": "+n)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// P8: database, write-ahead log, logs and backup hold nothing readable of a
// person; after forget, neither does a restored backup with today's keys.
func TestP8NothingReadableAtRest(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	data := filepath.Join(base, "demo", "data")
	backups := filepath.Join(base, "backups")
	var page string
	t.Run("serving", func(t *testing.T) {
		d := startDemo(t, "--dir", filepath.Join(base, "demo"))
		id := d.event("private", 10, nil)
		// Salesforce refuses them, with its own words about the value.
		d.sim(http.MethodPut, "/_sim/faults", `{"reject": {"Last_Name__c": "Marrowbone-Zanzibar"}}`, nil)
		r, err := d.register("private", "privacy-1", somebody())
		if err != nil || r.status != http.StatusCreated {
			t.Fatalf("%d %s %v", r.status, r.body, err)
		}
		var made struct{ Page, Token string }
		if err := json.Unmarshal([]byte(r.body), &made); err != nil {
			t.Fatal(err)
		}
		page = made.Page
		for _, w := range words(somebody()) {
			if strings.Contains(page, w) || strings.Contains(r.header.Get("Location"), w) {
				t.Errorf("P8: %q in a URL", w)
			}
		}
		if r, err := d.register("private", "privacy-2", somebody()); err != nil || r.status != http.StatusCreated {
			t.Fatalf("%d %s %v", r.status, r.body, err)
		}
		d.within(30*time.Second, "two parked registrations", func() bool {
			list := command(t, data, "parked", "list", "--org", d.ready.Org)
			return strings.Contains(list, "privacy-1") && strings.Contains(list, "privacy-2")
		})
		if hits := found(t, base, words(somebody())); len(hits) > 0 {
			t.Errorf("P8: readable while parked: %v", hits)
		}
		d.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
		command(t, data, "parked", "retry", "--org", d.ready.Org, "--all")
		d.within(30*time.Second, "both in Salesforce", func() bool { return len(d.arrived(id)) == 2 })

		command(t, data, "backup", "--to", backups)
		if hits := found(t, base, words(somebody())); len(hits) > 0 {
			t.Errorf("P8: readable at rest: %v", hits)
		}
		metrics := d.get(strings.TrimSuffix(d.ready.Console, "/console/") + "/metrics").body
		for _, w := range words(somebody()) {
			if strings.Contains(metrics, w) {
				t.Errorf("P8: %q in the metrics", w)
			}
		}
		if got := d.get(page); got.status != http.StatusOK || !strings.Contains(got.body, "Quillfeather") {
			t.Fatalf("the owner's page: %d", got.status)
		}
		receipt := command(t, data, "forget", "--org", d.ready.Org, "--email", "Quillfeather.Marrowbone@zanzibar.example.org")
		if !strings.Contains(receipt, `"registrations": 2`) || !strings.Contains(receipt, `"keys": 1`) {
			t.Errorf("receipt %s", receipt)
		}
		d.within(5*time.Second, "the page is gone on every instance", func() bool {
			for range 4 {
				if got := d.get(page); got.status == http.StatusOK || strings.Contains(got.body, "Quillfeather") {
					return false
				}
			}
			return true
		})
	})
	made, err := filepath.Glob(filepath.Join(backups, "turnout-*"))
	if err != nil || len(made) != 1 {
		t.Fatalf("backups %v %v", made, err)
	}
	out := command(t, data, "restore", "--from", made[0])
	if !strings.Contains(out, "2 erased") {
		t.Errorf("restore said %s", out)
	}
	t.Run("restored", func(t *testing.T) {
		d := startDemo(t, "--dir", filepath.Join(base, "demo"))
		at, err := url.Parse(page)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.get(at.Path); got.status == http.StatusOK || strings.Contains(got.body, "Quillfeather") {
			t.Errorf("P8: a restored backup shows a forgotten person: %d", got.status)
		}
		if hits := found(t, filepath.Join(base, "demo"), words(somebody())); len(hits) > 0 {
			t.Errorf("P8: readable after restore: %v", hits)
		}
	})
}

// P8: the secret that signs hooks is where only its owner reads: neither in the
// arguments of a process, which every user of the machine sees, nor in a file
// that others may open.
func TestP8HookSecretIsForItsOwner(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", d.ready.PIDs["simulator"][0]))
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{d.ready.HookSecret}
	for _, found := range regexp.MustCompile(`DEMO_HOOK_SECRET_\w+=([^\x00]+)`).FindAllStringSubmatch(string(environment), -1) {
		secrets = append(secrets, found[1])
	}
	if d.ready.HookSecret == "" || len(secrets) != 3 || !slices.Contains(secrets[1:], d.ready.HookSecret) {
		t.Fatalf("%d secrets of two orgs, and one of them again in the ready file", len(secrets))
	}
	for role, pids := range d.ready.PIDs {
		for _, pid := range pids {
			arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if err != nil || len(arguments) == 0 {
				t.Fatalf("arguments of %s: %v", role, err)
			}
			for _, secret := range secrets {
				if strings.Contains(string(arguments), secret) {
					t.Errorf("P8: a hook secret is in the arguments of %s", role)
				}
			}
		}
	}
	info, err := os.Stat(d.readyFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("P8: the ready file has mode %v, %v", info.Mode(), err)
	}
}

// P8: a person who is forgotten in Salesforce is forgotten here, and the next
// sync does not bring their link back.
func TestP8ForgottenLinksStayForgotten(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	link := d.ready.Links[0]
	body := d.get(link).body
	email := regexp.MustCompile(`[a-z0-9.]+@example\.com`).FindString(body)
	if email == "" {
		t.Fatal("the link's page names nobody")
	}
	command(t, filepath.Join(d.dir, "demo", "data"), "forget", "--org", d.ready.Org, "--email", email)
	gone := func() bool {
		for range 4 {
			if d.get(link).status == http.StatusOK {
				return false
			}
		}
		return true
	}
	d.within(5*time.Second, "the link is gone", gone)
	// An organiser touches the record: the sync sees it again.
	token := link[strings.LastIndex(link, "/")+1:]
	records := d.records("Turnout_Link__c", "&Token__c="+token)
	if len(records) != 1 {
		t.Fatalf("%d records of the link", len(records))
	}
	id := records[0]["Id"].(string)
	d.salesforce(http.MethodPatch, "/sobjects/Turnout_Link__c/"+id, map[string]any{"Title__c": "Changed"})
	before := d.stats().calls()
	if r := d.hook("attendee.changed", id); r.status != http.StatusAccepted {
		t.Fatalf("the hook got %d %s", r.status, r.body)
	}
	// It reads links and registrations; after the second call the link is applied.
	d.within(10*time.Second, "the record was read again", func() bool { return d.stats().calls() >= before+2 })
	for range 3 {
		pass(400 * time.Millisecond)
		if !gone() {
			t.Fatal("P8: the link came back")
		}
	}
}

// P12: opening every page of a journey, with whatever a form would send in the
// address, changes nothing, in the store or in Salesforce.
func TestP12GetChangesNothing(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("quiet", 10, nil)
	link := d.link(id, "quiet-link-0123456789")
	r, err := d.register("quiet", "quiet-1", nil)
	if err != nil || r.status != http.StatusCreated {
		t.Fatalf("%d %v", r.status, err)
	}
	var made struct{ Page, URL string }
	_ = json.Unmarshal([]byte(r.body), &made)
	d.within(20*time.Second, "delivery", func() bool { return d.arrived(id)["quiet-1"] != nil })
	d.unanswered(link)
	before, first := d.get("/api/v1/events/quiet").body, d.arrived(id)["quiet-1"]
	key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(d.get(link).body)
	if key == nil {
		t.Fatal("the link's form has no key")
	}
	typed := "key=" + key[1] + "&first_name=A&last_name=B&email=a%40example.com&ticket=std"
	for range 3 {
		for _, path := range []string{
			"/", "/events/quiet", "/events/quiet.ics", "/events/quiet/register", "/events/quiet/register?" + typed,
			made.Page, made.Page + "/edit", made.Page + "/edit?" + typed, made.Page + "/cancel", made.Page + "/cancel?confirm=yes&" + typed,
			"/api/v1/events", "/api/openapi.json", link, link + "?" + typed, link + "?action=decline&" + typed, link + "?again&action=decline&" + typed,
		} {
			if got := d.get(path); got.status >= 500 {
				t.Errorf("%s: %d", path, got.status)
			}
		}
	}
	if after := d.get("/api/v1/events/quiet").body; after != before {
		t.Errorf("P12: the event changed:\n%s\n%s", before, after)
	}
	d.unanswered(link)
	// Whatever those requests had changed is before this one in the event's lane.
	if r, err := d.register("quiet", "quiet-2", nil); err != nil || r.status != http.StatusCreated {
		t.Fatalf("%d %v", r.status, err)
	}
	d.within(20*time.Second, "delivery of what came after", func() bool { return d.arrived(id)["quiet-2"] != nil })
	now := d.arrived(id)
	if len(now) != 2 {
		t.Errorf("P12: %d registrations in Salesforce by opening pages", len(now)-2)
	}
	if !reflect.DeepEqual(now["quiet-1"], first) {
		t.Errorf("P12: the registration changed:\n%v\n%v", first, now["quiet-1"])
	}
}

// link makes a personal link in Salesforce and waits until its page is served.
func (d *demo) link(event, token string) string {
	d.t.Helper()
	id := d.salesforce(http.MethodPost, "/sobjects/Turnout_Link__c", map[string]any{
		"Token__c": token, "Event__c": event, "First_Name__c": "Ada", "Last_Name__c": "Example", "Email__c": "ada@example.com",
	})["id"].(string)
	if r := d.hook("attendee.changed", id); r.status != http.StatusAccepted {
		d.t.Fatalf("the hook got %d %s", r.status, r.body)
	}
	d.within(10*time.Second, "the link's page", func() bool { return d.served("/l/" + token) })
	return "/l/" + token
}

// unanswered fails the test unless a link still shows its form on every instance.
func (d *demo) unanswered(link string) {
	d.t.Helper()
	form := func(r reply) bool {
		return strings.Contains(r.body, `id="first_name"`) && strings.Contains(r.body, `value="decline"`)
	}
	if !d.everywhere(link, form) {
		d.t.Fatalf("P12: the link does not show its form:\n%s", d.get(link).body)
	}
}
