package salesforce

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// transport answers as Salesforce does, except to a bulk result: result does.
type transport struct {
	result func(ctx context.Context) (io.Reader, error)
}

func (tr transport) RoundTrip(r *http.Request) (*http.Response, error) {
	reply := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: r}
	if strings.HasSuffix(r.URL.Path, "/token") {
		reply.Body = io.NopCloser(strings.NewReader(`{"access_token":"t","instance_url":"https://org.example"}`))
		return reply, nil
	}
	body, err := tr.result(r.Context())
	if err != nil {
		return nil, err
	}
	reply.Body = io.NopCloser(body)
	return reply, nil
}

// rows are a CSV of n rows, with a pause before each.
func rows(ctx context.Context, n int, pause time.Duration) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		_, _ = io.WriteString(pw, "Id\n")
		for i := range n {
			if err := wait(ctx, pause); err != nil {
				pw.CloseWithError(err)
				return
			}
			if _, err := fmt.Fprintf(pw, "%d\n", i); err != nil {
				return
			}
		}
		_ = pw.Close()
	}()
	return pr
}

// TestP5SilentResultEnds: a bulk result that is never answered, or stops in the middle,
// is an error after the timeout, and not the end of reading an org's links. One that
// takes long and goes on is none.
func TestP5SilentResultEnds(t *testing.T) {
	for name, test := range map[string]struct {
		result func(ctx context.Context) (io.Reader, error)
		rows   int
		code   turnout.Code
	}{
		"no reply":        {func(ctx context.Context) (io.Reader, error) { <-ctx.Done(); return nil, context.Cause(ctx) }, 0, turnout.CodeUnavailable},
		"a stalled reply": {func(ctx context.Context) (io.Reader, error) { return rows(ctx, 3, 3*time.Minute), nil }, 0, turnout.CodeUnavailable},
		"a slow reply":    {func(ctx context.Context) (io.Reader, error) { return rows(ctx, 100, time.Minute), nil }, 100, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := New(Options{Connection: turnout.Connection{LoginURL: "https://login.example", Flow: "client_credentials"}, HTTP: &http.Client{Transport: transport{test.result}}, Timeout: 2 * time.Minute})
				ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				got := 0
				_, err := c.ResumeBulkQuery(BulkPlace{Job: "750000000000001AAA", Total: 100}).Page(ctx, func(Record) error { got++; return nil })
				if ctx.Err() != nil {
					t.Fatal("it waits for ever")
				}
				if turnout.CodeOf(err) != test.code || got != test.rows {
					t.Errorf("%d rows, %v", got, err)
				}
			})
		})
	}
}
