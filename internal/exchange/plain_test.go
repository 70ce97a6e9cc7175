package exchange

import (
	"bufio"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// plainAnswers are read by readPlain; the others are not.
func plainAnswers() (plain, others []string) {
	head := func(lines ...string) string { return strings.Join(append(lines, "", "hello"), "\r\n") }
	return []string{
			head("HTTP/1.1 200 OK", "Content-Length: 5"),
			head("HTTP/1.1 200 ", "Content-Length: 5"),
			head("HTTP/1.1 404 Not Found", "content-type: text/html; charset=utf-8", "Content-Length:5 "),
			head("HTTP/1.1 503 Service Unavailable", "Content-Length: 0", "Retry-After: 3"),
			head("HTTP/1.1 200 OK", "Set-Cookie: a=1", "Content-Length: 005", "Set-Cookie: b=2", "X:"),
			head("HTTP/1.1 200 OK", "Content-Length: 50"),
		}, []string{
			"", "HTTP/1.1 200 OK\r\n", "\r\n\r\n", head(""), head("HTTP/1.1 200", "Content-Length: 5"),
			head("HTTP/1.1 200 OK"),
			head("HTTP/1.0 200 OK", "Content-Length: 5"),
			head("HTTP/1.1 2000 OK", "Content-Length: 5"),
			head("HTTP/1.1 +20 OK", "Content-Length: 5"),
			head("HTTP/1.1 100 Continue", "Content-Length: 5"),
			head("HTTP/1.1 204 No Content", "Content-Length: 5"),
			head("HTTP/1.1 304 Not Modified", "Content-Length: 5"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"),
			head("HTTP/1.1 200 OK", "Content-Length: +5"),
			head("HTTP/1.1 200 OK", "Content-Length: 5, 5"),
			head("HTTP/1.1 200 OK", "Content-Length: "),
			head("HTTP/1.1 200 OK", "Content-Length : 5"),
			head("HTTP/1.1 200 OK", " Content-Length: 5"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "X: a", " b"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "X"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", ": x"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "X: a\x00b"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "X: a\nY: b"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "X: a\rY: b"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "transfer-encoding: chunked"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "Trailer: X"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "Upgrade: x"),
			head("HTTP/1.1 200 OK", "Content-Length: 5", "Pragma: no-cache"),
			"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\r\n\r\n",
			head("HTTP/1.1 200 OK", "Content-Length: 5", "X: "+strings.Repeat("x", 5000)),
		}
}

func TestPlainAnswers(t *testing.T) {
	plain, others := plainAnswers()
	for _, text := range plain {
		if !readAlike(t, http.MethodGet, text) {
			t.Errorf("is left to net/http: %q", text)
		}
		if readAlike(t, http.MethodHead, text) {
			t.Errorf("is read as the answer to HEAD: %q", text)
		}
	}
	for _, text := range others {
		if readAlike(t, http.MethodGet, text) {
			t.Errorf("is read: %q", text)
		}
	}
}

// What readPlain reads it reads as http.ReadResponse does, and of what it does
// not read it takes nothing.
func FuzzPlain(f *testing.F) {
	plain, others := plainAnswers()
	for _, text := range append(plain, others...) {
		f.Add(http.MethodGet, text)
	}
	f.Fuzz(func(t *testing.T, method, text string) { readAlike(t, method, text) })
}

// readAlike reports whether readPlain reads text.
func readAlike(t *testing.T, method, text string) bool {
	t.Helper()
	r := &http.Request{Method: method}
	ours := bufio.NewReader(strings.NewReader(text))
	got := readPlain(ours, r)
	if got == nil {
		if rest, _ := io.ReadAll(ours); string(rest) != text {
			t.Errorf("took something from %q, which is not plain", text)
		}
		return false
	}
	theirs := bufio.NewReader(strings.NewReader(text))
	want, err := http.ReadResponse(theirs, r)
	if err != nil {
		t.Fatalf("%q is read, where net/http says %v", text, err)
	}
	body, err := io.ReadAll(got.Body)
	wantBody, wantErr := io.ReadAll(want.Body)
	if string(body) != string(wantBody) || (err == nil) != (wantErr == nil) {
		t.Errorf("%q has the body %q (%v), not %q (%v)", text, body, err, wantBody, wantErr)
	}
	rest, _ := io.ReadAll(ours)
	if wantRest, _ := io.ReadAll(theirs); string(rest) != string(wantRest) {
		t.Errorf("%q leaves %q, not %q", text, rest, wantRest)
	}
	got.Body, want.Body = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q is\n%+v\nand not\n%+v", text, got, want)
	}
	return true
}

func BenchmarkPlain(b *testing.B) {
	const text = "HTTP/1.1 200 OK\r\nCache-Control: private, no-store\r\nContent-Length: 5\r\nContent-Type: text/html; charset=utf-8\r\n" +
		"Date: Mon, 02 Jan 2006 15:04:05 GMT\r\nReferrer-Policy: no-referrer\r\nVary: Accept-Encoding\r\nX-Content-Type-Options: nosniff\r\n\r\nhello"
	read := map[string]func(*bufio.Reader, *http.Request) *http.Response{
		"readPlain": readPlain,
		"net/http": func(r *bufio.Reader, q *http.Request) *http.Response {
			resp, _ := http.ReadResponse(r, q)
			return resp
		},
	}
	for name, read := range read {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			from, q := bufio.NewReader(nil), &http.Request{Method: http.MethodGet}
			for b.Loop() {
				from.Reset(strings.NewReader(text))
				if resp := read(from, q); resp == nil {
					b.Fatal("not read")
				}
			}
		})
	}
}
