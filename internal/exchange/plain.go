package exchange

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// readPlain reads the head of the plainest answer there is: HTTP/1.1, final, with
// a body of one stated length, nothing said about the connection, and all of the
// head here already. Instances hardly ever say anything else, and to read it so costs
// less than http.ReadResponse (BenchmarkPlain). Of any other answer it takes nothing
// from r and gives nil: then ReadResponse is to say what it means. For what it
// reads it says the same; FuzzPlain holds it to that.
func readPlain(r *bufio.Reader, request *http.Request) *http.Response {
	if request.Method == http.MethodHead {
		return nil
	}
	if _, err := r.Peek(1); err != nil {
		return nil // which the next reading tells
	}
	have, _ := r.Peek(r.Buffered())
	end := bytes.Index(have, []byte("\r\n\r\n"))
	if end < 0 {
		return nil
	}
	resp := parsePlain(string(have[:end+len("\r\n")]))
	if resp == nil {
		return nil
	}
	_, _ = r.Discard(end + len("\r\n\r\n")) // it is there
	resp.Request, resp.Body = request, http.NoBody
	if resp.ContentLength > 0 {
		resp.body = counted{from: r, left: resp.ContentLength}
		resp.Body = &resp.body
	}
	return &resp.Response
}

// plain is an answer and its body, made at once.
type plain struct {
	http.Response
	body counted
}

// parsePlain parses lines that each end as the last one does.
func parsePlain(head string) *plain {
	line, rest, _ := strings.Cut(head, "\r\n")
	resp := &plain{Response: http.Response{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: -1}}
	var ok bool
	if resp.Status, ok = strings.CutPrefix(line, "HTTP/1.1 "); !ok || len(resp.Status) < 4 || resp.Status[3] != ' ' || !legible(resp.Status) {
		return nil
	}
	if resp.StatusCode, ok = digits(resp.Status[:3]); !ok || !bodied(resp.StatusCode) {
		return nil
	}
	n := strings.Count(rest, "\r\n")
	resp.Header = make(http.Header, n)
	values := make([]string, 0, n)
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := field(line)
		if !ok || special(name) {
			return nil
		}
		if name == "Content-Length" {
			length, ok := digits(value)
			if !ok || resp.ContentLength >= 0 {
				return nil
			}
			resp.ContentLength = int64(length)
		}
		if have := resp.Header[name]; have != nil {
			resp.Header[name] = append(have, value)
			continue
		}
		values = append(values, value)
		resp.Header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if resp.ContentLength < 0 {
		return nil
	}
	return resp
}

// bodied reports whether an answer is final and has a body.
func bodied(status int) bool {
	return status >= http.StatusOK && status < 600 && status != http.StatusNoContent && status != http.StatusNotModified
}

// special reports whether a field says more than itself.
func special(name string) bool {
	switch name {
	case "Connection", "Transfer-Encoding", "Trailer", "Pragma", "Upgrade":
		return true
	}
	return false
}

// digits reads a number as it stands in most heads.
func digits(s string) (int, bool) {
	if s == "" || len(s) > 15 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// field cuts a line into a canonical name and its value.
func field(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, ":")
	if !ok || !legible(value) {
		return "", "", false
	}
	name, ok = canonical(name)
	return name, strings.Trim(value, " \t"), ok
}

// canonical gives the canonical form of a name of letters, digits, hyphens and
// underlines. There are others, but hardly anybody has any.
func canonical(s string) (string, bool) {
	is, first := true, true // in that form already; at a word's beginning
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z':
			is = is && !first
		case 'A' <= c && c <= 'Z':
			is = is && first
		case '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return "", false
		}
		first = s[i] == '-'
	}
	if is {
		return s, s != ""
	}
	return http.CanonicalHeaderKey(s), true
}

// legible reports whether s is plain text on one line.
func legible(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\t') || c >= 0x7f {
			return false
		}
	}
	return true
}

// counted is a body of known length.
type counted struct {
	from *bufio.Reader
	left int64
}

// Read gives io.EOF together with the last bytes.
func (b *counted) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		return n, io.EOF
	case err == io.EOF:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// Close does nothing: what is left concerns the exchange alone.
func (b *counted) Close() error { return nil }
