//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/edge/domains"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/sqlite"
	"github.com/turnout-events/turnout/internal/wiretest"
)

// vanityVariable carries an edge's settings to its process.
const vanityVariable = "TURNOUT_E2E_VANITY_EDGE"

// vanityEdge is what an edge's process is told.
type vanityEdge struct {
	Name, Dir      string
	TLS, Plain     string // addresses
	CA, CARootFile string
}

// known is the org table of these tests: every name under "known.example" and
// "broken.example".
func known(host string) bool {
	return strings.HasSuffix(host, ".known.example") || strings.HasSuffix(host, ".broken.example")
}

// vanity is an edge in a process of its own, on a store that others share.
type vanity struct {
	vanityEdge
	cmd *exec.Cmd
	log *lockedBuffer
}

func startVanity(t *testing.T, e vanityEdge) *vanity {
	t.Helper()
	settings, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestVanityEdgeProcess$")
	cmd.Env = append(os.Environ(), vanityVariable+"="+string(settings))
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd.Stdout = in
	v := &vanity{vanityEdge: e, cmd: cmd}
	v.log = keepRunning(t, e.Name, cmd)
	_ = in.Close()
	if line := firstLine(t, out); line != "ready" {
		t.Fatalf("%s says %q", e.Name, line)
	}
	return v
}

// kill ends the edge without a word.
func (v *vanity) kill() {
	_ = v.cmd.Process.Kill()
	_, _ = v.cmd.Process.Wait()
}

