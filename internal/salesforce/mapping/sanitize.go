package mapping

import (
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

// maxBody is how much HTML an event's text may be, in bytes: a rich text area
// holds 131,072 characters.
const maxBody = 512 << 10

var spans = regexp.MustCompile(`^[1-9][0-9]?$`)

// Sanitize cuts an organiser's HTML down to text, headings, lists, tables and
// links: no scripts, styles, forms, frames or pictures. What it returns is
// safe to put into a page as it is.
func Sanitize(html string) string {
	if len(html) > maxBody {
		html = strings.ToValidUTF8(html[:maxBody], "")
	}
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h2", "h3", "h4", "strong", "b", "em", "i", "u", "s", "sub", "sup",
		"ul", "ol", "li", "blockquote", "pre", "code", "table", "caption", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("colspan", "rowspan").Matching(spans).OnElements("th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto", "tel")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddSpaceWhenStrippingTag(true)
	return strings.TrimSpace(p.Sanitize(html))
}
