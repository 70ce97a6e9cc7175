package mongo

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

const (
	plainScheme = "mongodb://"
	// srvScheme finds hosts and settings in DNS, and means TLS unless told otherwise.
	srvScheme = "mongodb+srv://"
	// connectPatience is how long a connection may take to come about.
	connectPatience = 5 * time.Second
	// ordinaryDatabase is where the cache is if the URL names no database.
	ordinaryDatabase = "turnout"
)

var (
	errScheme     = errors.New("give the cache as mongodb://user@host/database?tls=true or mongodb+srv://user@host/database")
	errUnreadable = errors.New("the cache's URL cannot be read; give mongodb://user@host/database?tls=true or mongodb+srv://user@host/database")
)

// address says where the cache is, without what is secret.
type address struct{ hosts, database string }

// Check tells what is wrong with a cache's URL without connecting: one line that
// says what to do, and never holds the password. What DNS says of mongodb+srv is
// looked at when the cache is opened.
func Check(url string) error {
	if strings.HasPrefix(url, srvScheme) {
		url = plainScheme + strings.TrimPrefix(url, srvScheme)
		if !says(url, "tls", "false") && !says(url, "ssl", "false") {
			url = with(url, "tls=true")
		}
	}
	_, _, err := parse(url)
	return err
}

// parse reads a URL and refuses what would send links in the clear. For
// mongodb+srv it asks DNS.
func parse(url string) (*options.ClientOptions, address, error) {
	if !strings.HasPrefix(url, plainScheme) && !strings.HasPrefix(url, srvScheme) {
		return nil, address{}, errScheme
	}
	set := options.Client().ApplyURI(url)
	if set.Validate() != nil { // the error may quote what is secret
		return nil, address{}, errUnreadable
	}
	at, err := addressOf(url, set.Hosts)
	if err != nil {
		return nil, address{}, err
	}
	for _, host := range set.Hosts {
		if err := secure(host, set.TLSConfig); err != nil {
			return nil, address{}, err
		}
	}
	settle(set)
	return set, at, nil
}

// addressOf finds the database, which the driver keeps to itself.
func addressOf(text string, hosts []string) (address, error) {
	text, _, _ = strings.Cut(text, "?")
	_, rest, _ := strings.Cut(text, "://")
	rest = rest[strings.LastIndex(rest, "@")+1:]
	_, path, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(path)
	if err != nil || strings.ContainsAny(name, "/\\. \"$*<>:|?\x00") || len(name) > 63 {
		return address{}, errors.New("the cache's URL names no database that MongoDB can have: end it with /turnout, before any question mark")
	}
	if name == "" {
		name = ordinaryDatabase
	}
	switch name {
	case "admin", "local", "config":
		return address{}, fmt.Errorf("the database %s is MongoDB's own: end the cache's URL with /turnout, and say authSource=%s if users are there", name, name)
	}
	return address{hosts: strings.Join(hosts, ","), database: name}, nil
}

// secure holds one host to what P8 asks of the wire.
func secure(host string, t *tls.Config) error {
	if t != nil {
		t.MinVersion = max(t.MinVersion, tls.VersionTLS12)
		return nil
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	if strings.HasSuffix(host, ".sock") || name == "localhost" || net.ParseIP(name).IsLoopback() {
		return nil
	}
	return fmt.Errorf("the cache at %s would be reached without TLS: put tls=true into its URL", host)
}

// settle adds what the cache needs of every connection. A write is answered when
// most of the servers have it, and reads ask the one that takes writes: that is
// what makes a write seen by every read that comes after it, on any instance.
func settle(set *options.ClientOptions) {
	set.SetAppName("turnout").SetReadPreference(readpref.Primary()).SetWriteConcern(writeconcern.Majority())
	if set.ConnectTimeout == nil {
		set.SetConnectTimeout(connectPatience)
	}
}

// says reports whether a URL's query sets a key to a value.
func says(text, key, value string) bool {
	_, query, _ := strings.Cut(text, "?")
	for pair := range strings.SplitSeq(query, "&") {
		if k, v, _ := strings.Cut(pair, "="); strings.EqualFold(k, key) && strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

// with adds to a URL's query.
func with(text, pair string) string {
	base, query, _ := strings.Cut(text, "?")
	if rest := strings.TrimPrefix(base, plainScheme); !strings.Contains(rest, "/") {
		base += "/"
	}
	return base + "?" + strings.TrimPrefix(query+"&"+pair, "&")
}
