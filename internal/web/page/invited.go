package page

import (
	"bytes"
	"html"
	"slices"

	"github.com/turnout-events/turnout/internal/catalog"
)

// mainBegins is where a page's content does: layout.html's own, before which
// nothing is that somebody typed and that was not escaped.
const mainBegins = `<main id="main" tabindex="-1">`

// Invited is an event's page for somebody with a personal link, which is at path:
// the same bytes, and a line before the content that leads there.
func (p *Edition) Invited(event catalog.Page, path string) []byte {
	line := `<p class="invited"><span>` + html.EscapeString(p.Say("event.invited")) + `</span> <a href="` + html.EscapeString(path) + `">` +
		html.EscapeString(p.Say("event.invited.open")) + "</a></p>\n"
	i := bytes.Index(event.HTML, []byte(mainBegins))
	if i < 0 { // a test holds that it is there
		return event.HTML
	}
	i += len(mainBegins) + len("\n")
	return slices.Concat(event.HTML[:i], []byte(line), event.HTML[i:])
}
