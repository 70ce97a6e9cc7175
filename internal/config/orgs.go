package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// OrgFile is the form of `turnout org apply -f FILE`.
type OrgFile struct {
	Orgs []OrgEntry `yaml:"orgs"`
}

// OrgEntry is one org in it. A secret is given by value, or as NAME_file with
// a path, or as NAME_env with the name of a variable.
type OrgEntry struct {
	ID     string   `yaml:"id"`
	Name   string   `yaml:"name"`
	Hosts  []string `yaml:"hosts"`
	Origin string   `yaml:"origin"`
	// EmbedOn are the sites that may show its event pages and forms in a frame.
	EmbedOn    []string        `yaml:"embed_on"`
	Zone       string          `yaml:"zone"`
	Language   string          `yaml:"language"`
	Mapping    string          `yaml:"mapping"`
	APIShare   float64         `yaml:"api_share"`
	Retention  time.Duration   `yaml:"retention"`
	Salesforce SalesforceEntry `yaml:"salesforce"`
	// Placement says which stack and regions serve it, and its allowance.
	Placement turnout.Placement `yaml:"placement"`
	// HookSecrets sign hooks; two while one is being replaced.
	HookSecrets    []string `yaml:"hook_secrets"`
	HookSecretFile string   `yaml:"hook_secret_file"`
	HookSecretEnv  string   `yaml:"hook_secret_env"`
}

// SalesforceEntry says how to sign in.
type SalesforceEntry struct {
	LoginURL         string `yaml:"login_url"`
	APIVersion       string `yaml:"api_version"`
	Flow             string `yaml:"flow"`
	ClientID         string `yaml:"client_id"`
	ClientSecret     string `yaml:"client_secret"`
	ClientSecretFile string `yaml:"client_secret_file"`
	ClientSecretEnv  string `yaml:"client_secret_env"`
	Username         string `yaml:"username"`
	Audience         string `yaml:"audience"`
	PrivateKeyFile   string `yaml:"private_key_file"`
	PrivateKeyEnv    string `yaml:"private_key_env"`
}

// Orgs reads an org file with everything it refers to. All faults are
// reported at once.
func Orgs(text []byte) ([]turnout.Org, error) {
	var file OrgFile
	err := Parse(text, &file)
	if err == nil && len(file.Orgs) == 0 {
		err = errors.New("there is no org in it; begin with \"orgs:\"")
	}
	faults := []error{err}
	var orgs []turnout.Org
	seen := map[string]string{}
	for i, entry := range file.Orgs {
		name := entry.ID
		if !turnout.OrgID(name).Valid() {
			name = fmt.Sprintf("orgs[%d]", i)
		}
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
		}
		org := entry.org(fault)
		own := name + ".localhost" // may be listed, though it works anyhow
		org.Hosts = slices.DeleteFunc(org.Hosts, func(h string) bool { return h == own })
		for _, host := range append([]string{own}, org.Hosts...) {
			if !hostPattern.MatchString(host) {
				continue // reported already
			}
			if other, ok := seen[host]; ok {
				fault("host %s belongs to %s already", host, other)
			}
			seen[host] = name
		}
		orgs = append(orgs, org)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return orgs, nil
}

func (e OrgEntry) org(fault func(string, ...any)) turnout.Org {
	sf := e.Salesforce
	lost := map[string]bool{} // secrets that are not where the entry says, which is reported
	secret := func(name, value, file, variable string) string {
		text, err := secret(value, file, variable)
		if err != nil {
			lost[name] = true
			fault("%s%v", name, err)
		}
		return text
	}
	o := turnout.Org{
		ID: turnout.OrgID(e.ID), Name: e.Name, Zone: e.Zone, Language: e.Language, Mapping: e.Mapping,
		APIShare: e.APIShare, Retention: e.Retention, Origin: strings.TrimSuffix(e.Origin, "/"),
		Placement: e.Placement,
		Salesforce: turnout.Connection{
			LoginURL: strings.TrimSuffix(sf.LoginURL, "/"), APIVersion: sf.APIVersion, Flow: sf.Flow,
			ClientID: sf.ClientID, Username: sf.Username, Audience: sf.Audience,
		},
		Secrets: turnout.Secrets{
			ClientSecret: secret("client_secret", sf.ClientSecret, sf.ClientSecretFile, sf.ClientSecretEnv),
			PrivateKey:   secret("private_key", "", sf.PrivateKeyFile, sf.PrivateKeyEnv),
			HookSecrets:  e.HookSecrets,
		},
	}
	if s := secret("hook_secret", "", e.HookSecretFile, e.HookSecretEnv); s != "" {
		o.Secrets.HookSecrets = append(o.Secrets.HookSecrets, s)
	}
	for _, site := range e.EmbedOn {
		o.EmbedOn = append(o.EmbedOn, strings.ToLower(strings.TrimSuffix(site, "/")))
	}
	for _, h := range e.Hosts {
		o.Hosts = append(o.Hosts, strings.ToLower(strings.TrimSuffix(h, ".")))
	}
	if o.Mapping == "" {
		o.Mapping = "campaign"
	}
	if o.Salesforce.Flow == "" {
		o.Salesforce.Flow = "client_credentials"
	}
	checkOrg(o, fault)
	checkSecrets(o, lost, fault)
	checkPlacement(o.Placement, fault)
	return o
}

