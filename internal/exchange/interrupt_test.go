package exchange_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout/internal/exchange"
)

// start begins an answer and does not go on.
func start(head string) func(net.Conn, <-chan struct{}) {
	return func(c net.Conn, end <-chan struct{}) {
		http.ReadRequest(bufio.NewReader(c))
		io.WriteString(c, head)
		<-end
	}
}

// The context and Break interrupt whatever is going on, at once, but for a
// context that ends as soon as the request has begun: that is seen within 20 ms.
func TestInterruptions(t *testing.T) {
	large := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		serve func(net.Conn, <-chan struct{}) // nil: it cannot be dialled
		body  string
		op    string
	}{
		"dialling":             {op: "dial"},
		"writing a head":       {serve: func(c net.Conn, end <-chan struct{}) { c.Read(make([]byte, 10)); <-end }, op: "write"},
		"waiting for a head":   {serve: start(""), op: "read"},
		"in a head":            {serve: start("HTTP/1.1 200"), op: "read"},
		"between hints":        {serve: start("HTTP/1.1 103 Early Hints\r\n\r\n"), op: "read"},
		"in a body":            {serve: start(plain[:len(plain)-1]), op: "read"},
		"in a chunk":           {serve: start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), op: "read"},
		"sending a large body": {serve: start(""), body: large, op: "read"},
		"while answered":       {serve: start(plain[:len(plain)-1]), body: large, op: "read"},
	} {
		for _, how := range []error{context.Canceled, errLater, context.DeadlineExceeded, errGone} {
			t.Run(name+"/"+how.Error(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { interrupted(t, c.serve, c.body, c.op, how) })
			})
		}
	}
}

var (
	errGone  = errors.New("the instance is gone")
	errLater = errors.New("canceled later")
)

func interrupted(t *testing.T, serve func(net.Conn, <-chan struct{}), body, op string, how error) {
	u := &upstream{serve: func(c net.Conn) { serve(c, t.Context().Done()) }}
	dial := u.dial
	if serve == nil {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	client := exchange.New(exchange.Options{Addr: "x:1", Dial: dial, DialTimeout: time.Hour})
	bounded, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	ctx, cancel := context.WithCancelCause(bounded)
	defer cancel(nil)
	go func() {
		synctest.Wait()
		switch {
		case errors.Is(how, errGone):
			client.Break(errGone)
		case errors.Is(how, context.Canceled):
			cancel(nil)
		case errors.Is(how, errLater):
			<-time.After(time.Second)
			cancel(errLater)
		}
	}()
	began := time.Now()
	_, err := read(t, client, request(t, "POST", strings.NewReader(body)).WithContext(ctx))
	failure(t, err, op, op != "dial", how)
	var first, last time.Duration
	switch {
	case errors.Is(how, errLater):
		first, last = time.Second, time.Second
	case errors.Is(how, context.DeadlineExceeded):
		first, last = time.Minute, time.Minute
	case errors.Is(how, context.Canceled):
		last = 20 * time.Millisecond
	}
	if took := time.Since(began); took < first || took > last {
		t.Errorf("after %s, not from %s to %s", took, first, last)
	}
}

// A context that ends late spoils nothing for the next request.
func TestContextEndsBeforeTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &upstream{serve: answering(plain)}
		c := u.client(t)
		ctx, cancel := context.WithCancel(t.Context())
		resp, err := c.RoundTrip(request(t, "GET", nil).WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "hello" { // it was there already
			t.Errorf("got %q, %v", b, err)
		}
		if b, err := read(t, c, request(t, "GET", nil)); err != nil || b != "hello" {
			t.Errorf("the next one got %q, %v", b, err)
		}
	})
}

// After Break everything goes on over new connections.
func TestBreak(t *testing.T) {
	u := &upstream{serve: answering(plain)}
	c := u.client(t)
	for range 3 {
		if _, err := read(t, c, request(t, "GET", nil)); err != nil {
			t.Fatal(err)
		}
		c.Break(errGone)
	}
	if u.dials.Load() != 3 {
		t.Errorf("dialled %d times", u.dials.Load())
	}
	resp, err := c.RoundTrip(request(t, "GET", nil))
	if err != nil {
		t.Fatal(err)
	}
	c.Break(nil)
	if _, err = io.ReadAll(resp.Body); err != nil { // what had arrived may still be read
		failure(t, err, "read", true, exchange.ErrBroken)
	}
	if _, err := read(t, c, request(t, "GET", nil)); err != nil {
		t.Errorf("the broken connection was kept: %v", err)
	}
}

// P10: an upstream that is taken off the list loses no request, not even a late one.
func TestP10Close(t *testing.T) {
	u := &upstream{serve: answering(plain)}
	c := u.client(t)
	if _, err := read(t, c, request(t, "GET", nil)); err != nil {
		t.Fatal(err)
	}
	resp, err := c.RoundTrip(request(t, "GET", nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "hello" {
		t.Errorf("under way: %q, %v", b, err)
	}
	for range 2 {
		if b, err := read(t, c, request(t, "GET", nil)); err != nil || b != "hello" {
			t.Errorf("late: %q, %v", b, err)
		}
	}
	if u.dials.Load() != 3 {
		t.Errorf("dialled %d times, want once and once for each late one", u.dials.Load())
	}
}
