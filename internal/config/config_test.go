package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// secret stands wherever somebody may have put a secret; no error repeats it.
const marker = "S3CRET_hunter-2"

// load writes text to a file and reads it with the environment.
func load(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "turnout.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, environ)
	if err != nil && strings.Contains(err.Error(), marker) {
		t.Errorf("the error repeats a value: %v", err)
	}
	return c, err
}

// says checks that an error has all of these sentences.
func says(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q:\n%v", w, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Data != absolute(t, "turnout-data") || c.MasterKeyFile != absolute(t, "turnout-data/master.key") || c.Edge.KeyFile != absolute(t, "turnout-data/edge.key") || c.Instance == "" {
		t.Errorf("data in %q, master key in %q, instance %q", c.Data, c.MasterKeyFile, c.Instance)
	}
	c.Data, c.MasterKeyFile, c.Edge.KeyFile, c.Instance = Default().Data, "", "", ""
	if !reflect.DeepEqual(c, Default()) {
		t.Errorf("loaded %+v", c)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFileThenEnvironment(t *testing.T) {
	c, err := load(t, `
listen: 127.0.0.1:1001
admin_listen: 127.0.0.1:1002
admin_hosts: [one.example.com, two.example.com]
data: from-file
delivery:
  few: 7
  longest: 3s
`, "TURNOUT_LISTEN=127.0.0.1:2001", "TURNOUT_DELIVERY_FEW=8", "TURNOUT_ADMIN_HOSTS=three.example.com,four.example.com",
		"TURNOUT_MIRROR_EVERY=2m", "TURNOUT_MASTER_KEY="+marker, "TURNOUT_PORT=9", "LISTEN=nowhere", "no equals sign")
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Listen, want.AdminListen, want.Data = "127.0.0.1:2001", "127.0.0.1:1002", absolute(t, "from-file")
	want.AdminHosts = []string{"three.example.com", "four.example.com"}
	want.Delivery.Few, want.Delivery.Longest, want.Mirror.Every = 8, 3*time.Second, 2*time.Minute
	want.MasterKey, want.MasterKeyFile, want.Instance = marker, absolute(t, "from-file/master.key"), c.Instance
	want.Edge.KeyFile = absolute(t, "from-file/edge.key")
	if !reflect.DeepEqual(c, want) {
		t.Errorf("loaded %+v\nwant   %+v", c, want)
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "nowhere.yaml"), nil)
	says(t, err, "read configuration", "nowhere.yaml")
}

// A value that is not said keeps its default; an empty file says nothing.
func TestNothingSaid(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing yet\n", "---\n", "listen:\ndelivery:\n", "listen: ~\ndelivery: ~\nadmin_hosts: null\n", "{}"} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if c.Listen != Default().Listen || c.Delivery != Default().Delivery {
			t.Errorf("%q: loaded %+v", text, c)
		}
	}
}

// Whoever mends one fault does not meet the next one afterwards.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := load(t, `listne: 127.0.0.1:1
listen: nowhere
data: ""
log:
  level: loud
  colour: red
delivery:
  few: several
  most: 201
  lanes_per_org: 0
mirror:
  every: `+marker+`