func checkOrg(o turnout.Org, fault func(string, ...any)) {
	if !o.ID.Valid() {
		fault("id: use 1 to 40 lower-case letters, digits and hyphens")
	}
	if o.Name == "" {
		fault("name: say what the organisation is called")
	}
	for _, h := range o.Hosts {
		if !hostPattern.MatchString(h) {
			fault("hosts: give names such as events.acme.example, without scheme and port")
		}
	}
	if o.Origin != "" && !isOrigin(o.Origin) {
		fault("origin: give scheme and host, such as https://events.acme.example")
	}
	for _, site := range o.EmbedOn {
		if !mayEmbed(site) {
			fault("embed_on: give origins of sites that may frame its pages, such as https://www.acme.example, with https and without path or *")
		}
	}
	if _, err := time.LoadLocation(o.Zone); err != nil {
		fault("zone: use an IANA time zone such as Europe/Vienna")
	}
	if !(o.APIShare >= 0 && o.APIShare <= 1) { // so that NaN is refused, too
		fault("api_share: use a part of 1, such as 0.8")
	}
	if o.Retention < 0 {
		fault("retention: use a time such as 720h")
	}
	if !isOrigin(o.Salesforce.LoginURL) {
		fault("salesforce.login_url: give the org's My Domain, such as https://acme.my.salesforce.com")
	} else if u, _ := url.Parse(o.Salesforce.LoginURL); u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" && u.Hostname() != "::1" {
		fault("salesforce.login_url: use https")
	}
	if o.Salesforce.ClientID == "" {
		fault("salesforce.client_id: give the External Client App's consumer key")
	}
}

// checkSecrets checks how the org signs in. Of a secret that was lost it says no more.
func checkSecrets(o turnout.Org, lost map[string]bool, fault func(string, ...any)) {
	switch o.Salesforce.Flow {
	case "client_credentials":
		if o.Secrets.ClientSecret == "" && !lost["client_secret"] {
			fault("salesforce.client_secret: give it, or client_secret_file, or client_secret_env")
		}
	case "jwt":
		if o.Secrets.PrivateKey == "" && !lost["private_key"] || o.Salesforce.Username == "" {
			fault("salesforce: the jwt flow needs username and private_key_file or private_key_env")
		}
	default:
		fault("salesforce.flow: use client_credentials or jwt")
	}
	if n := len(o.Secrets.HookSecrets); n == 0 && !lost["hook_secret"] || n > 2 {
		fault("hook_secrets: give one, or two while one is being replaced")
	}
	for _, s := range o.Secrets.HookSecrets {
		if len(s) < 16 {
			fault("hook_secrets: use at least 16 characters")
		}
	}
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// isOrigin reports whether s is scheme and host, with a port or without, and
// nothing else.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Hostname() != "" && (u.Scheme == "https" || u.Scheme == "http") && s == u.Scheme+"://"+u.Host
}

// mayEmbed reports whether s is the origin of one site that nobody on the way to
// it can replace. It goes into a header, whose separators no such host has.
func mayEmbed(s string) bool {
	u, err := url.Parse(s)
	if err != nil || !isOrigin(s) || !hostPattern.MatchString(u.Hostname()) {
		return false
	}
	if strings.HasSuffix(s, ":") { // says a port and then none
		return false
	}
	return u.Scheme == "https" || u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || strings.HasSuffix(u.Hostname(), ".localhost")
}

// secret reads a secret from where the entry says it is. What the entry says
// stays out of the error, but for what can only be a variable's name: it may be the
// secret itself, in the wrong place.
func secret(value, file, variable string) (string, error) {
	switch {
	case file != "":
		text, err := readSecret(file)
		if err != nil {
			return "", fmt.Errorf("_file: the file cannot be read: %w", reason(err))
		}
		return strings.TrimSpace(string(text)), nil
	case variable != "":
		text, ok := os.LookupEnv(variable)
		if !ok && variablePattern.MatchString(variable) {
			return "", fmt.Errorf("_env: there is no variable %s in the environment", variable)
		} else if !ok {
			return "", errors.New("_env: there is no such variable in the environment (not shown: it may be a value that slipped)")
		}
		return text, nil
	}
	return value, nil
}

// variablePattern is names as they are given to variables: words in capitals. A
// secret in capitals has no words.
var variablePattern = regexp.MustCompile(`^[A-Z][A-Z0-9]{0,31}(_[A-Z0-9]{1,31}){1,7}$`)

// maxSecret is far more than a private key takes, in bytes.
const maxSecret = 64 << 10

func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("it is larger than %d bytes", maxSecret)
	}
	return text, err
}

// reason is why a file cannot be read, without its path.
func reason(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err
	}
	return err
}

// checkPlacement checks what can be known without the edge's routes.
func checkPlacement(p turnout.Placement, fault func(string, ...any)) {
	for _, err := range p.Faults() {
		fault("placement.%v", err)
	}
}
