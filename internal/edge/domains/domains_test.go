package domains

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
)

// memory is a storage that counts what is done with it.
type memory struct {
	certmagic.Storage
	calls atomic.Int64
}

func newMemory(t testing.TB) *memory {
	return &memory{Storage: &certmagic.FileStorage{Path: t.TempDir()}}
}

func (m *memory) Store(ctx context.Context, key string, value []byte) error {
	m.calls.Add(1)
	return m.Storage.Store(ctx, key, value)
}

func (m *memory) Load(ctx context.Context, key string) ([]byte, error) {
	m.calls.Add(1)
	return m.Storage.Load(ctx, key)
}

func (m *memory) Exists(ctx context.Context, key string) bool {
	m.calls.Add(1)
	return m.Storage.Exists(ctx, key)
}

func (m *memory) Lock(ctx context.Context, name string) error {
	m.calls.Add(1)
	return m.Storage.Lock(ctx, name)
}

// table is an org table that changes.
type table struct {
	mu    sync.Mutex
	hosts map[string]bool
}

func (t *table) set(host string, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.hosts == nil {
		t.hosts = map[string]bool{}
	}
	t.hosts[host] = known
}

func (t *table) known(host string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hosts[host]
}

// authority stands in for a CA: it counts orders and answers as it is told.
type authority struct {
	key    *ecdsa.PrivateKey
	root   *x509.Certificate
	orders atomic.Int64
	// answer is called for each order; nil signs for leafLife.
	answer func(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error)
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := template(rootLife)
	root.NotBefore = root.NotBefore.Add(-rootLife)
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return &authority{key: key, root: root}
}

func (a *authority) place(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	a.orders.Add(1)
	if a.answer != nil {
		return a.answer(ctx, csr)
	}
	return a.sign(csr, time.Now().Add(-skew), time.Now().Add(leafLife))
}

func (a *authority) sign(csr *x509.CertificateRequest, from, until time.Time) (*certmagic.IssuedCertificate, error) {
	leaf := template(leafLife)
	leaf.NotBefore, leaf.NotAfter, leaf.DNSNames = from, until, csr.DNSNames
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.root, csr.PublicKey, a.key)
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

func (a *authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return pool
}

// with makes domains whose orders go to a.
func (a *authority) with(t testing.TB, storage certmagic.Storage, known func(string) bool, change ...func(*Options)) *Domains {
	t.Helper()
	return open(t, append(change, func(o *Options) { o.Storage, o.Known, o.place = storage, known, a.place })...)
}

func open(t testing.TB, change ...func(*Options)) *Domains {
	t.Helper()
	o := Options{Known: everybody}
	for _, c := range change {
		c(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), d.Close()); err != nil {
			t.Error(err)
		}
	})
	return d
}

func everybody(string) bool { return true }

// shake does one handshake over loopback.
func shake(t testing.TB, d *Domains, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := d.Listen(l).Accept(); err == nil {
			serve(t.Context(), tls.Server(c, d.TLSConfig()))
		}
	}()
	defer func() {
		_ = l.Close()
		<-done
	}()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	secure := tls.Client(c, client)
	if err = secure.HandshakeContext(t.Context()); err == nil {
		_, err = io.ReadFull(secure, make([]byte, 5)) // brings session tickets along
	}
	return secure.ConnectionState(), err
}

func serve(ctx context.Context, c *tls.Conn) {
	defer c.Close()
	if c.HandshakeContext(ctx) == nil {
		_, _ = c.Write([]byte("hello"))
	}
}

func to(host string, roots *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: roots}
}

func expect(t testing.TB, d *Domains, host string, roots *x509.CertPool) *x509.Certificate {
	t.Helper()
	state, err := shake(t, d, to(host, roots))
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	return state.PeerCertificates[0]
}

func refused(t testing.TB, d *Domains, client *tls.Config) {
	t.Helper()
	_, err := shake(t, d, client)
	if err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("%q: %v, want the alert for unrecognized names", client.ServerName, err)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	for _, o := range []Options{{}, {Known: everybody}, {Dir: t.TempDir()}} {
		if d, err := New(o); err == nil {
			t.Errorf("%+v makes %v", o, d)
		}
	}
}

func TestNothingIsLoadedUpFront(t *testing.T) {
	storage := newMemory(t)
	open(t, func(o *Options) { o.Storage = storage })
	if n := storage.calls.Load(); n != 0 {
		t.Errorf("%d calls to the storage before anybody came", n)
	}
}

