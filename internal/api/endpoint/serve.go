package endpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/problem"
)

// Options of an API.
type Options struct {
	// Title, About and Document describe it; Document is the path of the OpenAPI document.
	Title, About, Document string
	Routes                 []Route
	// Org finds whose request it is; its error refuses the request. Nil means
	// that there is no such question.
	Org func(*http.Request) (*turnout.Org, error)
	// MaxBody bounds a body in bytes, 0 means 64 KiB; ReadTimeout its time to
	// arrive, 0 means 10 s.
	MaxBody     int64
	ReadTimeout time.Duration
	// Logger gets faults of ours; nil means none.
	Logger *slog.Logger
}

// The bounds where Options says nothing.
const (
	DefaultMaxBody     = 64 << 10
	DefaultReadTimeout = 10 * time.Second
)

// API is a table of routes, served. Safe for concurrent use.
type API struct {
	o        Options
	mux      *http.ServeMux
	handler  http.Handler
	document []byte
}

// New makes an API. It does no I/O.
func New(o Options) (*API, error) {
	if o.MaxBody == 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.ReadTimeout == 0 {
		o.ReadTimeout = DefaultReadTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{o: o, mux: http.NewServeMux()}
	var err error
	if a.document, err = document(o); err != nil {
		return nil, fmt.Errorf("describe %s: %w", o.Title, err)
	}
	for _, route := range o.Routes {
		a.mux.Handle(route.Method+" "+route.Path, a.serve(route))
	}
	a.mux.Handle("GET "+o.Document, a.serve(Route{Public: true, Do: Plain(func(*Call) (Reply, error) {
		return Reply{Body: json.RawMessage(a.document)}, nil
	})}))
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Of(turnout.Errorf(turnout.CodeForbidden, "check origin", "a page of another site may not do this")).Write(w)
	}))
	a.handler = protection.Handler(http.HandlerFunc(a.dispatch))
	return a, nil
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// dispatch answers what the mux does not know with problems instead of its
// plain text; its statuses and its Allow header stay.
func (a *API) dispatch(w http.ResponseWriter, r *http.Request) {
	h, pattern := a.mux.Handler(r)
	if pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	if _, err := a.org(r); err != nil {
		a.refuse(w, r, nil, err)
		return
	}
	status := &statusOnly{header: http.Header{}}
	h.ServeHTTP(status, r)
	if status.code == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", status.header.Get("Allow"))
		problem.At(status.code, turnout.Errorf(turnout.CodeMalformed, "find route", "use one of the methods that Allow names")).Write(w)
		return
	}
	problem.Of(turnout.Errorf(turnout.CodeNotFound, "find route", "%s says what there is", a.o.Document)).Write(w)
}

// statusOnly keeps a handler's status and headers and drops its body.
type statusOnly struct {
	header http.Header
	code   int
}

func (s *statusOnly) Header() http.Header         { return s.header }
func (s *statusOnly) Write(b []byte) (int, error) { return len(b), nil }
func (s *statusOnly) WriteHeader(code int)        { s.code = code }

func (a *API) org(r *http.Request) (*turnout.Org, error) {
	if a.o.Org == nil {
		return nil, nil
	}
	return a.o.Org(r)
}

func (a *API) serve(route Route) http.Handler {
	if route.Handler != nil {
		return route.Handler
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		org, err := a.org(r)
		if err != nil {
			a.refuse(w, r, nil, err)
			return
		}
		reply, err := route.Do.do(&Call{Request: r, Org: org, w: w, api: a})
		if err != nil {
			a.refuse(w, r, org, err)
			return
		}
		if err := a.answer(w, r, route, reply); err != nil {
			a.note(r, org, err)
			// The status line has gone out: cutting the connection is the only way
			// left to say that the answer is not whole.
			panic(http.ErrAbortHandler)
		}
	})
}

// refuse answers with a problem, and notes what is a fault of ours.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, org *turnout.Org, err error) {
	if status := Refuse(w, err); status == http.StatusInternalServerError {
		a.note(r, org, err)
	}
}

// Refuse answers with err as a problem, and tells the status.
func Refuse(w http.ResponseWriter, err error) int {
	p := problem.Of(err)
	if as := (refusal{}); errors.As(err, &as) {
		p = problem.At(as.status, err)
	}
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
	p.Write(w)
	return p.Status
}

// Misdirected is the refusal of a host that is nobody's; detail says so.
func Misdirected(detail string) error {
	return refuse(http.StatusMisdirectedRequest, turnout.CodeNotFound, detail)
}

// note logs a fault of ours. The route is named by its pattern, since the path
// may hold a token (P8).
func (a *API) note(r *http.Request, org *turnout.Org, err error) {
	attrs := []any{slog.String("route", r.Pattern), slog.Any("error", err)}
	if org != nil {
		attrs = append(attrs, slog.String("org", string(org.ID)))
	}
	a.o.Logger.ErrorContext(r.Context(), "answer request", attrs...)
}

// answer writes a reply. Its errors come after the first byte went out.
func (a *API) answer(w http.ResponseWriter, r *http.Request, route Route, reply Reply) error {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	if reply.Location != "" {
		h.Set("Location", reply.Location)
	}
	if !route.Public {
		h.Set("Cache-Control", "private, no-store")
		h.Set("Referrer-Policy", "no-referrer")
	}
	if reply.Write != nil {
		return a.stream(w, r, reply.Write)
	}
	body, err := json.Marshal(reply.Body)
	if err != nil {
		a.refuse(w, r, nil, turnout.Wrap(turnout.CodeInternal, "write answer", err))
		return nil
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	h.Set("Content-Type", "application/json")
	if route.Public && reply.Status == http.StatusOK && unchanged(h, r, body) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(reply.Status)
	_, _ = w.Write(append(bytes.TrimSuffix(body, []byte("\n")), '\n')) // whoever went away does not need it
	return nil
}

// stream lets a reply write itself. Before its first byte it may still refuse.
func (a *API) stream(w http.ResponseWriter, r *http.Request, write func(http.ResponseWriter) error) error {
	out := &begun{ResponseWriter: w}
	err := write(out)
	if err != nil && !out.yes {
		a.refuse(w, r, nil, err)
		return nil
	}
	return err
}

// begun knows whether anything was written.
type begun struct {
	http.ResponseWriter
	yes bool
}

func (b *begun) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b *begun) WriteHeader(status int) {
	b.yes = true
	b.ResponseWriter.WriteHeader(status)
}

func (b *begun) Write(p []byte) (int, error) {
	b.yes = true
	return b.ResponseWriter.Write(p)
}

// unchanged tags a public body and reports whether the client has it already.
func unchanged(h http.Header, r *http.Request, body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	h.Set("ETag", tag)
	h.Set("Cache-Control", "public, no-cache")
	for _, header := range r.Header.Values("If-None-Match") {
		for candidate := range strings.SplitSeq(header, ",") {
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
