package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// entry is an org file with one good org; more is added to it.
func entry(more string) string {
	return "orgs:\n- id: acme\n  name: Acme\n  hook_secrets: [0123456789abcdef]\n" +
		"  salesforce: {login_url: https://acme.my.salesforce.com, client_id: c, client_secret: " + marker + "}\n" + more
}

// read reads an org file; no error repeats a secret.
func read(t *testing.T, text string) ([]turnout.Org, error) {
	t.Helper()
	orgs, err := Orgs([]byte(text))
	if err != nil {
		if strings.Contains(err.Error(), marker) {
			t.Errorf("the error repeats a secret: %v", err)
		}
		if orgs != nil {
			t.Error("a faulty file gives orgs")
		}
	}
	return orgs, err
}

func TestOrgs(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(keyFile, []byte("\n-----BEGIN-----\nx\n-----END-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ACME_HOOK", "hook-secret-from-env")
	got, err := read(t, `
orgs:
- id: acme
  name: Acme
  hosts: [Events.Acme.example., tickets.acme.example]
  origin: https://events.acme.example/
  embed_on: [https://WWW.acme.example/, "https://shop.acme.example:8443"]
  zone: Europe/Vienna
  language: de
  mapping: turnout
  api_share: 0.5
  retention: 240h
  hook_secrets: [hook-secret-by-value]
  hook_secret_env: ACME_HOOK
  salesforce:
    login_url: https://acme.my.salesforce.com/
    api_version: v65.0
    flow: jwt
    client_id: consumer
    username: integration@acme.example
    audience: https://login.salesforce.com
    private_key_file: `+keyFile+`
- id: second
  name: Second
  hook_secrets: [0123456789abcdef]
  salesforce: {login_url: "http://127.0.0.1:8180", client_id: demo, client_secret: demo}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []turnout.Org{{
		ID: "acme", Name: "Acme", Hosts: []string{"events.acme.example", "tickets.acme.example"}, Origin: "https://events.acme.example",
		EmbedOn: []string{"https://www.acme.example", "https://shop.acme.example:8443"},
		Zone:    "Europe/Vienna", Language: "de", Mapping: "turnout", APIShare: 0.5, Retention: 240 * time.Hour,
		Salesforce: turnout.Connection{
			LoginURL: "https://acme.my.salesforce.com", APIVersion: "v65.0", Flow: "jwt", ClientID: "consumer",
			Username: "integration@acme.example", Audience: "https://login.salesforce.com",
		},
		Secrets: turnout.Secrets{PrivateKey: "-----BEGIN-----\nx\n-----END-----", HookSecrets: []string{"hook-secret-by-value", "hook-secret-from-env"}},
	}, {
		ID: "second", Name: "Second", Mapping: "campaign",
		Salesforce: turnout.Connection{LoginURL: "http://127.0.0.1:8180", Flow: "client_credentials", ClientID: "demo"},
		Secrets:    turnout.Secrets{ClientSecret: "demo", HookSecrets: []string{"0123456789abcdef"}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v\nwant %+v", got, want)
	}
}

func TestAllFaultsOfAllOrgs(t *testing.T) {
	_, err := read(t, `
orgs:
- id: ACME
  zone: Middle/Earth
  api_share: 1.5
  retention: `+marker+`
  salesforce: {flow: jwt}
- id: second
  name: Second
  colour: red
  hosts: ["https://second.example", "second.example:443", ""]
  origin: second.example
  retention: -1h
  api_share: .nan
  hook_secrets: [`+marker+`, b, c]
  salesforce:
    login_url: http://second.example
    client_id: x
    client_secrets: `+marker+`
- id: third
  name: Third
  salesforce: {login_url: "https://third.example/services", client_id: x, flow: password, client_secret: `+marker+`}
`)
	says(t, err,
		"[6:14] orgs[0].retention: use a time", `[10:3] unknown key "orgs[1].colour": use one of `, `[19:5] unknown key "orgs[1].salesforce.client_secrets": did you mean client_secret?`,
		"orgs[0]: id: use 1 to 40", "orgs[0]: name: say", "orgs[0]: zone: use an IANA", "orgs[0]: api_share: use a part of 1",
		"orgs[0]: salesforce.login_url: give", "orgs[0]: salesforce.client_id: give", "orgs[0]: salesforce: the jwt flow needs", "orgs[0]: hook_secrets: give one",
		"second: hosts: give names", "second: origin: give scheme and host", "second: retention: use a time", "second: api_share: use a part of 1",
		"second: salesforce.login_url: use https", "second: hook_secrets: give one, or two", "second: hook_secrets: use at least 16",
		"third: salesforce.login_url: give", "third: salesforce.flow: use client_credentials or jwt")
	if n := strings.Count(err.Error(), "second: hosts"); n != 3 {
		t.Errorf("%d faulty hosts were reported, want 3", n)
	}
}

// What an org embeds its pages on goes into a header: one site's origin, and
// nothing that would say more there.
func TestEmbedOn(t *testing.T) {
	for site, good := range map[string]bool{
		"https://www.acme.example": true, "https://www.acme.example:8443": true, "http://localhost:3000": true, "http://127.0.0.1:41080": true, "http://www.localhost": true,
		"http://www.acme.example": false, "www.acme.example": false, "*": false, "https://*.acme.example": false, "https://": false, "https:": false, "": false,
		"https://www.acme.example/events": false, "https://www.acme.example?x": false, "https://a@www.acme.example": false, "https://www.acme.example:": false,
		"https://www.acme.example; script-src *": false, "https://www.acme.example;x": false, "https://www.acme.example,x": false, "https://'none'": false, "'self'": false,
		"https://www.acme.example https://evil.example": false, "data:": false, "null": false, "https://[::1]": false, "https://www.acme.example\n": false,
		"http://localhost.evil.example": false, "http://evil-localhost": false,
	} {
		got, err := read(t, entry(fmt.Sprintf("  embed_on: [%q]\n", site)))
		if good && (err != nil || !reflect.DeepEqual(got[0].EmbedOn, []string{site})) {
			t.Errorf("%q: %v", site, err)
		}
		if !good {
			says(t, err, "acme: embed_on: give origins")
		}
	}
}

func TestNoOrgs(t *testing.T) {
	for _, text := range []string{"", "orgs:", "orgs: []", "# soon"} {
		_, err := read(t, text)
		says(t, err, "begin with \"orgs:\"")
	}
	_, err := read(t, "orgs: [")
	if err == nil || strings.Contains(err.Error(), "begin with") {
		t.Errorf("a file that is no YAML: %v", err)
	}
}

func TestHostsBelongToOneOrg(t *testing.T) {
	other := func(id, host string) string {
		return fmt.Sprintf("- {id: %s, name: O, hosts: [%s], hook_secrets: [0123456789abcdef], salesforce: {login_url: https://o.example, client_id: c, client_secret: s}}\n", id, host)
	}
	for _, c := range []struct{ text, want string }{
		{entry("  hosts: [a.example]\n") + other("other", "b.example"), ""},
		{entry("  hosts: [a.example]\n") + other("other", "A.example."), "other: host a.example belongs to acme already"},
		{entry("  hosts: [acme.localhost]\n"), ""},
		{entry("") + other("other", "acme.localhost"), "other: host acme.localhost belongs to acme already"},
		{entry("") + other("acme", "b.example"), "acme: host acme.localhost belongs to acme already"},
		{entry("  hosts: [a.example, a.example]\n"), "acme: host a.example belongs to acme already"},
	} {
		_, err := read(t, c.text)
		if c.want == "" && err != nil {
			t.Errorf("%v", err)
		}
		if c.want != "" {
			says(t, err, c.want)
		}
	}
}

// A secret that is not found, and one in the wrong place, which is not repeated.
func TestSecretSources(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxSecret+1), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ACME_EMPTY", "")
	t.Setenv("ACME_SECRET", marker)
	entry := func(source string) string {
		return "orgs:\n- {id: acme, name: Acme, hook_secrets: [0123456789abcdef], salesforce: {login_url: https://o.example, client_id: c, " + source + "}}\n"
	}
	for _, c := range []struct{ source, want string }{
		{"client_secret: x", ""},
		{"client_secret_env: ACME_SECRET", ""},
		{"client_secret_env: ACME_EMPTY", "salesforce.client_secret: give it"},
		{"client_secret_env: ACME_UNSET", "client_secret_env: there is no variable ACME_UNSET in the environment"},
		{"client_secret_env: " + marker, "client_secret_env: there is no such variable"},
		{"client_secret_file: " + marker, "client_secret_file: the file cannot be read: no such file"},
		{"client_secret_file: " + dir, "client_secret_file: the file cannot be read: is a directory"},
		{"client_secret_file: " + large, "client_secret_file: the file cannot be read: it is larger"},
		{"flow: jwt, username: u, private_key_env: ACME_SECRET", ""},
		{"flow: jwt, username: u, client_secret: x", "private_key_file or private_key_env"},
		{"flow: jwt, private_key_env: ACME_SECRET", "needs username"},
		{"flow: jwt, username: u, private_key_env: ACME_UNSET", "private_key_env: there is no variable ACME_UNSET"},
	} {
		_, err := read(t, entry(c.source))
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", c.source, err)
		}
		if c.want != "" {
			says(t, err, c.want)
			if n := strings.Count(err.Error(), "\n"); n > 0 {
				t.Errorf("%s: more is said of it:\n%v", c.source, err)
			}
		}
	}
}

// Who says where the secret of hooks is hears where it is not, and nothing else.
func TestHookSecretThatIsNotThere(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"hook_secret_env: ACME_UNSET_HOOK", "acme: hook_secret_env: there is no variable ACME_UNSET_HOOK in the environment"},
		{"hook_secret_env: 5DE8F1C09A7B3344", "acme: hook_secret_env: there is no such variable in the environment (not shown: it may be a value that slipped)"},
		{"hook_secret_file: " + marker, "acme: hook_secret_file: the file cannot be read: no such file or directory"},
	} {
		_, err := read(t, strings.Replace(entry(""), "hook_secrets: [0123456789abcdef]", c.source, 1))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", c.source, err)
		}
	}
}

// What is read can be kept: it is valid, and it can be written down.
func FuzzOrgs(f *testing.F) {
	f.Add(entry(""), "")
	f.Add(entry("  hosts: [a.example]\n  zone: UTC\n  api_share: 0.1\n  retention: 1h\n"), "- id: b\n")
	f.Add("orgs:\n- id: acme\n  salesforce:\n    client_secret: ", "\n    flow: jwt\n")
	f.Add("orgs:\n- id: acme\n  hook_secrets: [", "]\n")
	f.Add("orgs: [{api_share: .inf, hosts: [", "]}]")
	f.Fuzz(func(t *testing.T, before, after string) {
		orgs, err := Orgs([]byte(before + marker + after))
		if err != nil {
			if strings.Contains(err.Error(), marker) {
				t.Errorf("the error repeats a value: %v", err)
			}
			return
		}
		for _, o := range orgs {
			if !o.ID.Valid() || o.Name == "" || len(o.Secrets.HookSecrets) == 0 {
				t.Errorf("read %+v", o)
			}
			if _, err := json.Marshal(o); err != nil {
				t.Error(err)
			}
		}
	})
}
