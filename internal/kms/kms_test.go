package kms

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// bench is one service with its fake and what it says when something is wrong.
type bench struct {
	*fake
	*watch
	uri, other string
	throttle   http.HandlerFunc
	deny       http.HandlerFunc
	down       http.HandlerFunc
	getenv     func(string) string
	timeout    time.Duration
}

func (b *bench) open(t *testing.T, uri string) *Master {
	t.Helper()
	m, err := Open(t.Context(), uri, Options{
		HTTP: b.server.Client(), Endpoint: b.server.URL, Getenv: b.getenv, Now: b.Now, wait: b.wait, Timeout: b.timeout,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newBench(f *fake, uri, other string) *bench {
	return &bench{fake: f, watch: &watch{now: time.Unix(1e9, 0)}, uri: uri, other: other, timeout: 20 * time.Second, down: answer(503, "<html>away</html>")}
}

func vaultBench(t *testing.T, v transit) *bench {
	b := newBench(startFake(t, serveVault(t, v)), vaultURI, vaultOther)
	b.getenv = vaultEnv
	b.throttle = answer(429, `{"errors":["request path \"transit\": rate limit quota exceeded"]}`, "Retry-After", "1")
	b.deny = answer(403, `{"errors":["`+talkingText+`"]}`)
	return b
}

func benches(t *testing.T) map[string]*bench {
	withAWS(t)
	aws := newBench(startFake(t, serveAWS(t)), awsURI, awsOther)
	aws.throttle = answer(400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
	aws.deny = answer(400, `{"__type":"AccessDeniedException","message":"`+talkingText+`"}`)
	gcp := newBench(startFake(t, serveGCP(t)), gcpURI, gcpOther)
	withGCP(t, gcp.server.URL+"/token")
	gcp.throttle = answer(429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`, "Retry-After", "1")
	gcp.deny = answer(403, `{"error":{"code":403,"message":"`+talkingText+`","status":"PERMISSION_DENIED"}}`)
	return map[string]*bench{
		"aws": aws, "gcp": gcp,
		"vault":          vaultBench(t, transit{}),
		"vault derived":  vaultBench(t, transit{derived: true}),
		"vault old":      vaultBench(t, transit{old: true}),
		"vault confused": vaultBench(t, transit{confused: true}),
	}
}

func each(t *testing.T, do func(t *testing.T, b *bench)) {
	for name, b := range benches(t) {
		t.Run(name, func(t *testing.T) { do(t, b) })
	}
}

func mustWrap(t *testing.T, m seal.Master, key, ad string) []byte {
	t.Helper()
	w, err := m.Wrap(t.Context(), []byte(key), []byte(ad))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// P8: a wrapped key opens by its master key, for its org, unchanged; nothing else.
func TestP8WrappedKeyCannotBeMoved(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		m, other := b.open(t, b.uri), b.open(t, b.other)
		w := mustWrap(t, m, "key of acme", "acme")
		if key, err := m.Unwrap(t.Context(), w, []byte("acme")); err != nil || string(key) != "key of acme" {
			t.Fatalf("own place: %q, %v", key, err)
		}
		if bytes.Contains(w, []byte("key of acme")) || m.ID() != b.uri {
			t.Errorf("wrapped is %q by %q", w, m.ID())
		}
		changed := bytes.Clone(w)
		changed[len(changed)-4] ^= 1
		b.heal()
		for name, unwrap := range map[string]func() ([]byte, error){
			"another org": func() ([]byte, error) { return m.Unwrap(t.Context(), w, []byte("other")) },
			"no org":      func() ([]byte, error) { return m.Unwrap(t.Context(), w, nil) },
			"changed":     func() ([]byte, error) { return m.Unwrap(t.Context(), changed, []byte("acme")) },
			"cut":         func() ([]byte, error) { return m.Unwrap(t.Context(), w[:formatSize+1], []byte("acme")) },
			"wrong key":   func() ([]byte, error) { return other.Unwrap(t.Context(), w, []byte("acme")) },
		} {
			if _, err := unwrap(); !errors.Is(err, seal.ErrSealed) {
				t.Errorf("%s: got %v, want ErrSealed", name, err)
			}
		}
		if b.called() > 4 {
			t.Errorf("%d calls: what does not open must not be tried again", b.called())
		}
		if _, err := other.Unwrap(t.Context(), w, []byte("acme")); !strings.Contains(err.Error(), b.uri) {
			t.Errorf("the error must name the key it needs: %v", err)
		}
	})
}

// P8: the service itself holds the binding, besides the hash in the plaintext;
// only a Vault that does not know associated data leaves it to the hash.
func TestP8ServiceHoldsTheBinding(t *testing.T) {
	for name, b := range benches(t) {
		s := b.open(t, b.uri).service
		c, err := s.encrypt(t.Context(), []byte("plain"), binding([]byte("acme")))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, err = s.decrypt(t.Context(), c, binding([]byte("other")))
		var r *refusal
		if held := errors.As(err, &r) && r.why == wrong; held != (name != "vault old") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error names the master key that a value needs, in both directions.
func TestForeignValueNamesItsMaster(t *testing.T) {
	file, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	byFile := mustWrap(t, file, "key", "acme")
	list := benches(t)
	for name, b := range list {
		m := b.open(t, b.uri)
		_, err := m.Unwrap(t.Context(), byFile, []byte("acme"))
		if !errors.Is(err, seal.ErrSealed) || !strings.Contains(err.Error(), file.ID()) || !strings.Contains(err.Error(), "file") {
			t.Errorf("%s of a file's value: %v", name, err)
		}
		_, err = file.Unwrap(t.Context(), mustWrap(t, m, "key", "acme"), []byte("acme"))
		if !errors.Is(err, seal.ErrSealed) || !strings.Contains(err.Error(), m.format) {
			t.Errorf("file of a value of %s: %v", name, err)
		}
	}
	_, err = list["gcp"].open(t, gcpURI).Unwrap(t.Context(), mustWrap(t, list["aws"].open(t, awsURI), "key", "acme"), []byte("acme"))
	if !errors.Is(err, seal.ErrSealed) || !strings.Contains(err.Error(), awsURI) {
		t.Errorf("another service's value: %v", err)
	}
}

func TestThrottlingIsWaitedOut(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		m := b.open(t, b.uri)
		b.fail(tries-1, b.throttle)
		w := mustWrap(t, m, "key", "acme")
		b.fail(1, b.throttle)
		b.fail(1, b.down)
		if _, err := m.Unwrap(t.Context(), w, []byte("acme")); err != nil {
			t.Fatal(err)
		}
		if len(b.pauses) != tries-1+2 || b.pauses[0] < firstPause/2 || b.pauses[2] < b.pauses[0] {
			t.Errorf("pauses %v must grow", b.pauses)
		}
		if b.uri != awsURI && b.pauses[0] < time.Second {
			t.Errorf("pause %v is shorter than Retry-After", b.pauses[0])
		}
		for _, p := range b.pauses {
			if p > longestPause {
				t.Errorf("pause %v", p)
			}
		}
	})
}

// P8 with an outage: the data is not called wrong, and the service gets rest.
func TestServiceAway(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		m := b.open(t, b.uri)
		w := mustWrap(t, m, "key", "acme")
		b.heal()
		b.fail(tries, b.down)
		for range 3 {
			_, err := m.Unwrap(t.Context(), w, []byte("acme"))
			if turnout.CodeOf(err) != turnout.CodeUnavailable || errors.Is(err, seal.ErrSealed) {
				t.Fatalf("got %v, want unavailable", err)
			}
		}
		if b.called() != tries {
			t.Errorf("%d calls, want %d and then rest", b.called(), tries)
		}
		b.pass(rest + time.Second)
		if _, err := m.Unwrap(t.Context(), w, []byte("acme")); err != nil {
			t.Errorf("after the outage: %v", err)
		}
		b.server.Close()
		if _, err := m.Wrap(t.Context(), []byte("key"), []byte("acme")); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("nobody listens: %v", err)
		}
	})
}

func TestDeniedIsNotRetriedAndSaysNothingPersonal(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		m := b.open(t, b.uri)
		w := mustWrap(t, m, "key", "acme")
		b.heal()
		b.fail(1, b.deny)
		_, err := m.Unwrap(t.Context(), w, []byte("acme"))
		if turnout.CodeOf(err) != turnout.CodeUnavailable || errors.Is(err, seal.ErrSealed) || b.called() != 1 {
			t.Fatalf("got %v after %d calls", err, b.called())
		}
		if text := err.Error(); strings.Contains(text, "alice") || strings.Contains(text, vaultToken) || !strings.Contains(text, "refuses") {
			t.Errorf("the text is %q", text)
		}
	})
}

func TestHangingServiceEndsWithTheTimeout(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.timeout = 200 * time.Millisecond
		m := b.open(t, b.uri)
		b.fail(tries, func(_ http.ResponseWriter, r *http.Request) {
			buf := make([]byte, 1<<16)
			for {
				if _, err := r.Body.Read(buf); err != nil {
					break
				}
			}
			<-r.Context().Done()
		})
		if _, err := m.Wrap(t.Context(), []byte("key"), []byte("acme")); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if b.called() > 3 {
			t.Errorf("%d calls within a timeout that holds two", b.called())
		}
	})
}

// Callers that leave say nothing about the service.
func TestLeavingCallerDoesNotRestTheService(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		m := b.open(t, b.uri)
		ctx, cancel := contextCancelled(t)
		defer cancel()
		if _, err := m.Wrap(ctx, []byte("key"), []byte("acme")); err == nil {
			t.Fatal("a cancelled call must fail")
		}
		mustWrap(t, m, "key", "acme")
	})
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		thief := startFake(t, answer(200, "{}"))
		m := b.open(t, b.uri)
		b.fail(1, answer(307, "", "Location", thief.server.URL+"/"))
		if _, err := m.Wrap(t.Context(), []byte("key"), []byte("acme")); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("got %v", err)
		}
		if thief.called() != 0 {
			t.Error("the call followed a redirect")
		}
	})
}

func TestUnreadableReply(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		m := b.open(t, b.uri)
		w := mustWrap(t, m, "key", "acme")
		b.fail(tries, answer(200, "<html>"))
		if _, err := m.Unwrap(t.Context(), w, []byte("acme")); turnout.CodeOf(err) != turnout.CodeUnavailable || errors.Is(err, seal.ErrSealed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCheck(t *testing.T) {
	for _, uri := range []string{
		awsURI, gcpURI, vaultURI, "hcvault://vault.example.com/transit/keys/a", "hcvault://vault.example.com/team/transit/keys/a",
		"aws-kms://arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-0123",
		"gcp-kms://projects/example.com:demo/locations/global/keyRings/a/cryptoKeys/b",
	} {
		if err := Check(uri); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
	for _, uri := range []string{
		"", "file", "https://vault.example.com/transit/keys/a", "aws-kms://alias/a", "aws-kms://arn:aws:s3:::bucket", awsURI + "\n",
		"gcp-kms://projects/p", gcpURI + "/cryptoKeyVersions/1", gcpURI + ":decrypt", "hcvault:///transit/keys/a", "hcvault://vault.example.com/transit/a",
		"hcvault://user:secret@vault.example.com/transit/keys/a", "hcvault://vault.example.com/transit/keys/a?b=c",
		"hcvault://vault.example.com/transit/../sys/keys/a", "hcvault://vault.example.com/transit/keys/..", "hcvault://vault.example.com/" + strings.Repeat("a", maxURI) + "/keys/a",
	} {
		err := Check(uri)
		if err == nil {
			t.Errorf("%q must be refused", uri)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats a secret: %v", err)
		}
		if _, err := Open(t.Context(), uri, Options{}); turnout.CodeOf(err) != turnout.CodeMisconfigured {
			t.Errorf("open %q: %v", uri, err)
		}
	}
}
