package domains

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/caddyserver/certmagic"
)

// A meeting is a handshake over a wire without buffers.
type meeting struct {
	client *tls.Conn
	server net.Conn
	result chan error
}

// meet begins a handshake with d that takes its turns from turns.
func meet(ctx context.Context, d *Domains, turns chan struct{}, c *tls.Config) *meeting {
	there, here := net.Pipe()
	s := &shaking{Conn: here, turns: turns}
	m := &meeting{client: tls.Client(there, c), server: s, result: make(chan error, 1)}
	go serve(ctx, tls.Server(s, d.TLSConfig()))
	go func() {
		defer there.Close()
		err := m.client.HandshakeContext(ctx)
		if err == nil {
			_, err = m.client.Read(make([]byte, 5))
		}
		m.result <- err
	}()
	return m
}

// over tells whether the handshake is, once nothing moves any more.
func (m *meeting) over(t *testing.T) bool {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-m.result:
		if err != nil {
			t.Errorf("the handshake failed: %v", err)
		}
		return true
	default:
		return false
	}
}

// versions are those whose handshakes wait at different places.
func versions() map[string]uint16 {
	return map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}
}

func TestP7HandshakesTakeTurns(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	expect(t, d, "a.example", ca.roots())
	for name, version := range versions() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := to("a.example", ca.roots())
				client.MaxVersion, client.InsecureSkipVerify = version, true // a bubble's clock is years behind the certificate
				turns := make(chan struct{}, 1)
				turns <- struct{}{} // somebody else's
				m := meet(t.Context(), d, turns, client)
				if m.over(t) {
					t.Fatal("a handshake did not wait for its turn")
				}
				<-turns
				if !m.over(t) {
					t.Fatal("a handshake whose turn had come did not go on")
				}
				if len(turns) != 0 {
					t.Error("a handshake kept its turn")
				}
			})
		})
	}
}

// Who has shaken hands is served whatever handshakes there are.
func TestP7ServedClientsNeedNoTurn(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	expect(t, d, "a.example", ca.roots())
	for name, version := range versions() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := to("a.example", ca.roots())
				client.MaxVersion, client.InsecureSkipVerify = version, true
				there, here := net.Pipe()
				defer there.Close()
				turns := make(chan struct{}, 1)
				go func() {
					defer here.Close()
					c := tls.Server(&shaking{Conn: here, turns: turns}, d.TLSConfig())
					_, _ = io.Copy(c, c)
				}()
				c := tls.Client(there, client)
				if err := c.HandshakeContext(t.Context()); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				turns <- struct{}{}
				echoed := false
				go func() {
					_, _ = c.Write([]byte("x"))
					_, err := c.Read(make([]byte, 1))
					echoed = err == nil
				}()
				synctest.Wait()
				if !echoed {
					t.Error("a request waited for the handshakes of others")
				}
			})
		})
	}
}

func TestP7SilentClientsHaveNoTurn(t *testing.T) {
	ca := newAuthority(t)
	d := ca.with(t, newMemory(t), everybody)
	expect(t, d, "a.example", ca.roots())
	for name, version := range versions() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := to("a.example", ca.roots())
				client.MaxVersion, client.InsecureSkipVerify = version, true
				turns := make(chan struct{}, 1)
				said := make(chan struct{})
				var silent []*meeting
				for range 3 {
					mute := client.Clone()
					mute.VerifyConnection = func(tls.ConnectionState) error { <-said; return nil }
					silent = append(silent, meet(t.Context(), d, turns, mute))
				}
				synctest.Wait()
				if m := meet(t.Context(), d, turns, client); !m.over(t) {
					t.Error("a handshake waits for clients that say nothing")
				}
				close(said)
				for _, m := range silent {
					if !m.over(t) {
						t.Error("a client that spoke late was not served")
					}
				}
				if len(turns) != 0 {
					t.Error("a handshake kept its turn")
				}
			})
		})
	}
}

func TestClosedHandshakesHaveNoTurn(t *testing.T) {
	d := newAuthority(t).with(t, newMemory(t), everybody)
	synctest.Test(t, func(t *testing.T) {
		turns := make(chan struct{}, 1)
		turns <- struct{}{}
		m := meet(t.Context(), d, turns, to("a.example", nil))
		synctest.Wait()
		_ = m.server.Close() // while it waits
		<-turns
		if err := <-m.result; err == nil {
			t.Error("a closed connection was served")
		}
		synctest.Wait()
		_ = m.server.Close()
		if len(turns) != 0 {
			t.Error("a closed handshake kept its turn")
		}
	})
}

func TestP7OrdersHaveNoTurn(t *testing.T) {
	ca := newAuthority(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	ca.answer = func(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
		asked <- struct{}{}
		<-answer
		ca.answer = nil
		return ca.place(t.Context(), csr)
	}
	d := ca.with(t, newMemory(t), everybody)
	d.turns = make(chan struct{}, 1)
	done := make(chan error, 1)
	go func() {
		_, err := shake(t, d, to("new.example", ca.roots()))
		done <- err
	}()
	<-asked
	if len(d.turns) != 0 {
		t.Error("a handshake that waits for its certificate keeps others from theirs")
	}
	close(answer)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