// TestVanityEdgeProcess is an edge, where a test has started it as one.
func TestVanityEdgeProcess(t *testing.T) {
	var e vanityEdge
	settings := os.Getenv(vanityVariable)
	if settings == "" {
		t.Skip("only for processes that the other tests start")
	}
	if err := json.Unmarshal([]byte(settings), &e); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(e.Dir, "turnout.db")})
	if err != nil {
		t.Fatal(err)
	}
	d, err := domains.New(domains.Options{
		Known: known, CA: e.CA, CARoots: poolOf(t, e.CARootFile), Storage: domains.NewStorage(store, edgeSealer(t, e.Dir, store), e.Name),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s at %s", r.Host, e.Name) })
	plain, err := net.Listen("tcp", e.Plain)
	if err != nil {
		t.Fatal(err)
	}
	secure, err := net.Listen("tcp", e.TLS)
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(plain, d.ChallengeHandler(hello))
	fmt.Fprintln(os.Stdout, "ready")
	server := http.Server{Handler: hello, TLSConfig: d.TLSConfig()}
	t.Error(server.ServeTLS(secure, "", ""))
}

type sealerOf struct{ *seal.Ring }

func (s sealerOf) Seal(name string, plain []byte) ([]byte, error) {
	return s.Ring.Seal(plain, "edge file", name), nil
}

func (s sealerOf) Open(name string, sealed []byte) ([]byte, error) {
	return s.Ring.Open(sealed, "edge file", name)
}

func edgeSealer(t *testing.T, dir string, store seal.Shelf) domains.Sealer {
	master, _, err := seal.OpenMaster(filepath.Join(dir, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewKeyring(store, func() (seal.Master, error) { return master, nil }).Ring(t.Context(), "edge")
	if err != nil {
		t.Fatal(err)
	}
	return sealerOf{ring}
}

// get asks an edge for a page of a host over HTTPS, on a connection of its own.
func (v *vanity) get(host string, c *tls.Config) (string, error) {
	c = c.Clone()
	c.ServerName = host
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", v.TLS)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: c, DialContext: dial, DisableKeepAlives: true}, Timeout: 2 * time.Minute}
	resp, err := client.Get("https://" + host + "/")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// handshakes asks edges for a host n times at once; each must be served.
func handshakes(t *testing.T, host string, c *tls.Config, n int, edges ...*vanity) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			edge := edges[i%len(edges)]
			if body, err := edge.get(host, c); err != nil || body != host+" at "+edge.Name {
				t.Errorf("%s at %s: %q, %v", host, edge.Name, body, err)
			}
		})
	}
	wg.Wait()
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

func TestVanityDomains(t *testing.T) {
	t.Parallel()
	first := vanityEdge{Name: "edge-1", Dir: t.TempDir(), TLS: wiretest.FreeAddress(t), Plain: wiretest.FreeAddress(t)}
	ca := startPebble(t, portOf(t, first.Plain), portOf(t, first.TLS))
	first.CA, first.CARootFile = ca.directory, ca.rootsFile
	one := startVanity(t, first)
	trust := &tls.Config{RootCAs: ca.issued}

	t.Run("a known domain is served over HTTPS", func(t *testing.T) {
		ca.ordered(t, 1, func() { handshakes(t, "first.known.example", trust, 1, one) })
		ca.ordered(t, 0, func() { handshakes(t, "first.known.example", trust, 5, one) })
	})
	t.Run("40 handshakes at once make one order", func(t *testing.T) {
		ca.ordered(t, 1, func() { handshakes(t, "rush.known.example", trust, 40, one) })
	})
	t.Run("an unknown name is refused without an order", func(t *testing.T) {
		ca.ordered(t, 0, func() {
			for _, host := range []string{"nobody.example", "known.example", "localhost"} {
				if _, err := one.get(host, trust); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
					t.Errorf("%s: %v", host, err)
				}
			}
		})
	})
	t.Run("P8: old TLS and CBC are refused", func(t *testing.T) {
		for name, c := range map[string]*tls.Config{
			"TLS 1.1": {MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11},
			"CBC":     {MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}},
		} {
			c.RootCAs = ca.issued
			if _, err := one.get("first.known.example", c); err == nil {
				t.Errorf("%s is taken", name)
			}
		}
	})
	t.Run("a domain that cannot be had is let be", func(t *testing.T) {
		before := ca.orders.Load()
		for range 10 {
			if _, err := one.get("a.broken.example", trust); err == nil {
				t.Error("a certificate came from nowhere")
			}
		}
		// One try of ours: an order for each kind of challenge.
		if n := ca.orders.Load() - before; n < 1 || n > 2 {
			t.Errorf("%d orders for ten handshakes", n)
		}
	})

	second := first
	second.Name, second.TLS, second.Plain = "edge-2", wiretest.FreeAddress(t), wiretest.FreeAddress(t)
	two := startVanity(t, second)
	t.Run("another edge has the same certificates and rests", func(t *testing.T) {
		ca.ordered(t, 0, func() {
			handshakes(t, "first.known.example", trust, 5, two)
			if _, err := two.get("a.broken.example", trust); err == nil {
				t.Error("a certificate came from nowhere")
			}
		})
	})
	// The CA comes to the first edge's ports, so that one answers for the other.
	t.Run("any edge answers the challenge of any other", func(t *testing.T) {
		ca.ordered(t, 1, func() { handshakes(t, "second.known.example", trust, 1, two) })
	})
	t.Run("two edges at once make one order", func(t *testing.T) {
		ca.ordered(t, 1, func() { handshakes(t, "both.known.example", trust, 40, one, two) })
	})
	t.Run("a restart makes no order", func(t *testing.T) {
		one.kill()
		two.kill()
		again := startVanity(t, first)
		ca.ordered(t, 0, func() {
			for _, host := range []string{"first", "rush", "second", "both"} {
				handshakes(t, host+".known.example", trust, 4, again)
			}
		})
	})
}

// Where the CA cannot come to the TLS port, the plain one answers.
func TestVanityOverPlainHTTP(t *testing.T) {
	t.Parallel()
	e := vanityEdge{Name: "edge-1", Dir: t.TempDir(), TLS: wiretest.FreeAddress(t), Plain: wiretest.FreeAddress(t)}
	nobody := portOf(t, wiretest.FreeAddress(t))
	ca := startPebble(t, portOf(t, e.Plain), nobody)
	e.CA, e.CARootFile = ca.directory, ca.rootsFile
	edge := startVanity(t, e)
	// The first kind tried is a matter of chance. A name that met the closed port
	// may rest by now; another is tried until one came through.
	for n := 0; !strings.Contains(edge.log.String(), "challenge=http-01"); n++ {
		host := fmt.Sprintf("n%d.known.example", n)
		body, err := edge.get(host, &tls.Config{RootCAs: ca.issued})
		if n == 20 || (err == nil && body != host+" at edge-1") {
			t.Fatalf("%s: %q, %v", host, body, err)
		}
	}
}
