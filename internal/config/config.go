// Package config reads Turnout's settings: one YAML file, every key of it also
// as TURNOUT_… in the environment, which wins. Unknown keys are errors, and all
// faults are reported at once. What is secret comes from a file or the
// environment and is never printed.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/turnout-events/turnout/internal/cache/mongo"
	"github.com/turnout-events/turnout/internal/kms"
	"github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// Config is the settings of `turnout serve` and of the commands that work on
// its store.
type Config struct {
	// Listen is the address of the public pages and API.
	Listen string `yaml:"listen" env:"LISTEN"`
	// AdminListen is the address of console, metrics, health and admin API.
	AdminListen string `yaml:"admin_listen" env:"ADMIN_LISTEN"`
	// AdminHosts are names besides loopback under which the admin listener answers.
	AdminHosts []string `yaml:"admin_hosts" env:"ADMIN_HOSTS"`
	// Data is the directory of the embedded engines and, unless MasterKeyFile
	// says otherwise, of the master key; absolute once loaded.
	Data string `yaml:"data" env:"DATA"`
	// Store is the URL of a PostgreSQL database in place of the embedded store;
	// empty for the file in Data. It may hold a password, so it is never printed.
	Store string `yaml:"store" env:"STORE"`
	// Sessions is the URL of a Redis server that keeps visitors' sessions besides
	// their cookies; empty for cookies alone. It may hold a password, so it is never
	// printed.
	Sessions string `yaml:"sessions" env:"SESSIONS"`
	// Stack is the one that this instance belongs to, as the edge's routes name it:
	// sessions are worthless on another.
	Stack string `yaml:"stack" env:"STACK"`
	// Cache is the URL of a MongoDB database in place of the embedded cache; empty
	// for the file in Data. It is never printed either.
	Cache string `yaml:"cache" env:"CACHE"`
	// MasterKeyFile is made on first use. MasterKey is the same text by value,
	// for environments that hand out secrets so; it wins.
	MasterKeyFile string `yaml:"master_key_file" env:"MASTER_KEY_FILE"`
	MasterKey     string `yaml:"-" env:"MASTER_KEY"`
	// MasterKeyURI names a key at a KMS that wraps org keys instead of the file;
	// the file still unwraps while it exists. Several, divided by commas, move
	// org keys: the first wraps, all unwrap, and "file" stands for the file.
	MasterKeyURI string `yaml:"master_key_uri" env:"MASTER_KEY_URI"`
	// Instance names this process in leases and logs; the host's name and the
	// process id if empty.
	Instance string `yaml:"instance" env:"INSTANCE"`
	// Drain is how long an instance goes on answering after it was told to end,
	// while the edge takes its sessions away; 0 ends it as soon as what is under
	// way is answered.
	Drain    time.Duration `yaml:"drain" env:"DRAIN"`
	Log      Log           `yaml:"log" envPrefix:"LOG_"`
	Delivery Delivery      `yaml:"delivery" envPrefix:"DELIVERY_"`
	Mirror   Mirror        `yaml:"mirror" envPrefix:"MIRROR_"`
	Edge     Edge          `yaml:"edge" envPrefix:"EDGE_"`
}

// Log says what is logged.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `yaml:"level" env:"LEVEL"`
	// Format is text or json.
	Format string `yaml:"format" env:"FORMAT"`
}

// Delivery says when registrations go to Salesforce (P4).
type Delivery struct {
	// Few registrations are enough for a call.
	Few int `yaml:"few" env:"FEW"`
	// Longest is how long one waits for others.
	Longest time.Duration `yaml:"longest" env:"LONGEST"`
	// Most is what a call carries, at most 200.
	Most int `yaml:"most" env:"MOST"`
	// LanesPerOrg is how many calls an org gets at once.
	LanesPerOrg int `yaml:"lanes_per_org" env:"LANES_PER_ORG"`
}

// Mirror says how Salesforce is followed (P5).
type Mirror struct {
	// Every is the time between two reconcile polls of an org.
	Every time.Duration `yaml:"every" env:"EVERY"`
	// Pictures is from where events' pictures are fetched: "public" addresses, "any", for
	// development, or "none".
	Pictures string `yaml:"pictures" env:"PICTURES"`
}

// From where pictures are fetched.
const (
	PublicPictures = "public"
	AnyPictures    = "any"
	NoPictures     = "none"
)

// Default is what holds where nothing is said.
func Default() Config {
	return Config{
		Listen: "127.0.0.1:8080", AdminListen: "127.0.0.1:9090", Data: "turnout-data",
		Log:      Log{Level: "info", Format: "text"},
		Delivery: Delivery{Few: 5, Longest: 10 * time.Second, Most: 200, LanesPerOrg: 5},
		Mirror:   Mirror{Every: time.Minute, Pictures: PublicPictures},
		Edge:     defaultEdge(),
	}
}

// envPrefix begins the variables that are keys.
const envPrefix = "TURNOUT_"

// Load reads the file at path (empty: none) and the environment, of which an
// empty variable says nothing. Its error lists every fault of both.
func Load(path string, environ []string) (Config, error) {
	return gather(path, environ, false)
}

// LoadEdge is Load for an edge, which does not run without some of what others do
// not mind. Where there are faults, those of its routes are listed with them.
func LoadEdge(path string, environ []string) (Config, error) {
	return gather(path, environ, true)
}

