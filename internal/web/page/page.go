// Package page draws what registrants see: the list, event pages, forms,
// tickets and notices, with their stylesheet, script and words.
//
// It takes nouns and gives bytes. It promises that whatever a person or an
// organiser typed is text on the page and nothing else, that every page works
// without its script and is in one language, and that a form written from its cut template has the
// very bytes of the full rendering. It does no I/O.
package page

import (
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/cut"
	"github.com/turnout-events/turnout/internal/words"
)

//go:embed words/*.json
var wordFiles embed.FS

// Options of Pages. The zero value works.
type Options struct {
	// Origin is the absolute origin of an org's public pages, such as
	// "https://events.example.org"; nil means https on the org's first host, or
	// http on ORG.localhost if it has none.
	Origin func(*turnout.Org) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Pages draws pages, in the languages that there are words for. Any number of
// goroutines may use it at once.
type Pages struct {
	languages *words.Languages
	editions  map[string]*Edition // by the language's tag
	assets    *Assets
	origin    func(*turnout.Org) string
}

// New reads the words and parses the templates.
func New(o Options) (*Pages, error) { return newIn(wordFiles, o) }

// newIn is New in the languages of a directory words.
func newIn(files fs.FS, o Options) (*Pages, error) {
	if o.Origin == nil {
		o.Origin = func(o *turnout.Org) string { return o.PublicOrigin() }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Pages{editions: map[string]*Edition{}, origin: o.Origin}
	var err error
	if p.languages, err = words.Read(files, "words", ruleWords()); err != nil {
		return nil, fmt.Errorf("words of pages: %w", err)
	}
	if p.assets, err = newAssets(); err != nil {
		return nil, err
	}
	first := &Edition{assets: p.assets, origin: o.Origin, now: o.Now, tickets: &ticketCuts{}, zones: &zones{}}
	for _, tag := range p.languages.Tags() {
		if p.editions[tag], err = first.in(p.languages.Of(tag)); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Of is the pages about an event, in its own language, or its org's where there are no
// words for that, or English. A nil event is for what an org says to everybody.
func (p *Pages) Of(org *turnout.Org, e *turnout.Event) *Edition {
	if e == nil {
		return p.edition(org.Language)
	}
	return p.edition(e.Language, org.Language)
}

// For is the pages about no event, in the language that their visitor likes best, as the
// header Accept-Language says, or the org's, or English. Org is nil where none is known.
func (p *Pages) For(org *turnout.Org, accepted string) *Edition {
	tags := words.Accepted(accepted)
	if org != nil {
		tags = append(tags, org.Language)
	}
	return p.edition(tags...)
}

func (p *Pages) edition(tags ...string) *Edition {
	return p.editions[p.languages.Of(tags...).Tag]
}

// Event draws an event's public page. It implements catalog.Renderer.
func (p *Pages) Event(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (catalog.Page, error) {
	return p.Of(org, e).Event(org, e, seats)
}

// Form draws an event's form with marks. It implements catalog.Renderer.
func (p *Pages) Form(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) (*cut.Template, error) {
	return p.Of(org, e).Form(org, e, seats)
}

// Card draws an event for its org's list, and so in the list's language. It
// implements catalog.Renderer.
func (p *Pages) Card(org *turnout.Org, e *turnout.Event, seats turnout.Seatings) ([]byte, error) {
	return p.Of(org, nil).Card(e, seats)
}

// List draws an org's list of public events. It implements catalog.Renderer.
func (p *Pages) List(org *turnout.Org, entries []*catalog.Entry) (catalog.Page, error) {
	return p.Of(org, nil).List(org, entries)
}

// Assets are the files that the pages refer to.
func (p *Pages) Assets() *Assets { return p.assets }

// Origin is the absolute origin of an org's public pages.
func (p *Pages) Origin(org *turnout.Org) string { return p.origin(org) }
