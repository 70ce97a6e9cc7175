package report

import (
	"html/template"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

// page is what the template shows. Everything in it is worked out: the template
// only places and escapes it.
type page struct {
	CSS            template.CSS
	Run            *result.Run
	Sentence, Tone string
	Figures        []figure
	Facts          []fact
	Sections       []section
	Steps          []stepRow
	Contents       []link
	Grouped        bool // steps name whose requests they are
	Pages          []pageRow
	Began          string
}

// A link leads to a heading of the page.
type link struct{ ID, Name string }

// A fact is a name and a value; Whole asks for a line of its own on a phone.
type fact struct {
	Name, Value string
	Whole       bool
}

// A section is a heading with charts and tables of bars under it.
type section struct {
	ID, Name, Note string
	Charts         []*plot.Drawing
	Bars           []bars
	Seats          []seatRow
	Facts          []fact
}

// empty tells whether a section has nothing to show.
func (s section) empty() bool { return len(s.Charts)+len(s.Bars)+len(s.Seats)+len(s.Facts) == 0 }

func newPage(run *result.Run, css template.CSS) page {
	p := page{
		CSS: css, Run: run, Sentence: Sentence(run), Tone: tone(run), Figures: figures(run), Facts: facts(run),
		Steps: stepRows(run), Pages: pageRows(run.Pages),
	}
	if !run.Began.IsZero() {
		p.Began = run.Began.UTC().Format("2 January 2006, 15:04:05 UTC")
	}
	p.addSections(run)
	p.Contents = p.contents()
	for _, s := range run.Steps {
		p.Grouped = p.Grouped || s.Group != ""
	}
	return p
}

// addSections adds the sections that have something to show.
func (p *page) addSections(run *result.Run) {
	for _, s := range []section{latencySection(run), rateSection(run), errorSection(run), seatSection(run), salesforceSection(run), usageSection(run)} {
		if !s.empty() {
			p.Sections = append(p.Sections, s)
		}
	}
}

// contents are the headings that the page will have, if it is long.
func (p *page) contents() (all []link) {
	for _, s := range p.Sections {
		all = append(all, link{s.ID, s.Name})
	}
	for _, t := range []struct {
		link
		rows int
	}{{link{"steps", "Steps"}, len(p.Steps)}, {link{"thresholds", "Thresholds"}, len(p.Run.Verdicts)}, {link{"pages", "Pages"}, len(p.Pages)}, {link{"notes", "Notes"}, len(p.Run.Notes)}} {
		if t.rows > 0 {
			all = append(all, t.link)
		}
	}
	if len(all) < 4 {
		return nil
	}
	return all
}

// facts are what one has to know to repeat a run.
func facts(run *result.Run) []fact {
	all := []fact{{"Target", run.Target, true}, {"Took", duration(run.Seconds), false}, {"Seed", strconv.FormatUint(run.Seed, 10), false}, {"Version", run.Version, false}}
	kept := all[:0]
	for _, f := range all {
		if f.Value != "" && f.Value != duration(0) {
			kept = append(kept, f)
		}
	}
	return kept
}

// stepRow is a step with its figures written out.
type stepRow struct {
	Name, Group, Sent, Errors string
	P50, P90, P99, P999, Max  string
	Failed                    bool // it has errors, in a run that has not passed
}

func stepRows(run *result.Run) (rows []stepRow) {
	for _, s := range run.Steps {
		l, errors := s.Latency, total(s.Errors)
		rows = append(rows, stepRow{
			Name: s.Name, Group: s.Group, Sent: plot.Group(s.Sent), Errors: plot.Group(errors), Failed: errors > 0 && !run.Passed(),
			P50: bare(l.P50), P90: bare(l.P90), P99: bare(l.P99), P999: bare(l.P999), Max: bare(l.Max),
		})
	}
	return rows
}

// pageRow is smoke's verdict on a route, written out.
type pageRow struct {
	result.Page
	Parts      []string // of the route, each up to a slash: where it may be broken
	Took, Size string
}

func pageRows(pages []result.Page) (rows []pageRow) {
	for _, p := range pages {
		rows = append(rows, pageRow{p, strings.SplitAfter(p.Route, "/"), milliseconds(p.Milliseconds), size(float64(p.Bytes))})
	}
	return rows
}
