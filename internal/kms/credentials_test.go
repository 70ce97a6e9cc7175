package kms

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func contextCancelled(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

// IRSA: a role by a web identity token, exchanged at STS.
func TestAWSWebIdentity(t *testing.T) {
	withAWS(t)
	sts := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != "example-jwt" {
			t.Errorf("STS got %v", r.Form)
		}
		_, _ = io.WriteString(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
	}))
	t.Cleanup(sts.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/turnout")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", write(t, "token", "example-jwt"))
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	b := newBench(startFake(t, serveAWS(t)), awsURI, awsOther)
	mustWrap(t, b.open(t, awsURI), "key", "acme")
}

// AWS_CA_BUNDLE must not be lost on the client that we make.
func TestAWSOwnAuthority(t *testing.T) {
	withAWS(t)
	f := startFake(t, serveAWS(t))
	t.Setenv("AWS_CA_BUNDLE", writeCertificate(t, f))
	m, err := Open(t.Context(), awsURI, Options{Endpoint: f.server.URL})
	if err != nil {
		t.Fatal(err)
	}
	mustWrap(t, m, "key", "acme")
}

func TestAWSWithoutCredentials(t *testing.T) {
	withAWS(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	b := newBench(startFake(t, serveAWS(t)), awsURI, awsOther)
	if _, err := b.open(t, awsURI).Wrap(t.Context(), []byte("key"), nil); turnout.CodeOf(err) != turnout.CodeUnavailable || b.called() != 0 {
		t.Errorf("got %v after %d calls", err, b.called())
	}
}

// Workload identity: the metadata server gives the token.
func TestGCPMetadataServer(t *testing.T) {
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" {
			t.Error("no Metadata-Flavor")
		}
		w.Header().Set("Metadata-Flavor", "Google")
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			answer(200, `{"access_token":"ya29.example","token_type":"Bearer","expires_in":3600}`)(w, r)
		case strings.HasSuffix(r.URL.Path, "/project-id"):
			answer(200, "demo")(w, r)
		default:
			answer(404, "")(w, r)
		}
	}))
	t.Cleanup(metadata.Close)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))
	b := newBench(startFake(t, serveGCP(t)), gcpURI, gcpOther)
	mustWrap(t, b.open(t, gcpURI), "key", "acme")
}

// A token source that refuses is not asked over and over, and is quoted by its status alone.
func TestGCPTokenRefused(t *testing.T) {
	b := newBench(startFake(t, func(w http.ResponseWriter, r *http.Request) {
		answer(400, `{"error":"invalid_grant","error_description":"`+talkingText+`"}`, "Content-Type", "application/json")(w, r)
	}), gcpURI, gcpOther)
	withGCP(t, b.server.URL+"/token")
	_, err := b.open(t, gcpURI).Wrap(t.Context(), []byte("key"), nil)
	if turnout.CodeOf(err) != turnout.CodeUnavailable || len(b.pauses) != 0 || strings.Contains(err.Error(), "alice") {
		t.Errorf("got %v after %v", err, b.pauses)
	}
}

// What changed between us and Cloud KMS is not stored as a wrapped key.
func TestGCPChecksums(t *testing.T) {
	b := newBench(startFake(t, serveGCP(t)), gcpURI, gcpOther)
	withGCP(t, b.server.URL+"/token")
	for _, reply := range []string{
		`{"ciphertext":"AAAA","ciphertextCrc32c":"1","verifiedPlaintextCrc32c":true,"verifiedAdditionalAuthenticatedDataCrc32c":true}`,
		`{"ciphertext":"AAAA","verifiedPlaintextCrc32c":true,"verifiedAdditionalAuthenticatedDataCrc32c":true}`,
		`{"ciphertext":"","ciphertextCrc32c":"0","verifiedPlaintextCrc32c":false,"verifiedAdditionalAuthenticatedDataCrc32c":true}`,
	} {
		b.heal()
		b.fail(tries, answer(200, reply))
		if _, err := b.open(t, gcpURI).Wrap(t.Context(), []byte("key"), nil); turnout.CodeOf(err) != turnout.CodeUnavailable || b.called() != tries {
			t.Errorf("%s: %v after %d calls", reply, err, b.called())
		}
	}
}

// A renewed token counts without a restart.
func TestVaultTokenFile(t *testing.T) {
	b := vaultBench(t, transit{namespace: "team"})
	file := write(t, "token", "old\n")
	b.getenv = func(name string) string {
		return map[string]string{"VAULT_TOKEN_FILE": file, "VAULT_NAMESPACE": "team"}[name]
	}
	m := b.open(t, vaultURI)
	if _, err := m.Wrap(t.Context(), []byte("key"), nil); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("an expired token: %v", err)
	}
	if err := os.WriteFile(file, []byte(vaultToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.pass(rest + time.Second)
	mustWrap(t, m, "key", "acme")

	b.getenv = func(string) string { return "" }
	t.Setenv("HOME", t.TempDir())
	if _, err := b.open(t, vaultURI).Wrap(t.Context(), []byte("key"), nil); err == nil || !strings.Contains(err.Error(), "VAULT_TOKEN") {
		t.Errorf("without a token: %v", err)
	}
}

// The client that we make trusts VAULT_CACERT and refuses TLS 1.1.
func TestVaultTLS(t *testing.T) {
	for _, c := range []struct {
		newest uint16
		ok     bool
	}{{tls.VersionTLS13, true}, {tls.VersionTLS12, true}, {tls.VersionTLS11, false}} {
		f := &fake{server: httptest.NewUnstartedServer(serveVault(t, transit{}))}
		f.server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: c.newest}
		f.server.Config.ErrorLog = nil
		f.server.StartTLS()
		t.Cleanup(f.server.Close)
		file := writeCertificate(t, f)
		clock := &watch{now: time.Unix(1e9, 0)}
		m, err := Open(t.Context(), "hcvault://"+f.server.Listener.Addr().String()+"/transit/keys/master", Options{wait: clock.wait, Now: clock.Now, Getenv: func(name string) string {
			return map[string]string{"VAULT_TOKEN": vaultToken, "VAULT_CACERT": file}[name]
		}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Wrap(t.Context(), []byte("key"), nil); (err == nil) != c.ok {
			t.Errorf("newest version %x: %v", c.newest, err)
		}
	}
	for _, text := range []string{"", "no certificate"} {
		file := write(t, "ca", text)
		if _, err := Open(t.Context(), vaultURI, Options{Getenv: func(string) string { return file }}); err == nil {
			t.Error("a VAULT_CACERT without a certificate must be refused")
		}
	}
}

func TestVaultPolicyAndRoute(t *testing.T) {
	b := vaultBench(t, transit{})
	m := b.open(t, vaultURI)
	w := mustWrap(t, m, "key", "acme")
	b.fail(1, answer(400, `{"errors":["ciphertext or signature version is disallowed by policy (too old)"]}`))
	if _, err := m.Unwrap(t.Context(), w, []byte("acme")); turnout.CodeOf(err) != turnout.CodeUnavailable || !strings.Contains(err.Error(), "min_decryption_version") {
		t.Errorf("an archived version: %v", err)
	}
	if _, err := b.open(t, "hcvault://vault.example.com/elsewhere/keys/master").Wrap(t.Context(), []byte("key"), nil); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("a mount that is not there: %v", err)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func writeCertificate(t *testing.T, f *fake) string {
	return write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})))
}
