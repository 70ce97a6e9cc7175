package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/routing"
	"github.com/turnout-events/turnout/internal/redis"
)

// Edge is the settings of `turnout edge`.
type Edge struct {
	// Listen is its plain HTTP address, TLSListen its HTTPS one; empty means none.
	Listen    string `yaml:"listen" env:"LISTEN"`
	TLSListen string `yaml:"tls_listen" env:"TLS_LISTEN"`
	// TLSPort is the one that visitors reach TLSListen at; 0 means its own.
	TLSPort int `yaml:"tls_port" env:"TLS_PORT"`
	// Certificates says where those of TLSListen come from.
	Certificates Certificates `yaml:"certificates" envPrefix:"CERTIFICATES_"`
	// AdminListen is the address of its status, metrics and health.
	AdminListen string `yaml:"admin_listen" env:"ADMIN_LISTEN"`
	// Routes is the file of stacks and pools, read again when it changes.
	Routes string `yaml:"routes" env:"ROUTES"`
	// Orgs is where orgs come from: "store", or "routes" for an edge without one.
	Orgs string `yaml:"orgs" env:"ORGS"`
	// KeyFile signs sessions; made on first use. All edges have the same.
	KeyFile string `yaml:"key_file" env:"KEY_FILE"`
	// Key is the same text by value, for environments that hand out secrets so; it
	// wins.
	Key string `yaml:"-" env:"KEY"`
	// Trusted are the networks of proxies before the edge.
	Trusted []string `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
	// Org is what an org may ask for that has no allowance of its own.
	Org EdgeAllowance `yaml:"org" envPrefix:"ORG_"`
	// Limits is the URL of a Redis server through which edges share the orgs'
	// allowances; empty for an edge that limits by itself. It may hold a password, so
	// it is never printed.
	Limits string `yaml:"limits" env:"LIMITS"`
	// Client is what one client address may ask for.
	Client EdgeClient `yaml:"client" envPrefix:"CLIENT_"`
	// AccessLog is a file that gets a line for each request; "-" is standard
	// output, empty means none.
	AccessLog string `yaml:"access_log" env:"ACCESS_LOG"`
}

// Certificates says where an edge's hosts have theirs from.
type Certificates struct {
	// From is "acme", or "internal" for a CA of our own, for development.
	From string `yaml:"from" env:"FROM"`
	// Directory is the ACME server's; empty means Let's Encrypt.
	Directory string `yaml:"directory" env:"DIRECTORY"`
	// RootsFile has the certificates to trust that server by, in PEM; empty means
	// the system's.
	RootsFile string `yaml:"roots_file" env:"ROOTS_FILE"`
	// Email is where the CA writes to when something is wrong.
	Email string `yaml:"email" env:"EMAIL"`
}

// Internal reports whether they come from a CA of our own.
func (c Certificates) Internal() bool { return c.From == fromInternal }

// EdgeAllowance is an org's (P7).
type EdgeAllowance struct {
	PerSecond float64 `yaml:"per_second" env:"PER_SECOND"`
	Burst     int     `yaml:"burst" env:"BURST"`
	Share     float64 `yaml:"share" env:"SHARE"`
	Sessions  int     `yaml:"sessions" env:"SESSIONS"`
}

// EdgeClient is one address's, or one IPv6 /64's.
type EdgeClient struct {
	PerSecond float64 `yaml:"per_second" env:"PER_SECOND"`
	Burst     int     `yaml:"burst" env:"BURST"`
	// Connections is how many it has open at once, Opening how many it opens a
	// second in the long run.
	Connections int     `yaml:"connections" env:"CONNECTIONS"`
	Opening     float64 `yaml:"opening" env:"OPENING"`
}

// Allowance is the same in the domain's words.
func (a EdgeAllowance) Allowance() turnout.Allowance {
	return turnout.Allowance{PerSecond: a.PerSecond, Burst: a.Burst, Share: a.Share, Sessions: a.Sessions}
}

func defaultEdge() Edge {
	return Edge{
		Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:9091", Orgs: fromStore,
		Org:    EdgeAllowance{PerSecond: 2000, Burst: 4000, Share: 0.5},
		Client: EdgeClient{PerSecond: 50, Burst: 200, Connections: 256, Opening: 20}, Certificates: Certificates{From: fromACME},
	}
}

const (
	fromStore  = "store"
	fromRoutes = "routes"

	fromACME     = "acme"
	fromInternal = "internal"
)

// HasStore reports whether orgs come from the store.
func (e Edge) HasStore() bool { return e.Orgs == fromStore }

// Given reports whether anything is said of an edge at all.
func (e Edge) Given() bool {
	e.KeyFile = "" // made of another setting
	e.Key = ""     // a secret that a whole machine may be given
	return !reflect.DeepEqual(e, defaultEdge())
}

// edgeNeeds lists what an edge cannot run without. Other commands do not mind it.
func (c *Config) edgeNeeds() []error {
	var faults []error
	if c.Edge.Listen == "" && c.Edge.TLSListen == "" {
		faults = append(faults, errors.New("edge.listen: give host:port here or in edge.tls_listen"))
	}
	if c.Edge.Routes == "" {
		faults = append(faults, errors.New("edge.routes: name the file of stacks and pools"))
	}
	return faults
}

// faults lists what no edge can mean.
func (e Edge) faults() []error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(e.Listen == "" || validAddress(e.Listen), "edge.listen: give host:port, such as 0.0.0.0:80")
	check(e.TLSListen == "" || validAddress(e.TLSListen), "edge.tls_listen: give host:port, such as 0.0.0.0:443")
	check(e.TLSPort >= 0 && e.TLSPort < 1<<16, "edge.tls_port: use a port, or 0 for the one that is listened at")
	check(oneOf(e.Certificates.From, fromACME, fromInternal), "edge.certificates.from: use acme or internal")
	check(validAddress(e.AdminListen), "edge.admin_listen: give host:port, such as 127.0.0.1:9091")
	check(distinct(e.Listen, e.TLSListen), "edge.tls_listen: edge.listen has this address, too")
	check(distinct(e.AdminListen, e.Listen) && distinct(e.AdminListen, e.TLSListen), "edge.admin_listen: visitors come to this address: give it one of its own")
	check(oneOf(e.Orgs, fromStore, fromRoutes), "edge.orgs: use store or routes")
	check(e.Client.PerSecond >= 0, "edge.client.per_second: use a number of requests, or 0 for no limit")
	check(e.Client.Burst >= 0, "edge.client.burst: use a number of requests")
	check(e.Client.Connections >= 0, "edge.client.connections: use a number of connections, or 0 for no limit")
	check(e.Client.Opening >= 0, "edge.client.opening: use a number of connections, or 0 for no limit")
	if e.Limits != "" {
		if err := redis.Check(e.Limits); err != nil {
			faults = append(faults, fmt.Errorf("edge.limits: %w", err))
		}
	}
	for _, err := range e.Org.Allowance().Faults() {
		faults = append(faults, fmt.Errorf("edge.org.%w", err))
	}
	if _, err := e.TrustedProxies(); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// distinct reports whether both addresses can be listened at: any port 0 is another.
func distinct(a, b string) bool {
	return a == "" || a != b || strings.HasSuffix(a, ":0")
}

// TrustedProxies are Trusted as networks; an address stands for itself.
func (e Edge) TrustedProxies() ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, s := range e.Trusted {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, addrErr := netip.ParseAddr(s)
			if addrErr != nil {
				return nil, fmt.Errorf("edge.trusted_proxies: %q is no network: give such as 10.0.0.0/8", s)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// Routes reads a file of stacks and pools, and of orgs unless these come from a
// store. With an error comes what could be read all the same, so that routing.New
// can tell what is wrong with that, too.
func Routes(path string, store bool) (routing.Plan, error) {
	var plan routing.Plan
	text, err := os.ReadFile(path)
	if err != nil {
		return plan, fmt.Errorf("read routes: %w", err)
	}
	err = Parse(text, &plan)
	if store && len(plan.Orgs) > 0 {
		plan.Orgs = nil
		err = errors.Join(err, errors.New("orgs: they come from the store here; leave them out, or set edge.orgs to routes"))
	}
	for i := range plan.Orgs {
		for j, h := range plan.Orgs[i].Hosts {
			plan.Orgs[i].Hosts[j] = strings.ToLower(strings.TrimSuffix(h, "."))
		}
	}
	return plan, err
}

// CheckRoutes lists what is wrong with the file of routes, if one is named, as far
// as it can be known without a store.
func (e Edge) CheckRoutes() error {
	if e.Routes == "" {
		return nil
	}
	plan, err := Routes(e.Routes, e.HasStore())
	if err == nil || len(plan.Stacks) > 0 { // else that there is nothing follows from err
		_, meant := routing.New(plan)
		err = errors.Join(err, meant)
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s:\n%w", e.Routes, err)
}