func TestAnUnknownNameTouchesNothing(t *testing.T) {
	storage, ca := newMemory(t), newAuthority(t)
	var known table
	known.set("events.acme.example", true)
	known.set("127.0.0.1", true) // an address is no name, whatever the table says
	d := ca.with(t, storage, known.known)
	for _, c := range []*tls.Config{
		to("nobody.example", nil),
		to("acme.example", nil),
		to("x.events.acme.example", nil),
		to(strings.Repeat("a.", 120)+"example", nil),
		to("*.acme.example", nil),
		to("localhost", nil),
		{InsecureSkipVerify: true}, // names nobody
		{ServerName: "127.0.0.1", InsecureSkipVerify: true},
		{ServerName: "nobody.example", NextProtos: []string{"acme-tls/1"}},
		{ServerName: "nobody.example", MaxVersion: tls.VersionTLS12},
	} {
		refused(t, d, c)
	}
	if n := storage.calls.Load(); n != 0 {
		t.Errorf("%d calls to the storage", n)
	}
	if n := ca.orders.Load(); n != 0 {
		t.Errorf("%d orders", n)
	}
}

func TestAKnownHostIsServedAndKept(t *testing.T) {
	storage, ca := newMemory(t), newAuthority(t)
	d := ca.with(t, storage, everybody)
	first := expect(t, d, "events.acme.example", ca.roots())
	calls := storage.calls.Load()
	for _, name := range []string{"events.acme.example", "EVENTS.acme.Example"} {
		if again := expect(t, d, name, ca.roots()); !again.Equal(first) {
			t.Errorf("%s: another certificate", name)
		}
	}
	if n := storage.calls.Load(); n != calls {
		t.Errorf("%d calls to the storage for what is in memory", n-calls)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := ca.with(t, storage, everybody) // a restart, or another edge
	if got := expect(t, again, "events.acme.example", ca.roots()); !got.Equal(first) {
		t.Error("another certificate after a restart")
	}
	if n := ca.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestAHostThatLeavesTheTableIsRefused(t *testing.T) {
	ca := newAuthority(t)
	var known table
	known.set("gone.example", true)
	d := ca.with(t, newMemory(t), known.known)
	client := to("gone.example", ca.roots())
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	if _, err := shake(t, d, client); err != nil {
		t.Fatal(err)
	}
	if state, err := shake(t, d, client); err != nil {
		t.Fatal(err)
	} else if !state.DidResume {
		t.Fatal("the session was not resumed, so tickets prove nothing here")
	}
	known.set("gone.example", false)
	refused(t, d, client)
	refused(t, d, to("gone.example", ca.roots()))
}

func TestFortyAtOnceMakeOneOrder(t *testing.T) {
	const many = 40
	ca := newAuthority(t)
	// Known is asked twice by each handshake before certmagic has it, and once
	// by certmagic for whoever makes the order.
	var asked atomic.Int64
	everybodyIsThere := make(chan struct{})
	d := ca.with(t, newMemory(t), func(string) bool {
		if asked.Add(1) == 2*many+1 {
			close(everybodyIsThere)
		}
		return true
	})
	ca.answer = func(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
		<-everybodyIsThere
		return ca.sign(csr, time.Now().Add(-skew), time.Now().Add(leafLife))
	}
	var wg sync.WaitGroup
	for range many {
		wg.Go(func() {
			if _, err := shake(t, d, to("new.example", ca.roots())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := ca.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestAnOrderGoesOnWhenItsFirstClientHangsUp(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	begun, hungUp := make(chan struct{}), make(chan struct{})
	ca.answer = func(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
		close(begun)
		<-hungUp
		if ctx.Err() != nil {
			t.Error("the order was broken off with its client")
		}
		return ca.sign(csr, time.Now().Add(-skew), time.Now().Add(leafLife))
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- tls.Server(theirs, d.TLSConfig()).HandshakeContext(ctx) }()
	go func() { _ = tls.Client(ours, to("new.example", ca.roots())).HandshakeContext(ctx) }()
	<-begun
	cancel()
	_ = ours.Close()
	close(hungUp)
	if err := <-served; err == nil {
		t.Error("a handshake without a client went through")
	}
	expect(t, d, "new.example", ca.roots())
	if n := ca.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestACrowdWaitsForNobodyElse(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	expect(t, d, "there.example", ca.roots())
	d.inside.Add(crowd)
	expect(t, d, "there.example", ca.roots())
	if _, err := shake(t, d, to("new.example", ca.roots())); err == nil {
		t.Error("one more may wait")
	}
	d.inside.Add(-crowd)
	expect(t, d, "new.example", ca.roots())
	if n := d.inside.Load(); n != 0 {
		t.Errorf("%d are still inside", n)
	}
}

func TestClosingBreaksOrdersOffAndNobodyRestsForIt(t *testing.T) {
	storage, ca := newMemory(t), newAuthority(t)
	d := ca.with(t, storage, everybody)
	begun := make(chan struct{})
	ca.answer = func(ctx context.Context, _ *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	failed := make(chan error)
	go func() {
		_, err := shake(t, d, to("new.example", ca.roots()))
		failed <- err
	}()
	<-begun
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("a certificate came from nowhere")
	}
	if _, err := storage.Storage.Load(t.Context(), restFile("new.example")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the host rests: %v", err)
	}
}
