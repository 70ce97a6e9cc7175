// Package page shows a simulated org to a person: its objects and records, what
// the API was asked, the buttons that organisers press, the faults and the
// hooks. Pages are rendered on the server, work without JavaScript and load
// nothing from elsewhere.
package page

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/records"
)

//go:embed *.html style.css
var files embed.FS

// Org is what a person can do to the simulated org.
type Org interface {
	Numbers() Numbers
	// Press does what Publish, Update or Unpublish does and sends the hint.
	Press(event, action string) (string, error)
	// Change sets fields of a record, texts as typed, and sends the hint that
	// a changed attendee deserves. What is wrong with a field is FieldErrors.
	Change(id string, values map[string]string) error
	// Forget sends the hint that a person is to be forgotten.
	Forget(id string) error
}

// Faults are shown and set as the JSON of the control port.
type Faults interface {
	FaultsJSON() string
	SetFaultsJSON(string) error
}

// Numbers are the org's counters.
type Numbers struct {
	Usage, Limit int
	Calls        []Count
	Duplicates   int
	MaxPerParent int
}

// Count is an operation and how often it was called.
type Count struct {
	Name string
	N    int
}

// Options configure the pages.
type Options struct {
	Store  *records.Store
	Org    Org
	Faults Faults
	Hooks  *hooks.Sender
	Now    func() time.Time
	Logger *slog.Logger
}

type pages struct {
	Options
	templates *template.Template
	style     []byte
}

// New makes the handler of all pages.
func New(options Options) (http.Handler, error) {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	templates, err := template.New("").ParseFS(files, "*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{Options: options, templates: templates, style: style}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.overview)
	mux.HandleFunc("GET /style.css", p.stylesheet)
	mux.HandleFunc("GET /objects/{object}", p.object)
	mux.HandleFunc("GET /records/{id}", p.record)
	mux.HandleFunc("POST /records/{id}", p.save)
	mux.HandleFunc("POST /records/{id}/forget", p.forget)
	mux.HandleFunc("POST /records/{id}/{button}", p.saveAndPress)
	mux.HandleFunc("POST /events/{id}/{action}", p.press)
	mux.HandleFunc("POST /faults", p.setFaults)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		p.fail(w, http.StatusNotFound, "There is no such page. The overview lists everything that this simulator holds.")
	})
	return guard(mux), nil
}

// guard keeps the pages to themselves: no script, no frame, nothing foreign.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (p *pages) stylesheet(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	p.wrote(w.Write(p.style))
}

func (p *pages) wrote(_ int, err error) {
	if err != nil {
		p.Logger.Debug("the browser went away", "error", err)
	}
}

func (p *pages) render(w http.ResponseWriter, status int, name string, view any) {
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, name, view); err != nil {
		p.Logger.Error("rendering a page", "page", name, "error", err)
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	p.wrote(w.Write(b.Bytes()))
}

type problem struct {
	frame
	Message string
}

func (p *pages) fail(w http.ResponseWriter, status int, message string) {
	p.render(w, status, "problem.html", problem{frame: frame{Title: http.StatusText(status)}, Message: message})
}

// back returns to the page that a form came from: a path of our own, given in
// the form itself.
func back(w http.ResponseWriter, r *http.Request, fallback string) {
	to := r.PostFormValue("back")
	if len(to) < 1 || to[0] != '/' || len(to) > 1 && (to[1] == '/' || to[1] == '\\') {
		to = fallback
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (p *pages) press(w http.ResponseWriter, r *http.Request) {
	if _, err := p.Org.Press(r.PathValue("id"), r.PathValue("action")); err != nil {
		p.fail(w, http.StatusBadRequest, "The button did nothing: "+err.Error())
		return
	}
	back(w, r, "/")
}

func (p *pages) forget(w http.ResponseWriter, r *http.Request) {
	since := p.Now()
	if err := p.Org.Forget(r.PathValue("id")); err != nil {
		p.fail(w, http.StatusBadRequest, "The person was not reported: "+err.Error())
		return
	}
	p.tell(w, r, r.PathValue("id"), said{Pressed: "forget", Since: since})
}
