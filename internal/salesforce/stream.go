package salesforce

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// errSilent ends a call in which nothing comes or goes any more.
var errSilent = errors.New("salesforce has been silent for too long")

// stream makes a call whose body or reply is too long for a Timeout: it ends once
// Salesforce has neither taken nor sent anything for so long, and may take hours as
// long as it does. The caller closes the reply.
func (c *Client) stream(ctx context.Context, in call) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	s := silence{limit: c.opts.Timeout, timer: time.AfterFunc(c.opts.Timeout, func() { cancel(errSilent) }), cancel: cancel}
	if in.raw != nil {
		in.raw = sent{in.raw, s}
	}
	reply, err := c.do(ctx, in)
	if s.timer.Stop(); err != nil {
		cancel(nil)
		return nil, err
	}
	reply.Body = received{reply.Body, s}
	return reply, nil
}

// silence is how long it may last, and what ends a call then.
type silence struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// sent is a body: what its own source takes is no silence of Salesforce's.
type sent struct {
	io.Reader
	silence
}

func (s sent) Read(p []byte) (int, error) {
	s.timer.Stop()
	defer s.timer.Reset(s.limit)
	return s.Reader.Read(p)
}

// received is a reply: what its reader takes is none either.
type received struct {
	io.ReadCloser
	silence
}

func (r received) Read(p []byte) (int, error) {
	r.timer.Reset(r.limit)
	defer r.timer.Stop()
	return r.ReadCloser.Read(p)
}

func (r received) Close() error {
	defer r.cancel(nil)
	return r.ReadCloser.Close()
}
