package exchange_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/turnout-events/turnout/internal/exchange"
)

// P6: where a request comes from is ours to say, and nobody's session gets into
// anybody else's request.
func TestP6Prepare(t *testing.T) {
	in := httptest.NewRequest("POST", "/a%2Fb?q;", strings.NewReader("key"))
	in.Header = http.Header{
		"Connection": {"x-hop , Cookie2", "close"}, "X-Hop": {"1"}, "Cookie2": {"1"}, "Cookie": {"a=1"}, "Te": {"gzip, trailers"}, "Expect": {"100-continue"},
		"Upgrade": {"websocket"}, "Forwarded": {"for=x"}, "X-Forwarded-For": {"6.6.6.6", "7.7.7.7"}, "X-Forwarded-Proto": {"ftp"}, "Accept": append(make([]string, 0, 9), "a", "b"),
	}
	in.Close = true
	out := exchange.Prepare(in, "192.0.2.9", "https")
	want := http.Header{
		"Cookie": {"a=1"}, "Te": {"trailers"}, "Accept": {"a", "b"},
		"X-Forwarded-For": {"192.0.2.9"}, "X-Forwarded-Host": {"example.com"}, "X-Forwarded-Proto": {"https"},
	}
	if !reflect.DeepEqual(out.Header, want) {
		t.Errorf("the header is %v", out.Header)
	}
	if out.Method != "POST" || out.Host != "example.com" || out.URL.RequestURI() != "/a%2Fb?q;" || out.Close || out.ContentLength != 3 {
		t.Errorf("the request is %+v", out)
	}
	out.Header.Add("Accept", "c")
	out.Header.Set("Cookie", "b=2")
	out.URL.Path = "/other"
	again := exchange.Prepare(in, "192.0.2.9", "https")
	again.Header.Add("Accept", "d")
	if in.Header.Get("Cookie") != "a=1" || in.URL.Path != "/a/b" || out.Header.Values("Accept")[2] != "c" {
		t.Error("two requests share what they change")
	}
	out.Body.Close()
	if _, err := out.Body.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("reading a closed body: %v", err)
	}
	if b, err := io.ReadAll(in.Body); err != nil || string(b) != "key" {
		t.Errorf("the server's body: %q, %v", b, err)
	}
	if none := exchange.Prepare(httptest.NewRequest("GET", "/", nil), "", ""); none.Body != http.NoBody {
		t.Error("no body became one")
	}
}

// A request can be sent again with another body.
func TestPreparedRequestIsSentAgain(t *testing.T) {
	u := &upstream{serve: answering(plain)}
	c := u.client(t)
	out := exchange.Prepare(httptest.NewRequest("POST", "/", strings.NewReader("key")), "192.0.2.9", "http")
	for range 3 {
		out.Body = io.NopCloser(strings.NewReader("key"))
		if b, err := read(t, c, out); err != nil || b != "hello" {
			t.Fatalf("got %q, %v", b, err)
		}
	}
}

// Trailers go both ways, through a proxy between two servers.
func TestTrailersGoBothWays(t *testing.T) {
	behind := quietServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Answer")
		io.Copy(w, r.Body)
		w.Header().Set("X-Answer", r.Trailer.Get("X-Question"))
		w.Header().Set(http.TrailerPrefix+"X-Sudden", "2")
	}))
	c := exchange.New(exchange.Options{Addr: behind.Listener.Addr().String(), DialTimeout: patience})
	defer c.Close()
	front := quietServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forward(c, w, r) }))
	r, err := http.NewRequest("POST", front.URL, io.NopCloser(strings.NewReader("text")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Question": {"1"}}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "text" || resp.Trailer.Get("X-Answer") != "1" || resp.Trailer.Get("X-Sudden") != "2" {
		t.Errorf("got %q, %v, %v", b, resp.Trailer, err)
	}
}

// What an upstream sends piece by piece arrives piece by piece.
func TestStreamsAreFlushed(t *testing.T) {
	next := make(chan string)
	for name, head := range map[string]http.Header{
		"unknown length": {},
		"event stream":   {"Content-Type": {"Text/Event-Stream; charset=utf-8"}, "Content-Length": {"9"}},
	} {
		t.Run(name, func(t *testing.T) {
			behind := quietServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for k, v := range head {
					w.Header()[k] = v
				}
				for range 4 {
					http.NewResponseController(w).Flush()
					io.WriteString(w, <-next)
				}
			}))
			c := exchange.New(exchange.Options{Addr: behind.Listener.Addr().String(), DialTimeout: patience})
			defer c.Close()
			front := quietServer(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forward(c, w, r) }))
			resp, err := http.Get(front.URL) // the head comes before anything
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			reader := bufio.NewReader(resp.Body)
			for _, piece := range []string{"a\n", "b\n", "c\n", "end"} {
				next <- piece
				if line, _ := reader.ReadString('\n'); line != piece {
					t.Errorf("got %q, want %q", line, piece)
				}
			}
		})
	}
}

// An answer that broke off is told, and what the caller has set stays.
func TestAnswer(t *testing.T) {
	torn := errors.New("torn")
	resp := func(body io.Reader) *http.Response {
		return &http.Response{StatusCode: 200, ContentLength: 5, Header: http.Header{"Set-Cookie": {"b=2"}, "Connection": {"close, x"}, "X": {"1"}, "Content-Length": {"5"}}, Body: io.NopCloser(body)}
	}
	w := httptest.NewRecorder()
	w.Header().Add("Set-Cookie", "a=1")
	if err := exchange.Answer(w, resp(strings.NewReader("hello"))); err != nil {
		t.Error(err)
	}
	want := http.Header{"Set-Cookie": {"a=1", "b=2"}, "Content-Length": {"5"}, "Content-Type": nil}
	if !reflect.DeepEqual(w.Header(), want) || w.Body.String() != "hello" {
		t.Errorf("answered %v %q", w.Header(), w.Body)
	}
	if err := exchange.Answer(httptest.NewRecorder(), resp(io.MultiReader(strings.NewReader("he"), iotest.ErrReader(torn)))); !errors.Is(err, torn) {
		t.Errorf("torn: %v", err)
	}
	if err := exchange.Answer(deaf{httptest.NewRecorder()}, resp(strings.NewReader("hello"))); !errors.Is(err, errDeaf) {
		t.Errorf("nobody listens: %v", err)
	}
}

var errDeaf = errors.New("the client is gone")

type deaf struct{ *httptest.ResponseRecorder }

func (deaf) Write([]byte) (int, error) { return 0, errDeaf }