`, "TURNOUT_DELIVERY_LONGEST="+marker, "TURNOUT_LOG_FORMAT=xml", "TURNOUT_ADMIN_LISTEN=127.0.0.1:99999", "TURNOUT_MASTER_KEY="+marker)
	says(t, err, "turnout.yaml",
		`[1:1] unknown key "listne": use one of admin_hosts, `, `[6:3] unknown key "log.colour": use one of format, level`,
		"[8:8] delivery.few: use a whole number", "[12:10] mirror.every: use a time such as",
		"TURNOUT_DELIVERY_LONGEST: use a time such as",
		"\nlisten: give host:port", "\nadmin_listen: give host:port", "\ndata: name a directory", "\nlog.level: use debug",
		"\nlog.format: use text or json", "\ndelivery.most: use 1 to 200", "\ndelivery.lanes_per_org: use 1 to 20")
}

// A key that is none is told with what to do about it, and its value is checked
// further as that of the key that was meant.
func TestUnknownKeysAreToldWithARemedy(t *testing.T) {
	for text, want := range map[string]string{
		"lisetn: 127.0.0.1:1":                      `unknown key "lisetn": did you mean listen?`,
		"Admin-Listen: 127.0.0.1:1":                `unknown key "Admin-Listen": did you mean admin_listen?`,
		"edge: {tlsListen: 127.0.0.1:1}":           `unknown key "edge.tlsListen": did you mean tls_listen?`,
		"edge: {org: {bursts: 1, per_second: 1}}":  `unknown key "edge.org.bursts": did you mean burst?`,
		"edge.org.share: 1":                        `unknown key "edge.org.share": keys are nested: write share: below org: below edge:, a line each`,
		"edge.org.colour: 1":                       `unknown key (not shown`,
		"listen: 127.0.0.1:1\nlistem: 127.0.0.1:2": `unknown key "listem": use one of admin_hosts, admin_listen, `,
		"edge: {rg: {}}":                           `unknown key "edge.rg": did you mean org?`,
		"edge: {orgz: {}}":                         `unknown key "edge.orgz": use one of access_log, `, // org or orgs
	} {
		_, err := load(t, text)
		says(t, err, want)
		if n := strings.Count(err.Error(), "\n"); n != 1 {
			t.Errorf("%s: more is said than that:\n%v", text, err)
		}
	}
	_, err := load(t, "edg: {org: {share: 3}, lisen: nowhere}")
	says(t, err, `"edg": did you mean edge?`, `"edg.lisen": did you mean listen?`, "\nedge.org.share: use a part", "\nedge.listen: give host:port")
}

// Whoever mends an edge's settings does not meet the faults of its routes afterwards,
// and every fault has its key.
func TestAllFaultsOfAnEdgeAtOnce(t *testing.T) {
	routes := filepath.Join(t.TempDir(), "routes.yaml")
	if err := os.WriteFile(routes, []byte("stack: [{name: blue}]\norgs: [{id: acme, placement: {stack: blue, home: here}}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "turnout.yaml")
	text := "colour: red\nlog: {level: loud}\nedge: {orgs: routes, listen: here, org: {per_second: -1, share: 2}, client: {burst: -1}, rotes: " + routes + "}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`unknown key "colour": use one of`, `unknown key "edge.rotes": did you mean routes?`, "\nlog.level: use debug", "\nedge.listen: give host:port",
		"\nedge.org.per_second: use", "\nedge.org.share: use", "\nedge.client.burst: use",
		`unknown key "stack": did you mean stacks?`, "\nstack blue: pools: give it a pool of instances",
	}
	for name, read := range map[string]func(string, []string) (Config, error){"edge": LoadEdge, "serve": Load} {
		_, err := read(path, nil)
		says(t, err, want...)
		if n := strings.Count(err.Error(), "\n"); n != len(want)+1 { // and the names of both files
			t.Errorf("%s: something else is said, too:\n%v", name, err)
		}
	}
	_, err := LoadEdge("", []string{"TURNOUT_LOG_LEVEL=loud", "TURNOUT_EDGE_TLS_PORT=-1"})
	says(t, err, "log.level", "edge.tls_port", "\nedge.routes: name the file")
	_, err = Load("", []string{"TURNOUT_EDGE_LISTEN=127.0.0.1:9091", "TURNOUT_EDGE_TLS_LISTEN=127.0.0.1:9091", "TURNOUT_EDGE_TRUSTED_PROXIES=10.0.0.0/8,lan"})
	says(t, err, "edge.tls_listen: edge.listen has this address", "edge.admin_listen: visitors come to this address", `edge.trusted_proxies: "lan" is no network`)
	if _, err = Load("", []string{"TURNOUT_EDGE_LISTEN=127.0.0.1:0", "TURNOUT_EDGE_ADMIN_LISTEN=127.0.0.1:0"}); err != nil {
		t.Errorf("two ports that are free are refused: %v", err)
	}
	elsewhere := []string{"TURNOUT_LOG_LEVEL=loud", "TURNOUT_EDGE_ROUTES=" + routes + ".gone"}
	if _, err = Load("", elsewhere); err == nil || strings.Contains(err.Error(), "routes") {
		t.Errorf("an instance that has no routes: %v", err)
	}
	_, err = LoadEdge("", elsewhere)
	says(t, err, "log.level", "read routes")
	if _, err = Load("", nil); err != nil {
		t.Errorf("whoever has no edge: %v", err)
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct{ environ, want string }{
		{"TURNOUT_LISTEN=:8080", ""},
		{"TURNOUT_LISTEN=[::1]:0", ""},
		{"TURNOUT_LISTEN=8080", "listen"},
		{"TURNOUT_LISTEN=localhost:", "listen"},
		{"TURNOUT_LISTEN=", ""}, // an empty variable says nothing
		{"TURNOUT_DELIVERY_FEW=200", ""},
		{"TURNOUT_DELIVERY_FEW=201", "delivery.few"},
		{"TURNOUT_DELIVERY_FEW=0", "delivery.few"},
		{"TURNOUT_DELIVERY_FEW=5.5", "TURNOUT_DELIVERY_FEW: use a whole number"},
		{"TURNOUT_DELIVERY_MOST=4", "delivery.few"},
		{"TURNOUT_DELIVERY_LONGEST=0s", "delivery.longest"},
		{"TURNOUT_DELIVERY_LONGEST=61m", "delivery.longest"},
		{"TURNOUT_DELIVERY_LONGEST=10", "TURNOUT_DELIVERY_LONGEST: use a time"},
		{"TURNOUT_DELIVERY_LANES_PER_ORG=21", "delivery.lanes_per_org"},
		{"TURNOUT_MIRROR_EVERY=999ms", "mirror.every"},
	} {
		_, err := Load("", []string{c.environ})
		if c.want == "" && err != nil {
			t.Errorf("%s: %v", c.environ, err)
		}
		if c.want != "" {
			says(t, err, c.want)
		}
	}
}

// Operators share settings between parts of a file.
func TestAnchorsAndMerges(t *testing.T) {
	var out struct {
		Log   Log      `yaml:"log"`
		Other Log      `yaml:"other"`
		Third Log      `yaml:"third"`
		Names []string `yaml:"names"`
		More  []string `yaml:"more"`
	}
	err := Parse([]byte(`
log: &log
  level: debug
  format: &f json
other:
  level: warn
  <<: *log
third:
  <<: [*log, {level: error}]
names: &names [a, *f]
more: *names
`), &out)
	if err != nil {
		t.Fatal(err)
	}
	if out.Other != (Log{"warn", "json"}) || out.Third != out.Log || !reflect.DeepEqual(out.More, []string{"a", "json"}) {
		t.Errorf("read %+v", out)
	}
	says(t, Parse([]byte("names: *later\nmore: &later [a]"), &out), "[1:8] nothing before this line")
	says(t, Parse([]byte("log: &me\n  <<: *me\n"), &out), "it refers to itself")
	says(t, Parse([]byte("log: &me\n  <<: [*me, *me]\n"), &out), "it refers to itself")
}

func TestParseFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"- listen", "[1:1] use keys with values"},
		{"just text", "[1:1] use keys with values"},
		{"delivery: 5", "[1:11] delivery: use keys with values"},
		{"admin_hosts: one", "[1:14] admin_hosts: use a list"},
		{"admin_hosts: [{a: b}]", "admin_hosts[0]: use text"},
		{"listen: {a: b}", "listen: use text"},
		{"listen: a\nlisten: b", `[2:1] mapping key "listen" already defined`},
		{"delivery:\n  few: 99999999999999999999", "[2:8] delivery.few: use a whole number"},
		{"delivery:\n\tfew: 1", "[2:1]"},
		{"listen: \"open", "[1:9]"},
		{"log: {level: info}\n---\nlisten: elsewhere:1", "put everything into one document"},
		{"Listen: a", `unknown key "Listen": did you mean listen?`},
		{"log: {" + marker + ": a}", "log: unknown key (not shown: it may be a value that slipped): use one of format, level"},
		{"listen: *" + marker, "[1:9]"},
		{"delivery: {longest: " + marker + "}", "delivery.longest"},
		{marker + ": 1\n" + marker + ": 2", "already defined"},
		{"? " + marker + "\n: x", "unknown key"},
		{"listen: \"" + marker, "[1:9]"},
		{"listen: @" + marker, "[1:9]"},
		{"listen: a: " + marker, "[1:9]"},
		{"listen: !!" + marker, ""},
	} {
		conf := Default()
		err := Parse([]byte(c.text), &conf)
		if c.want != "" {
			says(t, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), marker) {
			t.Errorf("%q: the error repeats a value: %v", c.text, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, before := range []string{"", "listen: ", "admin_hosts: [", "log:\n  level: ", "delivery:\n  few: 1\n  longest: ", "a: &x ", "<<: *", "? ", "- ", "listen: \"", "listen: |\n  ", "x: !!int "} {
		f.Add(before, "")
		f.Add(before, "\n")
		f.Add(before, "]: 1\n---\nb")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		c := Default()
		if err := Parse([]byte(before+marker+after), &c); err != nil && strings.Contains(err.Error(), marker) {
			t.Errorf("the error repeats a value: %v", err)
		}
	})
}
