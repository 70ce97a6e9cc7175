package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Edition is the pages in one language. What it draws, it draws for any org and event.
type Edition struct {
	*words.Language
	templates map[string]*template.Template
	assets    *Assets
	origin    func(*turnout.Org) string
	now       func() time.Time
	// The part of a link's form that says "not coming", for an event that has
	// places and for one that has none.
	decline, declineFull string
	// What all languages share: the cut tickets know their event, and so its language.
	tickets *ticketCuts
	zones   *zones
}

// in is the same edition in a language.
func (p *Edition) in(language *words.Language) (*Edition, error) {
	other := *p
	p = &other
	p.Language, p.templates = language, map[string]*template.Template{}
	p.decline, p.declineFull = p.declineHTML(p.Say("form.decline.hint")), p.declineHTML(p.Say("form.decline.hint.full"))
	for _, name := range []string{"list", "event", "form", "ticket", "cancel", "notice"} {
		t := template.New("layout.html").Funcs(template.FuncMap{"t": p.Say, "said": said, "json": asJSON}).Option("missingkey=error")
		var err error
		if p.templates[name], err = t.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return p, nil
}

// frame is what every page has around its content.
type frame struct {
	Title   string
	Org     string // the org's name; empty on pages of no org
	CSS     string
	JS      string
	Icon    string
	Accent  string // path of the accent's stylesheet, or empty
	Private bool   // not to be indexed
	// Social is set on public pages.
	Social *social
}

// social is what other sites show when a page is linked to.
type social struct {
	Title, About, URL, Image, Site string
	Data                           any // JSON-LD
}

// frame fills in what does not depend on the page. Org and event may be nil.
func (p *Edition) frame(org *turnout.Org, e *turnout.Event, title string) frame {
	f := frame{Title: title, CSS: p.assets.CSS, JS: p.assets.JS, Icon: p.assets.Icon, Private: true}
	if org != nil {
		f.Org = org.Name
	}
	if e != nil {
		f.Accent = accentPath(e.Accent)
		f.Title += " · " + e.Title
	}
	return f
}

// draw executes a page's template.
func (p *Edition) draw(name string, view any) ([]byte, error) {
	var b bytes.Buffer
	if err := p.templates[name].Execute(&b, view); err != nil {
		return nil, fmt.Errorf("draw page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// head is an event as every page about it says it on top.
type head struct {
	Title, Path string
	Language    string // of what the organiser wrote, empty where it is the page's
	When        when
	Where       string // venue and address, or that it is online
	WhereLang   string
}

func (p *Edition) head(e *turnout.Event) head {
	h := head{Title: e.Title, Path: EventPath(e), Language: p.foreign(e), When: p.when(e), Where: place(e), WhereLang: p.foreign(e)}
	if h.Where == "" && e.Online {
		h.Where, h.WhereLang = p.Say("event.online"), ""
	}
	return h
}

func place(e *turnout.Event) string {
	switch {
	case e.Venue != "" && e.Address != "":
		return e.Venue + ", " + e.Address
	case e.Venue != "":
		return e.Venue
	}
	return e.Address
}

// EventPath is where an event's page is.
func EventPath(e *turnout.Event) string { return "/events/" + e.Slug }

// asJSON puts values for the script into an attribute.
func asJSON(values []string) (string, error) {
	b, err := json.Marshal(values)
	return string(b), err
}
