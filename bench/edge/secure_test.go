package edge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Hosts of the two orgs over TLS: names such as visitors have, since those of
// this machine (*.localhost) take a shorter way to their certificate.
const (
	victimDomain = "victim.example"
	abuserDomain = "abuser.example"
)

// pair writes a certificate and its key into dir, of the kind that the edge
// makes: ECDSA, P-256, no chain.
func pair(b *testing.B, dir string) string {
	b.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{victimDomain, abuserDomain},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		b.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(dir, "pair.pem")
	replace(b, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))+
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return path
}

// tlsClient is a client that everybody answers with the same cryptography: TLS
// 1.3, AES-128 and X25519. Left alone, Go would agree with Go on a key exchange
// that costs more and that OpenSSL 3.0 does not have. It resumes nothing.
func tlsClient(host string) *tls.Config {
	return &tls.Config{ServerName: host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}}
}

// dialTLS opens a connection and shakes hands, as long as that takes.
func dialTLS(addr string) (net.Conn, error) {
	d := tls.Dialer{Config: tlsClient(victimDomain)}
	return d.Dial("tcp", addr)
}

// streamsEach is how many requests a connection of HTTP/2 carries at once.
const streamsEach = 8

// streams asks over HTTP/2 with n requests at once, by h2load: net/http's own
// client would take more of the shared cores than the servers.
func streams(addr string, n int, long time.Duration) (answers, faults int64) {
	first := &line{head: secure(bareHead), dial: func() (net.Conn, error) { return dialTLS(addr) }}
	defer first.close()
	if _, err := first.ask(); err != nil {
		return 0, 1
	}
	args := []string{"-t1", fmt.Sprintf("-c%d", max(1, n/streamsEach)), fmt.Sprintf("-m%d", streamsEach), fmt.Sprintf("-D%dms", long.Milliseconds())}
	if first.cookie != "" { // of who keeps sessions
		args = append(args, "--header=cookie: "+first.cookie)
	}
	text, err := exec.Command("h2load", append(args, "--connect-to="+addr, "https://"+victimDomain+"/events/congress/register")...).Output()
	if err != nil {
		return 0, 1
	}
	return loaded(string(text))
}

var (
	doneRequests = regexp.MustCompile(`requests: .* (\d+) done, .* (\d+) errored`)
	goodRequests = regexp.MustCompile(`status codes: (\d+) 2xx`)
)

// loaded reads what h2load reports. What it cannot read is a fault.
func loaded(text string) (answers, faults int64) {
	done, good := doneRequests.FindStringSubmatch(text), goodRequests.FindStringSubmatch(text)
	if done == nil || good == nil {
		return 0, 1
	}
	all, _ := strconv.ParseInt(done[1], 10, 64)
	errored, _ := strconv.ParseInt(done[2], 10, 64)
	answers, _ = strconv.ParseInt(good[1], 10, 64)
	return answers, all - answers + errored
}

// secure is a head for the victim's host over TLS.
func secure(head string) string { return strings.Replace(head, victimHost, victimDomain, 1) }
