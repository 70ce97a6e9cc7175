package exchange

import (
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/net/http/httpguts"
)

// hop reports whether a field, in its canonical form, is meant for the next
// hop only (RFC 9110, section 7.6.1, and what RFC 2616 listed).
func hop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return true
	}
	return false
}

// claim reports whether a field says where a request comes from.
func claim(name string) bool {
	switch name {
	case "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto":
		return true
	}
	return false
}

// listed are the canonical names that a Connection field lists.
func listed(connection []string) []string {
	var names []string
	for _, v := range connection {
		for name := range strings.SplitSeq(v, ",") {
			if name = textproto.TrimString(name); name != "" {
				names = append(names, http.CanonicalHeaderKey(name))
			}
		}
	}
	return names
}

// Prepare turns a request that a server received into the one for an upstream.
// Method, URL, Host and body stay, and so do all fields but those for one hop
// ("Te: trailers" stays), Expect, and what the sender claims about where the
// request comes from: that is said anew, with clientIP and proto ("http" or
// "https"). There is no upgrade: Connection and Upgrade are gone.
//
// The result shares no map with in except Trailer, whose values appear at the
// body's end. It can be sent several times when Body is replaced. Closing its
// body does not close in's, which is its server's to close, but nothing is read
// from in afterwards. A handler that answers before it has read in's body whole
// needs http.ResponseController.EnableFullDuplex: the server reads the rest
// before it lets an answer out.
func Prepare(in *http.Request, clientIP, proto string) *http.Request {
	out := in.WithContext(in.Context())
	own := &struct { // one allocation for all
		url  url.URL
		told [3]string
	}{*in.URL, [3]string{clientIP, in.Host, proto}}
	out.URL, out.Header = &own.url, forwarded(in.Header)
	out.Header["X-Forwarded-For"] = own.told[0:1:1]
	out.Header["X-Forwarded-Host"] = own.told[1:2:2]
	out.Header["X-Forwarded-Proto"] = own.told[2:3:3]
	out.Close, out.RequestURI, out.GetBody, out.TransferEncoding = false, "", nil, nil
	if in.ContentLength == 0 || in.Body == nil {
		out.Body = http.NoBody
	} else {
		out.Body = &borrowed{from: in.Body}
	}
	return out
}

func forwarded(in http.Header) http.Header {
	out := make(http.Header, len(in)+3)
	drop := listed(in["Connection"])
	for name, values := range in {
		if !hop(name) && !claim(name) && name != "Expect" && !slices.Contains(drop, name) {
			out[name] = slices.Clip(values) // whoever adds a value gets a copy
		}
	}
	if httpguts.HeaderValuesContainsToken(in["Te"], "trailers") {
		out["Te"] = []string{"trailers"}
	}
	return out
}

// borrowed is a body that belongs to somebody else.
type borrowed struct {
	from   io.Reader
	closed atomic.Bool
}

func (b *borrowed) Read(p []byte) (int, error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.from.Read(p)
}

func (b *borrowed) Close() error {
	b.closed.Store(true)
	return nil
}

// Answer copies an upstream's answer to w and closes its body. What w's header
// holds already stays. An answer of unknown length, and an event stream, is
// flushed whenever the upstream pauses. An error means that the body broke off,
// or that w takes no more, after the head was written: the caller panics with
// http.ErrAbortHandler, so that nobody takes a part for the whole.
//
// It saves a copy's buffer where resp.Body is as RoundTrip made it.
func Answer(w http.ResponseWriter, resp *http.Response) error {
	defer resp.Body.Close()
	h := w.Header()
	drop, empty := listed(resp.Header["Connection"]), len(h) == 0
	for name, values := range resp.Header {
		if !hop(name) && !slices.Contains(drop, name) {
			if !empty {
				values = slices.Concat(h[name], values)
			}
			h[name] = slices.Clip(values) // whoever adds a value gets a copy
		}
	}
	if _, typed := h["Content-Type"]; !typed {
		h["Content-Type"] = nil // or the server would guess one
	}
	announced := len(resp.Trailer)
	if announced > 0 {
		names := make([]string, 0, announced)
		for name := range resp.Trailer {
			names = append(names, name)
		}
		slices.Sort(names)
		h.Add("Trailer", strings.Join(names, ", "))
	}
	w.WriteHeader(resp.StatusCode)
	if err := copyBody(w, resp); err != nil {
		return err
	}
	trail(w, resp.Trailer, announced)
	return nil
}

// trail passes trailers on. Those that were not announced need a prefix.
func trail(w http.ResponseWriter, trailer http.Header, announced int) {
	if len(trailer) == 0 {
		return
	}
	_ = http.NewResponseController(w).Flush() // makes the server send chunks, which trailers need
	prefix := ""
	if len(trailer) != announced {
		prefix = http.TrailerPrefix
	}
	for name, values := range trailer {
		for _, v := range values {
			w.Header().Add(prefix+name, v)
		}
	}
}

// streams reports whether an answer may pause.
func streams(resp *http.Response) bool {
	if resp.ContentLength == -1 {
		return true
	}
	const media = "text/event-stream"
	given := resp.Header.Get("Content-Type")
	return len(given) >= len(media) && strings.EqualFold(given[:len(media)], media)
}

func copyBody(w http.ResponseWriter, resp *http.Response) error {
	if resp.Body == http.NoBody {
		return nil
	}
	var buf []byte
	x, ours := resp.Body.(*exchange)
	if ours {
		b := x.client.buffer()
		defer x.client.release(b)
		buf = (*b)[:piece]
	} else {
		buf = make([]byte, piece)
	}
	flush := func() error { return nil }
	if streams(resp) {
		flush = http.NewResponseController(w).Flush
	}
	for {
		if !ours || !x.pending() { // the next Read may wait
			_ = flush() // a writer that cannot flush holds nothing back, or says so at Write
		}
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
