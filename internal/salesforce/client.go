// Package salesforce is a thin client of one org's Salesforce REST and Bulk
// API: it signs in, asks, writes, and says what went wrong in Turnout's codes.
//
// It promises:
//   - A token is fetched once for any number of callers, and a call that met
//     an expired one is repeated once under a new one.
//   - The token goes to the instance that Salesforce named and nowhere else:
//     redirects are never followed, and plain HTTP is refused except on loopback.
//   - Every error is a *turnout.Error with a code from the closed set and, if
//     Salesforce answered, an *APIError behind it. No error text and no log line
//     holds personal data, a query, or a token.
//
// What the records mean is package mapping's business; package orgs puts the
// two together for the features.
//
// Facts about the API are from the REST API and Bulk API 2.0 developer guides
// (v65.0) unless a comment says otherwise.
package salesforce

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/turnout-events/turnout"
)

// DefaultAPIVersion is used where the connection names none.
const DefaultAPIVersion = "v65.0"

const (
	defaultTimeout  = 2 * time.Minute
	defaultTokenTTL = time.Hour
	defaultPoll     = 2 * time.Second
	maxReply        = 64 << 20 // bytes after decompression; a page of 2,000 rows with long texts stays far below
	maxErrorReply   = 64 << 10 // bytes; an error says less than that
	gzipFrom        = 1 << 10  // bytes; smaller bodies do not gain
)

// Options are what a Client is made of.
type Options struct {
	// HTTP carries the calls; nil makes one with TLS 1.2 or newer. Its redirect
	// policy and cookie jar are not used.
	HTTP       *http.Client
	Connection turnout.Connection
	Secrets    turnout.Secrets
	// Logger gets one line per sign-in; nil discards it.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Timeout bounds one call, and in a bulk body or result the time in which nothing
	// comes or goes; zero means two minutes.
	Timeout time.Duration
	// TokenTTL is how long a token is used before a new one is fetched unasked,
	// since Salesforce does not tell; zero means one hour.
	TokenTTL time.Duration
	// PollEvery is the first pause between two looks at a bulk job; it grows to
	// eight times that. Zero means two seconds.
	PollEvery time.Duration
	// Observe is told about every HTTP call: its operation (see Operations),
	// its code (empty for success) and its duration. It must not block.
	Observe func(operation string, code turnout.Code, took time.Duration)
}

// Client talks to one org. It is safe for concurrent use.
type Client struct {
	opts    Options
	http    *http.Client
	version string
	flight  singleflight.Group

	mu    sync.Mutex
	token token
	usage turnout.Usage
	skew  time.Duration // Salesforce's clock minus ours
}

// New makes a client. It does no I/O; a wrong connection shows in the first call.
func New(opts Options) *Client {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Observe == nil {
		opts.Observe = func(string, turnout.Code, time.Duration) {}
	}
	opts.Timeout = orDefault(opts.Timeout, defaultTimeout)
	opts.TokenTTL = orDefault(opts.TokenTTL, defaultTokenTTL)
	opts.PollEvery = orDefault(opts.PollEvery, defaultPoll)
	version := opts.Connection.APIVersion
	if version == "" {
		version = DefaultAPIVersion
	}
	return &Client{opts: opts, http: withoutRedirects(opts.HTTP), version: version}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// withoutRedirects copies base so that a reply can never send the token, or
// the secret, to another place.
func withoutRedirects(base *http.Client) *http.Client {
	client := &http.Client{}
	if base != nil {
		*client = *base
	} else {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		transport.MaxIdleConnsPerHost = 16
		client.Transport = transport
	}
	client.Jar = nil
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// Usage is the org's API usage as the last reply told; zero before the first.
func (c *Client) Usage() turnout.Usage {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.usage
}

// Clock is Salesforce's time as its last reply told, ours before the first.
// Its resolution is a second.
func (c *Client) Clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.opts.Now().Add(c.skew).UTC()
}

// call is one request to the instance.
type call struct {
	op     string // as Observe counts it
	method string
	// path is below the instance: "/services/data/v65.0/query?q=…".
	path string
	// body is sent as JSON, or is JSON already if it is bytes; nil for none.
	body any
	// raw is sent instead of body, as contentType; it cannot be replayed.
	raw         io.Reader
	contentType string
	accept      string
	// open is a call without a token.
	open bool
}

// data is a path below the versioned root.
func (c *Client) data(path string) string { return "/services/data/" + c.version + path }

// json makes a call and decodes its reply into out, which may be nil.
func (c *Client) json(ctx context.Context, in call, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	reply, err := c.do(ctx, in)
	if err != nil {
		return err
	}
	defer drain(reply.Body)
	if out == nil {
		return nil
	}
	decoder := json.NewDecoder(io.LimitReader(reply.Body, maxReply))
	decoder.UseNumber() // 18-digit numbers do not fit a float
	if err := decoder.Decode(out); err != nil {
		return unreadable(ctx, in)
	}
	return nil
}

// unreadable reports a reply that was cut off or is not what was asked for.
// The decoder's words are left out, since they may quote a value.
func unreadable(ctx context.Context, in call) error {
	return &turnout.Error{Code: brokenCode(in), Op: "read salesforce reply to " + in.op,
		Detail: "the reply is cut off or not JSON", Err: ctx.Err()}
}

// do makes a call and returns its reply, which the caller closes. It signs in
// when there is no token, and once more when Salesforce no longer takes it.
func (c *Client) do(ctx context.Context, in call) (*http.Response, error) {
	payload, zipped, err := encode(in)
	if err != nil {
		return nil, err
	}
	tok, err := c.signIn(ctx, "")
	if err != nil {
		return nil, err
	}
	reply, err := c.send(ctx, in, payload, zipped, tok)
	if turnout.CodeOf(err) != turnout.CodeExpired || in.raw != nil || in.open {
		return reply, err
	}
	tok, err = c.signIn(ctx, tok.access)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, in, payload, zipped, tok)
}