func gather(path string, environ []string, edge bool) (Config, error) {
	c := Default()
	var faults []error
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return c, fmt.Errorf("read configuration: %w", err)
		}
		if err := Parse(text, &c); err != nil {
			faults = append(faults, fmt.Errorf("%s:\n%w", path, err))
		}
	}
	faults = append(faults, c.fromEnv(env.ToMap(environ))...)
	faults = append(faults, c.faults()...)
	if edge {
		faults = append(faults, c.edgeNeeds()...)
	}
	if len(faults) > 0 {
		if err := c.Edge.CheckRoutes(); edge || !errors.Is(err, fs.ErrNotExist) { // who is no edge need not have them
			faults = append(faults, err)
		}
		return c, fmt.Errorf("configuration: %w", errors.Join(faults...))
	}
	var err error
	if c.Data, err = filepath.Abs(c.Data); err != nil { // what is made of it goes into URIs
		return c, fmt.Errorf("configuration: data: %w", err)
	}
	if c.MasterKeyFile == "" {
		c.MasterKeyFile = filepath.Join(c.Data, "master.key")
	}
	if c.Edge.KeyFile == "" {
		c.Edge.KeyFile = filepath.Join(c.Data, "edge.key")
	}
	if c.Instance == "" {
		host, _ := os.Hostname()
		c.Instance = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	return c, nil
}

// fromEnv reads the variables that are keys. What they say wins, and their
// values stay out of the faults.
func (c *Config) fromEnv(environ map[string]string) []error {
	keys, err := env.GetFieldParamsWithOptions(c, env.Options{Prefix: envPrefix})
	if err != nil {
		return []error{errors.New("environment: it cannot be read")}
	}
	var faults []error
	for _, k := range keys {
		value, ok := environ[k.Key]
		if !ok {
			continue
		}
		err := env.ParseWithOptions(c, env.Options{Prefix: envPrefix, Environment: map[string]string{k.Key: value}})
		if parse := (env.ParseError{}); errors.As(err, &parse) {
			faults = append(faults, fmt.Errorf("%s: use %s", k.Key, shape(parse.Type)))
		} else if err != nil {
			faults = append(faults, fmt.Errorf("%s: it cannot be read", k.Key))
		}
	}
	return faults
}

func (c *Config) faults() []error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(validAddress(c.Listen), "listen: give host:port, such as 127.0.0.1:8080")
	check(validAddress(c.AdminListen), "admin_listen: give host:port, such as 127.0.0.1:9090")
	check(c.Data != "", "data: name a directory")
	if c.Store != "" {
		if err := wire.Check(c.Store); err != nil {
			faults = append(faults, fmt.Errorf("store: %w", err))
		}
	}
	if c.Sessions != "" {
		if err := redis.Check(c.Sessions); err != nil {
			faults = append(faults, fmt.Errorf("sessions: %w", err))
		}
	}
	check(len(c.Stack) <= 64, "stack: use a name as in the edge's routes, of at most 64 characters")
	if c.Cache != "" {
		if err := mongo.Check(c.Cache); err != nil {
			faults = append(faults, fmt.Errorf("cache: %w", err))
		}
	}
	faults = append(faults, c.masterKeyFaults()...)
	check(oneOf(c.Log.Level, "debug", "info", "warn", "error"), "log.level: use debug, info, warn or error")
	check(oneOf(c.Log.Format, "text", "json"), "log.format: use text or json")
	check(c.Delivery.Few >= 1 && c.Delivery.Few <= c.Delivery.Most, "delivery.few: use 1 to delivery.most")
	check(c.Delivery.Most >= 1 && c.Delivery.Most <= 200, "delivery.most: use 1 to 200, the limit of one call")
	check(c.Delivery.Longest > 0 && c.Delivery.Longest <= time.Hour, "delivery.longest: use a time such as 10s, at most 1h")
	check(c.Delivery.LanesPerOrg >= 1 && c.Delivery.LanesPerOrg <= 20, "delivery.lanes_per_org: use 1 to 20")
	check(c.Drain >= 0 && c.Drain <= 24*time.Hour, "drain: use a time such as 30s")
	check(c.Mirror.Every >= time.Second, "mirror.every: use 1s or more")
	check(oneOf(c.Mirror.Pictures, PublicPictures, AnyPictures, NoPictures), "mirror.pictures: use public, any or none")
	return append(faults, c.Edge.faults()...)
}

// MasterKeyFromFile is the word for the master key file in MasterKeyURI.
const MasterKeyFromFile = "file"

// MasterKeys are the parts of MasterKeyURI, the one that wraps first; none
// means the file alone.
func (c *Config) MasterKeys() []string {
	var keys []string
	for part := range strings.SplitSeq(c.MasterKeyURI, ",") {
		if part = strings.TrimSpace(part); part != "" {
			keys = append(keys, part)
		}
	}
	return keys
}

func (c *Config) masterKeyFaults() []error {
	var faults []error
	seen := map[string]bool{}
	for _, key := range c.MasterKeys() {
		if seen[key] {
			faults = append(faults, fmt.Errorf("master_key_uri: %s is in it twice", key))
		}
		seen[key] = true
		if key == MasterKeyFromFile {
			continue
		}
		if err := kms.Check(key); err != nil {
			faults = append(faults, fmt.Errorf("master_key_uri: %w", err))
		}
	}
	return faults
}

func validAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func oneOf(s string, allowed ...string) bool {
	for _, a := range allowed {
		if s == a {
			return true
		}
	}
	return false
}
