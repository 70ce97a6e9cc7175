package wiretest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// echo answers each line with itself, and tells when a caller has gone.
func echo(t *testing.T, network, address string) (target string, left <-chan error) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	gone := make(chan error, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, err := io.Copy(c, c)
				gone <- err
				c.Close()
			}()
		}
	}()
	return l.Addr().String(), gone
}

func start(t *testing.T, network, target string) *Wire {
	t.Helper()
	w, err := Listen(t.Context(), "127.0.0.1:0", network, target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func dial(t *testing.T, w *Wire) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", w.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// hears sends a line and reports whether it comes back within a moment.
func hears(t *testing.T, c net.Conn, line string) error {
	t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		return err
	}
	return listens(t, c, line)
}

func listens(t *testing.T, c net.Conn, line string) error {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		return err
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && got != line+"\n" {
		t.Fatalf("%q came back as %q", line, got)
	}
	return err
}

func silent(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

func TestPassesOn(t *testing.T) {
	for network, address := range map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		target, left := echo(t, network, address)
		w := start(t, network, target)
		c := dial(t, w)
		if err := hears(t, c, "hello"); err != nil {
			t.Fatalf("%s: %v", network, err)
		}
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if err := <-left; err != nil {
			t.Errorf("%s: the target hears %v of an orderly end", network, err)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the caller hears %v", network, err)
		}
	}
}

func TestHoldsAndPassesOnLater(t *testing.T) {
	target, _ := echo(t, "tcp", "127.0.0.1:0")
	w := start(t, "tcp", target)
	c := dial(t, w)
	w.Set(Fault{Hold: true})
	if err := hears(t, c, "late"); !silent(err) {
		t.Fatalf("a wire that holds answers %v", err)
	}
	w.Set(Fault{})
	if err := listens(t, c, "late"); err != nil {
		t.Error(err)
	}
}

// A connection that lost something stays silent when the wire is healed, as one
// that was cut does, and a new one works. What loses the caller's words, or is cut,
// does not tell the target that the caller left.
func TestWhatIsLostStaysLost(t *testing.T) {
	for name, c := range map[string]struct {
		fault  Fault
		cut    bool
		secret bool // that the caller left
	}{"up": {fault: Fault{LoseUp: true}, secret: true}, "down": {fault: Fault{LoseDown: true}}, "cut": {cut: true, secret: true}} {
		t.Run(name, func(t *testing.T) {
			target, left := echo(t, "tcp", "127.0.0.1:0")
			w := start(t, "tcp", target)
			conn := dial(t, w)
			if err := hears(t, conn, "before"); err != nil {
				t.Fatal(err)
			}
			w.Set(c.fault)
			if c.cut {
				w.Cut()
			}
			if err := hears(t, conn, "lost"); !silent(err) {
				t.Fatalf("it answers %v", err)
			}
			w.Set(Fault{})
			if err := hears(t, conn, "again"); !silent(err) {
				t.Errorf("once healed it answers %v", err)
			}
			if err := hears(t, dial(t, w), "new"); err != nil {
				t.Errorf("a new connection: %v", err)
			}
			conn.Close()
			if !c.secret {
				return
			}
			select {
			case <-left:
				t.Error("the target has heard that the caller left")
			case <-time.After(100 * time.Millisecond):
			}
		})
	}
}

func TestResetsAndRefuses(t *testing.T) {
	target, _ := echo(t, "tcp", "127.0.0.1:0")
	w := start(t, "tcp", target)
	c := dial(t, w)
	if err := hears(t, c, "before"); err != nil {
		t.Fatal(err)
	}
	w.Reset()
	if err := listens(t, c, ""); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after a reset the caller hears %v", err)
	}
	w.Set(Fault{Refuse: true})
	refused, err := net.Dial("tcp", w.Address())
	if err == nil { // by now it may have heard of the reset already
		err = hears(t, refused, "no")
		refused.Close()
	}
	if err == nil || silent(err) {
		t.Errorf("a wire that refuses answers %v", err)
	}
}

func TestDelays(t *testing.T) {
	target, _ := echo(t, "tcp", "127.0.0.1:0")
	w := start(t, "tcp", target)
	w.Set(Fault{Delay: 50 * time.Millisecond})
	c := dial(t, w)
	began := time.Now()
	if err := hears(t, c, "slow"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 100*time.Millisecond {
		t.Errorf("there and back took %v", took)
	}
}

// Close comes back whatever its connections are doing.
func TestCloseEndsEverything(t *testing.T) {
	target, _ := echo(t, "tcp", "127.0.0.1:0")
	for _, f := range []Fault{{}, {Hold: true}, {Delay: time.Hour}, {LoseUp: true, LoseDown: true}} {
		w := start(t, "tcp", target)
		w.Set(f)
		for range 3 {
			if _, err := io.WriteString(dial(t, w), "x\n"); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan struct{})
		go func() { w.Close(); close(done) }()
		select {
		case <-done:
		case <-time.After(5 * time.Second):
			t.Fatalf("%+v: it does not end", f)
		}
	}
}
