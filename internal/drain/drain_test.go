package drain_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/turnout-events/turnout/internal/drain"
)

func refuse(w http.ResponseWriter, r *http.Request) {
	drain.Rest(w, r)
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
}

// A client that writes all of a large body before it reads gets the answer.
func TestAnswerOutlivesALargeBody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(refuse))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const size = 16 << 20
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
	if n, err := io.Copy(c, io.LimitReader(zeros{}, size)); err != nil {
		t.Fatalf("after %d bytes: %v", n, err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d", resp.StatusCode)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// What is read is bounded.
func TestRestIsBounded(t *testing.T) {
	counted := &counter{r: zeros{}}
	r := httptest.NewRequest("POST", "/", counted)
	drain.Rest(httptest.NewRecorder(), r)
	if counted.n < 32<<20 || counted.n > 33<<20 {
		t.Errorf("read %d bytes", counted.n)
	}
	drain.Rest(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += n
	return n, err
}
