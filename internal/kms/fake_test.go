package kms

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// fake is what the three fakes share: a TLS server, its faults, its calls.
type fake struct {
	server *httptest.Server

	mu     sync.Mutex
	faults []http.HandlerFunc // answer the next calls, one each
	calls  int                // of encrypt and decrypt
}

func startFake(t *testing.T, serve http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			serve(w, r)
			return
		}
		f.mu.Lock()
		f.calls++
		var fault http.HandlerFunc
		if len(f.faults) > 0 {
			fault, f.faults = f.faults[0], f.faults[1:]
		}
		f.mu.Unlock()
		if fault != nil {
			fault(w, r)
			return
		}
		serve(w, r)
	}))
	t.Cleanup(f.server.Close)
	return f
}

// fail makes the next n calls fail.
func (f *fake) fail(n int, with http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.faults = append(f.faults, with)
	}
}

// heal ends all faults and starts counting anew.
func (f *fake) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.calls = nil, 0
}

func (f *fake) called() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// aead is the key that a fake keeps under a name.
func aead(name string) cipher.AEAD {
	key := sha256.Sum256([]byte(name))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// watch is a clock and a record of pauses.
type watch struct {
	mu     sync.Mutex
	now    time.Time
	pauses []time.Duration
}

func (w *watch) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *watch) wait(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pauses = append(w.pauses, d)
	w.now = w.now.Add(d)
	return ctx.Err()
}

func (w *watch) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}
