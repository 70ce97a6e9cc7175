package kms

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"golang.org/x/oauth2"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// echo is a service whose ciphertext is the plaintext.
type echo struct{}

func (echo) encrypt(_ context.Context, plain, _ []byte) ([]byte, error) { return plain, nil }
func (echo) decrypt(_ context.Context, c, _ []byte) ([]byte, error)     { return c, nil }

func FuzzParseWrapped(f *testing.F) {
	m := &Master{o: Options{}.filled(), uri: vaultURI, format: formatVault, service: echo{}}
	good, err := m.Wrap(f.Context(), []byte("key"), []byte("acme"))
	if err != nil {
		f.Fatal(err)
	}
	file, _ := seal.ParseMaster(seal.NewMasterLine())
	byFile, _ := file.Wrap(f.Context(), []byte("key"), []byte("acme"))
	for _, b := range [][]byte{nil, good, byFile, good[:9], []byte("aws-kms1\xff\xff"), []byte("gcp-kms1\x00\x00x"), []byte("aws-kms2\x00\x00x")} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := parseWrapped(b)
		if err != nil && !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("%x: %v", b, err)
		}
		if err == nil && !bytes.Equal(w.bytes(), b) {
			t.Fatalf("%x reads as %x", b, w.bytes())
		}
		if _, err := m.Unwrap(t.Context(), b, []byte("other")); !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("%x opened elsewhere: %v", b, err)
		}
		if _, err := file.Unwrap(t.Context(), b, []byte("other")); !errors.Is(err, seal.ErrSealed) {
			t.Fatalf("%x opened by the file: %v", b, err)
		}
	})
}

type replying struct {
	status int
	body   []byte
}

func (r replying) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: r.status, Status: http.StatusText(r.status), Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(r.body)), Request: request}, nil
}

// Whatever a service answers is a key, seal.ErrSealed or an outage.
func FuzzReplies(f *testing.F) {
	f.Add(200, []byte(`{"data":{"plaintext":"AAAA","ciphertext":"vault:v1:AAAA"}}`))
	f.Add(400, []byte(`{"errors":["invalid ciphertext"]}`))
	f.Add(400, []byte(`{"error":{"status":"INVALID_ARGUMENT"}}`))
	f.Add(200, []byte(`{"plaintext":"AAAA","plaintextCrc32c":"1"}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		client := &http.Client{Transport: replying{status, body}}
		vault, err := newVault(vaultURI, client, "", vaultEnv)
		if err != nil {
			t.Fatal(err)
		}
		gcp, err := newGCP(gcpURI, client, "")
		if err != nil {
			t.Fatal(err)
		}
		gcp.tokens = oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "ya29.example"})
		for format, s := range map[string]service{formatVault: vault, formatGCP: gcp} {
			clock := &watch{}
			m := &Master{o: Options{wait: clock.wait, Now: clock.Now}.filled(), uri: "key", format: format, service: s}
			w := wrapped{format: format, uri: "key", ciphertext: []byte("x")}.bytes()
			if _, err := m.Unwrap(t.Context(), w, nil); err == nil || (!errors.Is(err, seal.ErrSealed) && turnout.CodeOf(err) != turnout.CodeUnavailable) {
				t.Fatalf("%s, %d %q: %v", format, status, body, err)
			}
		}
	})
}
