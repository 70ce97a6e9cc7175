// Package report shows what a run of load measured: HTML writes a page that
// stands alone (no script, nothing from elsewhere), JSON a file for machines,
// and Summary the end of a terminal's run. All three say the same verdict in
// the same words, leave out what was not measured, and escape whatever a target
// or a scenario's author wrote. None of them changes the run.
package report

import (
	"embed"
	"html/template"
	"io"

	"github.com/turnout-events/turnout/internal/load/result"
)

//go:embed page.html chart.html page.css
var files embed.FS

// HTML writes a run as one page: the verdict, the key figures, what happened
// over time, and the tables. It is read on a phone, on a desk, at night and on
// paper.
func HTML(w io.Writer, run *result.Run) error {
	page, err := template.ParseFS(files, "page.html", "chart.html")
	if err != nil {
		return err
	}
	css, err := files.ReadFile("page.css")
	if err != nil {
		return err
	}
	return page.ExecuteTemplate(w, "page.html", newPage(tidied(run, legible, asIs), template.CSS(css)))
}
