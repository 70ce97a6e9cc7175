package status

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// drainFor is how long a drained upstream keeps its sessions unless it is said.
const drainFor = 30 * time.Minute

//go:embed status.html
var statusHTML string

// Edge is what is shown and steered.
type Edge interface {
	Status() Status
	// Drain keeps new sessions away from an upstream, and those that are there until
	// deadline; the zero time ends that. Back routes by the former table. Both
	// report whether there is such a one.
	Drain(upstream string, deadline time.Time) bool
	Back() bool
}

// Options of Pages; all are required.
type Options struct {
	Edge Edge
	// Guard keeps strangers away.
	Guard  func(http.Handler) http.Handler
	Logger *slog.Logger
	Now    func() time.Time
}

// pages serves operators.
type pages struct {
	edge Edge
	log  *slog.Logger
	now  func() time.Time
}

// Pages serves operators: GET /edge/status as JSON, or as a page to browsers, and
// what its buttons do.
func Pages(o Options) (http.Handler, error) {
	p := &pages{edge: o.Edge, log: o.Logger, now: o.Now}
	page, err := template.New("status").Funcs(template.FuncMap{
		"ms":      func(seconds float64) string { return fmt.Sprintf("%.1f ms", 1000*seconds) },
		"drains":  drains,
		"number":  number,
		"percent": func(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) },
		"join":    func(all []string) string { return strings.Join(all, ", ") },
	}).Parse(statusHTML)
	if err != nil {
		return nil, fmt.Errorf("make status page: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /edge/status", func(w http.ResponseWriter, r *http.Request) { p.show(w, r, page) })
	mux.HandleFunc("POST /edge/upstreams/{name}/drain", p.drain)
	mux.HandleFunc("POST /edge/upstreams/{name}/undrain", p.undrain)
	mux.HandleFunc("POST /edge/back", p.back)
	return o.Guard(http.NewCrossOriginProtection().Handler(mux)), nil
}

// drains tells of an instance that was drained: until when its sessions stay, and
// that it takes no new ones after that either.
func drains(c pool.Condition, until *time.Time, now time.Time) string {
	switch {
	case c != pool.Draining: // down, and nobody stays with it
		return string(c)
	case now.Before(*until):
		return "draining, sessions stay until " + until.Format("15:04 UTC")
	}
	return "drained"
}

// number writes a number with its thousands apart, as the console does.
func number(v any) string {
	if p, ok := v.(*float64); ok {
		v = strconv.FormatFloat(*p, 'f', -1, 64)
	}
	whole, part, pointed := strings.Cut(fmt.Sprint(v), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if pointed {
		return whole + "." + part
	}
	return whole
}

// shown is what the page shows.
type shown struct {
	Status
	Live bool
	Now  time.Time
}

func (p *pages) show(w http.ResponseWriter, r *http.Request, page *template.Template) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	s := p.edge.Status()
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // whoever went away does not need it
		return
	}
	var b bytes.Buffer
	if err := page.Execute(&b, shown{s, r.URL.Query().Has("live"), p.now().UTC()}); err != nil {
		p.log.Error("edge: the status page cannot be written", "error", err)
		http.Error(w, "The page cannot be written; see the log.", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	_, _ = w.Write(b.Bytes()) // whoever went away does not need it
}

func (p *pages) drain(w http.ResponseWriter, r *http.Request) {
	long := drainFor
	if text := r.FormValue("for"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil || long < 0 || long > 24*time.Hour {
			http.Error(w, "for: use a time such as 30m, at most 24h", http.StatusBadRequest)
			return
		}
	}
	p.done(w, r, p.edge.Drain(r.PathValue("name"), p.now().Add(long)), "there is no such instance", "for", long)
}

func (p *pages) undrain(w http.ResponseWriter, r *http.Request) {
	p.done(w, r, p.edge.Drain(r.PathValue("name"), time.Time{}), "there is no such instance")
}

func (p *pages) back(w http.ResponseWriter, r *http.Request) {
	p.done(w, r, p.edge.Back(), "there are no former routes to go back to")
}

// done answers a button: a browser goes back to the page, a program gets the status.
func (p *pages) done(w http.ResponseWriter, r *http.Request, ok bool, otherwise string, more ...any) {
	if ok {
		p.log.Info("edge: an operator has acted", append([]any{"path", r.URL.Path}, more...)...)
	}
	switch {
	case !ok:
		http.Error(w, otherwise, http.StatusNotFound)
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/edge/status", http.StatusSeeOther)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(p.edge.Status()) // whoever went away does not need it
	}
}