func encode(in call) (payload []byte, zipped bool, err error) {
	if in.body == nil {
		return nil, false, nil
	}
	payload, written := in.body.([]byte)
	if !written {
		if payload, err = json.Marshal(in.body); err != nil {
			return nil, false, unwritable(in.op)
		}
	}
	if len(payload) < gzipFrom {
		return payload, false, nil
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	_, _ = w.Write(payload) // a bytes.Buffer does not fail
	_ = w.Close()
	return b.Bytes(), true, nil
}

// unwritable reports a body that is not to be had as JSON. The encoder's words are
// left out, since they may quote a value.
func unwritable(op string) error {
	return turnout.Errorf(turnout.CodeInternal, "encode salesforce "+op, "the body cannot be written as JSON")
}

// send makes one HTTP request, reads what every reply carries, and turns a
// reply that is not a success into an error.
func (c *Client) send(ctx context.Context, in call, payload []byte, zipped bool, tok token) (*http.Response, error) {
	req, err := c.request(ctx, in, payload, zipped, tok)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	reply, err := c.http.Do(req)
	if err != nil {
		err = broken(in, err)
		c.opts.Observe(in.op, turnout.CodeOf(err), time.Since(started))
		return nil, err
	}
	c.learn(reply.Header)
	if reply.StatusCode/100 == 2 {
		c.opts.Observe(in.op, "", time.Since(started))
		return reply, nil
	}
	defer drain(reply.Body)
	err = replyError("salesforce "+in.op, reply)
	c.opts.Observe(in.op, turnout.CodeOf(err), time.Since(started))
	return nil, err
}

func (c *Client) request(ctx context.Context, in call, payload []byte, zipped bool, tok token) (*http.Request, error) {
	var body io.Reader
	switch {
	case in.raw != nil:
		body = in.raw
	case in.body != nil:
		body = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, in.method, tok.instance+in.path, body)
	if err != nil {
		return nil, turnout.Errorf(turnout.CodeInternal, "salesforce "+in.op, "the request cannot be built")
	}
	h := req.Header
	if !in.open {
		h.Set("Authorization", "Bearer "+tok.access)
	}
	h.Set("Accept", "application/json")
	if in.accept != "" {
		h.Set("Accept", in.accept)
	}
	// The integration user's list of recently used records is of no use to
	// anybody, and keeping it costs Salesforce time.
	h.Set("Sforce-Mru", "updateMru=false")
	h.Set("Sforce-Call-Options", "client=Turnout")
	switch {
	case in.raw != nil:
		h.Set("Content-Type", in.contentType)
	case in.body != nil:
		h.Set("Content-Type", "application/json; charset=UTF-8")
	}
	if zipped {
		h.Set("Content-Encoding", "gzip")
	}
	return req, nil
}

// learn keeps what a reply's headers say about usage and time.
func (c *Client) learn(h http.Header) {
	used, limit, told := parseUsage(h.Get("Sforce-Limit-Info"))
	date, err := http.ParseTime(h.Get("Date"))
	now := c.opts.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if told {
		c.usage = turnout.Usage{Used: used, Limit: limit, At: now.UTC()}
	}
	if err == nil {
		c.skew = date.Sub(now)
	}
}

// broken reports a call that got no reply. The URL in the transport's own
// error holds the query, so only its cause is kept.
func broken(in call, err error) error {
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		err = outer.Err
	}
	if own := (*turnout.Error)(nil); errors.As(err, &own) {
		return &turnout.Error{Code: own.Code, Op: "salesforce " + in.op, Err: own} // from what was being sent
	}
	code := brokenCode(in)
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Op == "dial" {
		code = turnout.CodeUnavailable // nothing was sent
	}
	return &turnout.Error{Code: code, Op: "salesforce " + in.op, Detail: "no reply", Err: err}
}

// brokenCode is what a lost reply means: a read did not happen, a write may have.
func brokenCode(in call) turnout.Code {
	if in.method == http.MethodGet || in.op == opQuery {
		return turnout.CodeUnavailable
	}
	return turnout.CodeUnknown
}

// drain lets the connection be used again, unless that means reading a lot.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 256<<10)
	_ = body.Close()
}

// safeOrigin checks that a URL is an origin that may see a token: https, or
// http on loopback; it returns it without a trailing slash.
func safeOrigin(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return "", false
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
