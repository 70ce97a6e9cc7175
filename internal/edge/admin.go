package edge

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
)

// drainFor is how long a drained upstream keeps its sessions unless it is said.
const drainFor = 30 * time.Minute

//go:embed status.html
var statusHTML string

// Admin serves operators: GET /edge/status as JSON, or as a page to browsers, and
// what its buttons do. guard keeps strangers away from it.
func (e *Edge) Admin(guard func(http.Handler) http.Handler) (http.Handler, error) {
	page, err := template.New("status").Funcs(template.FuncMap{
		"ms":      func(seconds float64) string { return fmt.Sprintf("%.1f ms", 1000*seconds) },
		"drains":  drains,
		"percent": func(part float64) string { return fmt.Sprintf("%.0f %%", 100*part) },
		"join":    func(all []string) string { return strings.Join(all, ", ") },
	}).Parse(statusHTML)
	if err != nil {
		return nil, fmt.Errorf("make status page: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /edge/status", func(w http.ResponseWriter, r *http.Request) { e.showStatus(w, r, page) })
	mux.HandleFunc("POST /edge/upstreams/{name}/drain", e.drain)
	mux.HandleFunc("POST /edge/upstreams/{name}/undrain", e.undrain)
	mux.HandleFunc("POST /edge/back", e.back)
	return guard(http.NewCrossOriginProtection().Handler(mux)), nil
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

// shown is what the page shows.
type shown struct {
	Status
	Live bool
	Now  time.Time
}

func (e *Edge) showStatus(w http.ResponseWriter, r *http.Request, page *template.Template) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept")
	h.Set("X-Content-Type-Options", "nosniff")
	s := e.Status()
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s) // whoever went away does not need it
		return
	}
	var b bytes.Buffer
	if err := page.Execute(&b, shown{s, r.URL.Query().Has("live"), e.now().UTC()}); err != nil {
		e.log.Error("edge: the status page cannot be written", "error", err)
		http.Error(w, "The page cannot be written; see the log.", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	_, _ = w.Write(b.Bytes()) // whoever went away does not need it
}

func (e *Edge) drain(w http.ResponseWriter, r *http.Request) {
	long := drainFor
	if text := r.FormValue("for"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil || long < 0 || long > 24*time.Hour {
			http.Error(w, "for: use a time such as 30m, at most 24h", http.StatusBadRequest)
			return
		}
	}
	e.done(w, r, e.Drain(r.PathValue("name"), e.now().Add(long)), "there is no such instance", "for", long)
}

func (e *Edge) undrain(w http.ResponseWriter, r *http.Request) {
	e.done(w, r, e.Drain(r.PathValue("name"), time.Time{}), "there is no such instance")
}

func (e *Edge) back(w http.ResponseWriter, r *http.Request) {
	e.done(w, r, e.Back(), "there are no former routes to go back to")
}

// done answers a button: a browser goes back to the page, a program gets the status.
func (e *Edge) done(w http.ResponseWriter, r *http.Request, ok bool, otherwise string, more ...any) {
	if ok {
		e.log.Info("edge: an operator has acted", append([]any{"path", r.URL.Path}, more...)...)
	}
	switch {
	case !ok:
		http.Error(w, otherwise, http.StatusNotFound)
	case strings.Contains(r.Header.Get("Accept"), "text/html"):
		http.Redirect(w, r, "/edge/status", http.StatusSeeOther)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(e.Status()) // whoever went away does not need it
	}
}
