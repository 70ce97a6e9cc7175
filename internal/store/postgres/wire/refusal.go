package wire

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// refusal is one line about a connection that did not come about.
type refusal struct {
	text string
	err  error
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.err }

// The states that a server refuses a connection with, as in states.go.
const (
	authorization   = "28000" // no such role, or no line of pg_hba.conf lets it in
	password        = "28P01"
	noDatabase      = "3D000"
	noPrivilege     = "42501"
	tooMany         = "53300"
	starting        = "57P03"
	tlsRefused      = "server refused TLS connection"
	readOnlyAttempt = "read only connection"
)

// plain says why no connection came about, and what to do about it, in one line.
// Nothing that the driver or the server says holds the password.
func plain(cfg *pgx.ConnConfig, err error) error {
	hosts := hostsOf(cfg)
	var server *pgconn.PgError
	var untrusted *tls.CertificateVerificationError
	text := ""
	switch cause := causeOf(err); {
	case errors.As(err, &server):
		text = plainState(hosts, cfg.Database, server)
	case errors.As(err, &untrusted):
		text = fmt.Sprintf("the certificate of %s is not trusted (%v): name the CA that signed it with sslrootcert in the store's URL, and the host as the certificate does", hosts, untrusted.Err)
	case strings.Contains(cause, tlsRefused):
		text = fmt.Sprintf("%s does not speak TLS: set ssl=on there", hosts)
	case errors.Is(err, errOutdated):
		text = fmt.Sprintf("of %s none is the primary now, and one %v", hosts, errOutdated)
	case strings.Contains(cause, readOnlyAttempt):
		text = fmt.Sprintf("none of %s takes writes: promote one, or name the primary too", hosts)
	default:
		text = fmt.Sprintf("no PostgreSQL answers at %s (%s): start it, or mend host and port in the store's URL", hosts, cause)
	}
	return &refusal{oneLine(text), err}
}

// plainState is for what the server itself says.
func plainState(hosts, database string, e *pgconn.PgError) string {
	switch e.Code {
	case password, authorization:
		return fmt.Sprintf("%s refuses the store's user (%s): mend user and password in the store's URL, or pg_hba.conf", hosts, e.Message)
	case noDatabase:
		return fmt.Sprintf("there is no database %s at %s: create it, or name another one in the store's URL", database, hosts)
	case noPrivilege:
		return fmt.Sprintf("%s does not let the store's user into database %s (%s): GRANT CONNECT on it", hosts, database, e.Message)
	case tooMany:
		return fmt.Sprintf("%s has no connection left (%s): raise max_connections; each instance takes up to 9", hosts, e.Message)
	case starting:
		return fmt.Sprintf("%s is not ready yet (%s): try again in a minute", hosts, e.Message)
	}
	return fmt.Sprintf("%s refuses the connection (%s, SQLSTATE %s)", hosts, e.Message, e.Code)
}

// hostsOf names the hosts of cfg, each once.
func hostsOf(cfg *pgx.ConnConfig) string {
	all := []string{address(cfg.Host, cfg.Port)}
	for _, f := range cfg.Fallbacks {
		if a := address(f.Host, f.Port); !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return strings.Join(all, ", ")
}

func address(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		return host
	}
	return fmt.Sprintf("%s:%d", host, port)
}

// causeOf is what is behind the driver's own words, which name the user.
func causeOf(err error) string {
	var c *pgconn.ConnectError
	if errors.As(err, &c) {
		err = c.Unwrap()
	}
	return oneLine(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
