package exchange

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// small is the largest body, in bytes, that is sent together with the head.
const small = 64 << 10

// message is a request as it goes out first: the head, and a small body.
type message struct {
	bytes []byte
	// rest is the length of the body that follows, -1 if it is unknown.
	rest int64
	// trailers are the names that were announced.
	trailers []string
}

// compose writes the beginning of r to b, which it returns grown in any case.
func compose(b []byte, r *http.Request) (message, error) {
	m := message{rest: length(r)}
	var err error
	if m.rest < 0 {
		m.trailers = trailerNames(r)
	}
	if m.bytes, err = appendHead(b, r, &m); err != nil {
		return m, err
	}
	if m.rest > 0 && m.rest <= small {
		m.bytes, err = appendBody(m.bytes, r.Body, int(m.rest))
		m.rest = 0
		closeBody(r)
	}
	return m, err
}

// length is the length of r's body in bytes, -1 if it is unknown.
func length(r *http.Request) int64 {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return 0
	case r.ContentLength > 0:
		return r.ContentLength
	}
	return -1
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // it is the request's source, which has no more to say
	}
}

func appendHead(b []byte, r *http.Request, m *message) ([]byte, error) {
	b, err := appendTarget(b, r)
	if err != nil {
		return b, err
	}
	switch {
	case m.rest < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	case m.rest > 0 || r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch:
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, m.rest, 10), "\r\n"...)
	}
	if r.ContentLength > 0 && m.rest == 0 {
		return b, ErrLength // there is none
	}
	if len(m.trailers) > 0 {
		b = append(b, "Trailer: "...)
		b = append(append(b, strings.Join(m.trailers, ", ")...), "\r\n"...)
	}
	if r.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	if b, err = appendFields(b, r.Header); err != nil {
		return b, err
	}
	return append(b, "\r\n"...), nil
}

// appendTarget writes the request's first two lines.
func appendTarget(b []byte, r *http.Request) ([]byte, error) {
	method, host, target := r.Method, r.Host, ""
	if method == "" {
		method = http.MethodGet
	}
	if r.URL != nil {
		target = r.URL.RequestURI()
		if host == "" {
			host = r.URL.Host
		}
	}
	// A tunnel is not an exchange.
	if !httpguts.ValidHeaderFieldName(method) || method == http.MethodConnect || !visible(target) || !httpguts.ValidHostHeader(host) {
		return b, ErrRequest
	}
	b = append(append(b, method...), ' ')
	b = append(append(b, target...), " HTTP/1.1\r\nHost: "...)
	return append(append(b, host...), "\r\n"...), nil
}

// visible reports whether s is one word on one line.
func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// appendFields writes a header or a trailer in no particular order, without the
// fields that say where the message ends: those are for appendHead.
func appendFields(b []byte, h http.Header) ([]byte, error) {
	for name, values := range h {
		if framing(name) {
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return b, ErrRequest
		}
		for _, v := range values {
			if !httpguts.ValidHeaderFieldValue(v) {
				return b, ErrRequest
			}
			b = append(append(b, name...), ": "...)
			b = append(append(b, v...), "\r\n"...)
		}
	}
	return b, nil
}

// framing reports whether a field says where a message goes or ends, however
// it is spelled: a second one would be a second opinion.
func framing(name string) bool {
	switch len(name) {
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

// trailerNames are the announced names in order, without those that must not
// come after a body (RFC 9110, section 6.5.1).
func trailerNames(r *http.Request) []string {
	var names []string
	for name := range r.Trailer {
		if httpguts.ValidHeaderFieldName(name) && httpguts.ValidTrailerHeader(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// appendBody reads a body of n bytes. It has to end there.
func appendBody(b []byte, body io.Reader, n int) ([]byte, error) {
	at := len(b)
	end := at + n
	b = slices.Grow(b, n+1)[:end+1] // room for a byte too many
	for at <= end {
		k, err := body.Read(b[at:])
		at += k
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return b[:at], err
		}
	}
	if at != end {
		return b[:at], ErrLength
	}
	return b[:end], nil
}
