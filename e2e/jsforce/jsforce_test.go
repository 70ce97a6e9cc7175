//go:build e2e

// Package jsforce proves that jsforce, a well-known client that knows nothing
// of Turnout, works against the simulator as it is.
package jsforce

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/simulator"
)

func TestJSForceWorksUnchanged(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: install Node.js 18 or newer, which brings node and npm", tool)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run(ctx, t, nil, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	url := start(t, simulator.Options{})
	trust(t, url, &key.PublicKey)
	text := run(ctx, t, []string{
		"SIMULATOR_URL=" + url,
		"JWT_KEY=" + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
	}, "node", "prove.mjs")
	if steps := strings.Count(text, "ok "); steps != 11 {
		t.Fatalf("%d steps of 11 were proved:\n%s", steps, text)
	}
}

// start serves a simulator on a loopback port.
func start(t *testing.T, options simulator.Options) string {
	t.Helper()
	sim, err := simulator.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim.Handler())
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(ctx) }()
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	return server.URL
}

// trust gives the simulator a key as somebody outside does.
func trust(t *testing.T, url string, key *rsa.PublicKey) {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	body := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url+"/_sim/keys", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the key was not taken: %s", response.Status)
	}
}

func run(ctx context.Context, t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), env...)
	out, err := command.CombinedOutput()
	t.Logf("%s %s\n%s", name, strings.Join(args, " "), out)
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return string(out)
}
