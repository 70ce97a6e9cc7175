package report

import (
	"html/template"
	"strconv"

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
	Grouped        bool // steps name whose requests they are
	Pages          []pageRow
	Began          string
}

type fact struct{ Name, Value string }

// A section is a heading with charts and tables of bars under it.
type section struct {
	ID, Name, Note string
	Charts         []*plot.Drawing
	Bars           []bars
	Seats          []seatRow
}

func (s section) empty() bool { return len(s.Charts)+len(s.Bars)+len(s.Seats) == 0 }

func newPage(run *result.Run, css template.CSS) page {
	p := page{
		CSS: css, Run: run, Sentence: Sentence(run), Tone: tone(run), Figures: figures(run), Facts: facts(run),
		Steps: stepRows(run.Steps), Pages: pageRows(run.Pages),
	}
	if !run.Began.IsZero() {
		p.Began = run.Began.UTC().Format("2 January 2006, 15:04:05 UTC")
	}
	for _, s := range run.Steps {
		p.Grouped = p.Grouped || s.Group != ""
	}
	for _, s := range []section{latencySection(run), rateSection(run), errorSection(run), seatSection(run), salesforceSection(run), usageSection(run)} {
		if !s.empty() {
			p.Sections = append(p.Sections, s)
		}
	}
	return p
}

// facts are what one has to know to repeat a run.
func facts(run *result.Run) []fact {
	all := []fact{{"Target", run.Target}, {"Took", duration(run.Seconds)}, {"Seed", strconv.FormatUint(run.Seed, 10)}, {"Version", run.Version}}
	kept := all[:0]
	for _, f := range all {
		if f.Value != "" {
			kept = append(kept, f)
		}
	}
	return kept
}

// stepRow is a step with its figures written out.
type stepRow struct {
	Name, Group, Sent, Errors        string
	P50, P90, P99, P999, Max, Answer string
	Failed                           bool
}

func stepRows(steps []result.Step) (rows []stepRow) {
	for _, s := range steps {
		l, errors := s.Latency, total(s.Errors)
		rows = append(rows, stepRow{
			Name: s.Name, Group: s.Group, Sent: plot.Group(s.Sent), Errors: plot.Group(errors), Failed: errors > 0,
			P50: bare(l.P50), P90: bare(l.P90), P99: bare(l.P99), P999: bare(l.P999), Max: bare(l.Max),
		})
	}
	return rows
}

// pageRow is smoke's verdict on a route, written out.
type pageRow struct {
	result.Page
	Took, Size string
}

func pageRows(pages []result.Page) (rows []pageRow) {
	for _, p := range pages {
		rows = append(rows, pageRow{p, milliseconds(p.Milliseconds), size(float64(p.Bytes))})
	}
	return rows
}
