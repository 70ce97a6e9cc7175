package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Check tells what is wrong with a server's URL without connecting: one line that
// says what to do, and never holds the password.
func Check(url string) error {
	_, err := parse(url)
	return err
}

var errURL = errors.New("give Redis as rediss://user:password@host:6379/0, or as redis://127.0.0.1:6379 on this machine")

// parse reads a URL and refuses what would cross a network in the clear (P8).
//
//	rediss://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?ca_file=FILE]
//
// FILE has the certificates to trust the server by, in PEM; without it the
// system's are trusted.
func parse(text string) (rueidis.ClientOption, error) {
	none := rueidis.ClientOption{}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "redis" && u.Scheme != "rediss") || u.Hostname() == "" {
		return none, errURL // the cause may quote what is secret
	}
	o := settings(net.JoinHostPort(u.Hostname(), port(u)))
	if name := strings.TrimPrefix(u.Path, "/"); name != "" {
		if o.SelectDB, err = strconv.Atoi(name); err != nil || o.SelectDB < 0 {
			return none, errors.New("what follows the host in a Redis URL is the number of a database, such as /0")
		}
	}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	query := u.Query()
	for key := range query {
		if key != "ca_file" {
			return none, fmt.Errorf("a Redis URL takes no %q, only ca_file", key)
		}
	}
	if u.Scheme == "redis" {
		if !loopback(u.Hostname()) {
			return none, fmt.Errorf("the Redis server at %s would be reached without TLS: use rediss:// (or a Redis on this machine)", u.Hostname())
		}
		return o, nil
	}
	o.TLSConfig, err = trust(u.Hostname(), query.Get("ca_file"))
	return o, err
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return "6379"
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// trust is TLS with a server of that name.
func trust(host, file string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if file == "" {
		return c, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file of the Redis URL: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file of the Redis URL: there is no certificate in %s", file)
	}
	return c, nil
}

// dialTimeout bounds a new connection, and what the server takes to answer the
// pings that find a dead one.
const dialTimeout = 2 * time.Second

// settings are those of every client: one connection, over which everything is
// pipelined, and no second attempt at anything.
func settings(address string) rueidis.ClientOption {
	return rueidis.ClientOption{
		InitAddress: []string{address}, ClientName: "turnout", ForceSingleClient: true,
		PipelineMultiplex: -1, AlwaysPipelining: true, DisableRetry: true,
		Dialer: net.Dialer{Timeout: dialTimeout}, ConnWriteTimeout: dialTimeout,
		CacheSizeEachConn: 16 << 20, ReadBufferEachConn: 64 << 10, WriteBufferEachConn: 64 << 10,
		ClientSetInfo: rueidis.DisableClientSetInfo, // Redis 7.0 does not know it
	}
}

var errOnce = errors.New("the connection to Redis is gone")

// once lets a client connect a single time. A client whose connection is gone is
// replaced in the background and never connects anew while a request waits.
func once(o rueidis.ClientOption) rueidis.ClientOption {
	used := make(chan struct{}, 1)
	o.DialCtxFn = func(ctx context.Context, address string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
		select {
		case used <- struct{}{}:
		default:
			return nil, errOnce
		}
		if t == nil {
			return d.DialContext(ctx, "tcp", address)
		}
		return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", address)
	}
	return o
}
