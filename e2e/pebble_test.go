//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// pebble is a CA that speaks ACME, in a process of its own, behind a proxy that
// counts orders. It validates names as a real one does: it asks a name server,
// and comes to the ports of the edge.
type pebble struct {
	// directory is the URL of the ACME directory, trusted by rootsFile.
	directory, rootsFile string
	// issued trusts the certificates that it issues.
	issued *x509.CertPool
	// orders counts those that were made.
	orders atomic.Int64
}

// pebblePath is where the tool is that tools/go.mod pins; it is built if need be.
func pebblePath(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "tool", "-modfile=tools/go.mod", "-n", "pebble")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("build pebble: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// startPebble runs the CA until the test ends. It validates at these ports.
func startPebble(t *testing.T, httpPort, tlsPort int) *pebble {
	t.Helper()
	p, dir := &pebble{}, t.TempDir()
	front := httptest.NewUnstartedServer(nil)
	front.StartTLS() // its certificate serves for all
	t.Cleanup(front.Close)
	certFile, keyFile := writeKeyPair(t, dir, front.TLS.Certificates[0])
	p.rootsFile = certFile
	listen, manage := wiretest.FreeAddress(t), wiretest.FreeAddress(t)
	config := filepath.Join(dir, "pebble.json")
	writeJSON(t, config, map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": certFile, "privateKey": keyFile,
		"httpPort": httpPort, "tlsPort": tlsPort, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	cmd := exec.Command(pebblePath(t), "-config", config, "-dnsserver", startDNS(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	keepRunning(t, "pebble", cmd)

	trusted := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: poolOf(t, certFile)}}
	front.Config.Handler = p.counting(listen, trusted)
	p.directory = front.URL + "/dir"
	p.issued = x509.NewCertPool()
	client := &http.Client{Transport: trusted}
	waitFor(t, "pebble", func() bool {
		resp, err := client.Get("https://" + manage + "/roots/0")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		root, err := io.ReadAll(resp.Body)
		return err == nil && p.issued.AppendCertsFromPEM(root)
	})
	return p
}

// counting hands everything on to pebble and counts the orders that it takes.
func (p *pebble) counting(to string, transport http.RoundTripper) http.Handler {
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: to})
			r.Out.Host = r.In.Host // pebble's answers name this proxy
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path == "/order-plz" && r.StatusCode == http.StatusCreated {
				p.orders.Add(1)
			}
			return nil
		},
	}
}

// ordered runs do and expects it to make this many orders.
func (p *pebble) ordered(t *testing.T, want int64, do func()) {
	t.Helper()
	before := p.orders.Load()
	do()
	if n := p.orders.Load() - before; n != want {
		t.Errorf("%d orders, want %d", n, want)
	}
}

// startDNS is a name server that knows every name as this machine, except
// those under "broken.example", which have no address. Pebble asks over TCP.
func startDNS(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveDNS(c)
		}
	}()
	return l.Addr().String()
}

// serveDNS answers questions, each with its length before it.
func serveDNS(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		question := make([]byte, int(size[0])<<8|int(size[1]))
		if _, err := io.ReadFull(c, question); err != nil {
			return
		}
		answer := answerDNS(question)
		if answer == nil {
			return
		}
		if _, err := c.Write(append([]byte{byte(len(answer) >> 8), byte(len(answer))}, answer...)); err != nil {
			return
		}
	}
}

func answerDNS(question []byte) []byte {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil
	}
	q := m.Questions[0]
	answer := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
	if q.Type == dnsmessage.TypeA && !strings.HasSuffix(q.Name.String(), "broken.example.") {
		answer.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	packed, err := answer.Pack()
	if err != nil {
		return nil
	}
	return packed
}

// keepRunning runs cmd until the test ends, and shows what it wrote if that fails.
func keepRunning(t *testing.T, name string, cmd *exec.Cmd) *lockedBuffer {
	t.Helper()
	output := &lockedBuffer{}
	cmd.Stderr = output
	if cmd.Stdout == nil {
		cmd.Stdout = output
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			text := output.String()
			t.Logf("%s:\n%s", name, text[max(0, len(text)-8000):])
		}
	})
	return output
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// firstLine waits for the first line that a process writes.
func firstLine(t *testing.T, r io.Reader) string {
	t.Helper()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("the process ended: %v", err)
	}
	return strings.TrimSpace(line)
}

func writeJSON(t *testing.T, path string, value any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func writeKeyPair(t *testing.T, dir string, pair tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(file)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate: %v", file, err)
	}
	return pool
}
