// Package page draws what registrants see: the list, event pages, forms,
// tickets and notices, with their stylesheet, script and words.
//
// It takes nouns and gives bytes. It promises that whatever a person or an
// organiser typed is text on the page and nothing else, that every page works
// without its script, and that a form written from its cut template has the
// very bytes of the full rendering. It does no I/O.
package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"time"

	"github.com/turnout-events/turnout"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Options of Pages. The zero value works.
type Options struct {
	// Origin is the absolute origin of an org's public pages, such as
	// "https://events.example.org"; nil means https on the org's first host, or
	// http on ORG.localhost if it has none.
	Origin func(*turnout.Org) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Pages draws pages. Any number of goroutines may use it at once.
type Pages struct {
	words     words
	templates map[string]*template.Template
	assets    *Assets
	origin    func(*turnout.Org) string
	now       func() time.Time
	// The part of a link's form that says "not coming", for an event that has
	// places and for one that has none.
	decline, declineFull string
	tickets              ticketCuts
	zones                zones
}

// New parses the templates.
func New(o Options) (*Pages, error) {
	p := &Pages{origin: o.Origin, now: o.Now, templates: map[string]*template.Template{}}
	if p.origin == nil {
		p.origin = func(o *turnout.Org) string { return o.PublicOrigin() }
	}
	if p.now == nil {
		p.now = time.Now
	}
	var err error
	if p.words, err = wordsOf("en"); err != nil {
		return nil, err
	}
	p.decline, p.declineFull = p.declineHTML(p.say("form.decline.hint")), p.declineHTML(p.say("form.decline.hint.full"))
	if p.assets, err = newAssets(); err != nil {
		return nil, err
	}
	for _, name := range []string{"list", "event", "form", "ticket", "cancel", "notice"} {
		t := template.New("layout.html").Funcs(template.FuncMap{"t": p.say, "said": said, "json": asJSON}).Option("missingkey=error")
		if p.templates[name], err = t.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return p, nil
}

func (p *Pages) say(key string, args ...any) string { return p.words.say(key, args...) }

// Assets are the files that the pages refer to.
func (p *Pages) Assets() *Assets { return p.assets }

// Origin is the absolute origin of an org's public pages.
func (p *Pages) Origin(org *turnout.Org) string { return p.origin(org) }

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
func (p *Pages) frame(org *turnout.Org, e *turnout.Event, title string) frame {
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
func (p *Pages) draw(name string, view any) ([]byte, error) {
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

func (p *Pages) head(e *turnout.Event) head {
	h := head{Title: e.Title, Path: EventPath(e), Language: p.foreign(e), When: p.when(e), Where: place(e), WhereLang: p.foreign(e)}
	if h.Where == "" && e.Online {
		h.Where, h.WhereLang = p.say("event.online"), ""
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
