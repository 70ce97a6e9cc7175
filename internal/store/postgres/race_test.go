package postgres

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// A server on which two take the last seat is refused at the first start, and by the
// first copy, in one line that says what to do, and gets no table (P2).
func TestP2OversellingServerGetsNoTable(t *testing.T) {
	at := place(t, t.TempDir())
	bad := forgetful(t, at)
	for name, open := range map[string]func() error{
		"start": func() error {
			s, err := Open(t.Context(), Options{URL: bad})
			if err == nil {
				err = s.Close()
			}
			return err
		},
		"copy": func() error {
			side, err := OpenTransfer(t.Context(), bad, true)
			if err == nil {
				err = side.Close()
			}
			return err
		},
	} {
		err := open()
		if err == nil {
			t.Fatalf("P2: %s: a server that forgets who took a seat was taken for a store", name)
		}
		if !strings.Contains(err.Error(), "would oversell: use PostgreSQL itself") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if n := tables(t, at); n != 0 {
		t.Errorf("%d tables and indexes were made", n)
	}
	openStore(t, at).Close() // the same server, when it is asked itself
}

// forgetful is the URL of the server at, by way of somebody who has a racer's seat
// not taken, and lets the racer believe that it was.
func forgetful(t *testing.T, at string) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(at)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(cfg.Host, cfg.Port)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", wiretest.FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			caller, err := l.Accept()
			if err != nil {
				return // closed
			}
			all.Go(func() { forget(t, caller, network, address) })
		}
	})
	return rerouted(t, at, l.Addr().String())
}

// forget passes on both ways what a caller and the server say, but for the seat.
func forget(t *testing.T, caller net.Conn, network, address string) {
	defer caller.Close()
	server, err := new(net.Dialer).DialContext(t.Context(), network, address)
	if err != nil {
		t.Error(err)
		return
	}
	var down sync.WaitGroup
	down.Go(func() { _, _ = io.Copy(caller, server) }) // until one has gone
	_ = rewrite(server, caller, "SET taken = taken + 1", "SET taken = taken + 0")
	_ = server.Close()
	down.Wait()
}

// rewrite passes on a client's messages with words replaced by others as long.
func rewrite(to io.Writer, from io.Reader, words, others string) error {
	kind := 0 // the first message has no byte for that
	for {
		head := make([]byte, kind+4)
		if _, err := io.ReadFull(from, head); err != nil {
			return err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[kind:])-4)
		if _, err := io.ReadFull(from, body); err != nil {
			return err
		}
		if _, err := to.Write(append(head, bytes.ReplaceAll(body, []byte(words), []byte(others))...)); err != nil {
			return err
		}
		kind = 1
	}
}
