package app

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/seal"
)

// startTransit is a Vault that remembers what it encrypted.
func startTransit(t *testing.T) (uri string) {
	var mu sync.Mutex
	kept := map[string]string{}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		var in map[string]string
		_ = json.NewDecoder(r.Body).Decode(&in)
		out := map[string]string{}
		if strings.Contains(r.URL.Path, "/encrypt/") {
			out["ciphertext"] = "vault:v1:" + base64.StdEncoding.EncodeToString([]byte{byte(len(kept))})
			kept[out["ciphertext"]] = in["plaintext"]
		} else {
			out["plaintext"] = kept[in["ciphertext"]]
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": out})
	}))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAULT_CACERT", ca)
	t.Setenv("VAULT_TOKEN", "hvs.example-token")
	t.Setenv("VAULT_NAMESPACE", "")
	return "hcvault://" + server.Listener.Addr().String() + "/transit/keys/master"
}

// The configuration alone moves org keys between the file and a KMS (P8).
func TestP8MasterKeyURIMovesOrgKeys(t *testing.T) {
	uri, data := startTransit(t), t.TempDir()
	var want seal.Subject
	for _, step := range []struct {
		uri, file string // file is "kept" or "gone"
		wrapped   string // format of what rests afterwards
	}{
		{"", "kept", ""},
		{"file," + uri, "kept", ""},
		{uri + ", file", "kept", "hcvault1"},
		{uri, "kept", "hcvault1"},
		{uri, "gone", "hcvault1"},
		{"file," + uri, "kept", ""},
		{"", "kept", ""},
	} {
		cfg, err := config.Load("", []string{"TURNOUT_DATA=" + data, "TURNOUT_MASTER_KEY_URI=" + step.uri})
		if err != nil {
			t.Fatal(err)
		}
		if step.file == "gone" {
			if err := os.Remove(cfg.MasterKeyFile); err != nil {
				t.Fatal(err)
			}
		}
		e, err := OpenEngines(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ring, err := e.Keyring.Ring(t.Context(), "acme")
		if err != nil {
			t.Fatalf("%q: %v", step.uri, err)
		}
		if got := ring.Index("ada@example.com"); want == (seal.Subject{}) {
			want = got
		} else if got != want {
			t.Fatalf("%q: the keys changed", step.uri)
		}
		if err := e.Keyring.RewrapScope(t.Context(), "acme"); err != nil {
			t.Fatalf("%q: %v", step.uri, err)
		}
		keys, err := e.Store.OrgKeys(t.Context(), "acme")
		if err != nil || len(keys) == 0 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for _, k := range keys {
			if byKMS := strings.HasPrefix(string(k.Wrapped), "hcvault1"); byKMS != (step.wrapped != "") {
				t.Errorf("%q: %s is wrapped by %q", step.uri, k.Purpose, k.Wrapped[:8])
			}
		}
		if _, err := os.Stat(cfg.MasterKeyFile); (err == nil) != (step.file == "kept") {
			t.Errorf("%q: the file is %s, and yet: %v", step.uri, step.file, err)
		}
		_ = e.Close()
	}
}
