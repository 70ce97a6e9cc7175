package domains

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/certmagic"
)

func internal(t testing.TB, dir string, known func(string) bool) (*Domains, *x509.CertPool) {
	t.Helper()
	d := open(t, func(o *Options) { o.Dir, o.Internal, o.Known = dir, true, known })
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(d.RootPEM()) {
		t.Fatal("the root is no PEM")
	}
	return d, roots
}

func TestALocalCAForDevelopment(t *testing.T) {
	dir := t.TempDir()
	known := func(host string) bool { return host == "events.acme.test" }
	d, roots := internal(t, dir, known)
	first := expect(t, d, "events.acme.test", roots)
	for _, name := range []string{"localhost", "acme.localhost", "a.b.localhost", "LOCALHOST"} {
		expect(t, d, name, roots)
	}
	if _, err := shake(t, d, &tls.Config{ServerName: "127.0.0.1", RootCAs: roots}); err != nil {
		t.Errorf("a loopback address: %v", err)
	}
	for _, name := range []string{"nobody.test", "localhost.example", "notlocalhost"} {
		refused(t, d, to(name, roots))
	}
	onDisk, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(RootFile)))
	if err != nil || !bytes.Equal(onDisk, d.RootPEM()) {
		t.Errorf("the root's file: %v", err)
	}

	again, roots := internal(t, dir, known)
	if !bytes.Equal(again.RootPEM(), d.RootPEM()) {
		t.Error("a restart makes another root")
	}
	if got := expect(t, again, "events.acme.test", roots); !got.Equal(first) {
		t.Error("a restart makes another certificate")
	}
}

func TestEdgesThatStartTogetherHaveOneRoot(t *testing.T) {
	dir := t.TempDir()
	roots := make(chan string, 4)
	for range cap(roots) {
		go func() {
			d, err := New(Options{Dir: dir, Internal: true, Known: everybody})
			if err != nil {
				roots <- err.Error()
				return
			}
			defer d.Close()
			roots <- string(d.RootPEM())
		}()
	}
	first := <-roots
	for range cap(roots) - 1 {
		if got := <-roots; got != first {
			t.Errorf("got %s\nand %s", first, got)
		}
	}
}

func TestTheRootOnlySignsServers(t *testing.T) {
	d, roots := internal(t, t.TempDir(), everybody)
	leaf := expect(t, d, "a.test", roots)
	if leaf.IsCA || len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("the leaf may do more than serve: %+v", leaf.ExtKeyUsage)
	}
	if root := d.local.root; !root.IsCA || !root.MaxPathLenZero {
		t.Error("the root can make other CAs")
	}
}

func TestLoopbackNamesAreBounded(t *testing.T) {
	storage := &certmagic.FileStorage{Path: t.TempDir()}
	l, err := openLocalCA(t.Context(), storage)
	if err != nil {
		t.Fatal(err)
	}
	for i := range minted + 10 {
		if _, err := l.ofLoopback(fmt.Sprintf("n%d.localhost", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.byName) > minted {
		t.Errorf("%d certificates in memory", len(l.byName))
	}
	a, _ := l.ofLoopback("same.localhost")
	b, _ := l.ofLoopback("same.localhost")
	if a != b {
		t.Error("one name is minted twice")
	}
}

func TestNoRootWithoutALocalCA(t *testing.T) {
	d := newAuthority(t).with(t, newMemory(t), everybody)
	if d.RootPEM() != nil {
		t.Error("there is a root")
	}
}
