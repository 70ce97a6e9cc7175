package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/words"
)

//go:embed templates/*.html assets/*
var files embed.FS

// pages draws.
type pages struct {
	templates map[string]*template.Template
	assets    map[string]asset
}

// asset is a file that pages ask for. Its address changes with its content.
type asset struct {
	kind, address string
	content       []byte
}

// frame is what every page has around its content.
type frame struct {
	Title string
	// Org is the org that the page is about, empty on the overview.
	Org     turnout.OrgID
	OrgName string
	// Section is the org's page: "events", "parked" or "forget".
	Section string
	// Waiting is how many parked registrations wait there for a decision.
	Waiting int
	// Live pages are fetched again every refresh seconds.
	Live    bool
	Refresh string // the address that turns that on or off
	Error   bool
}

// refresh is how often a live page is fetched again, in seconds.
const refresh = 15

func newPages(now func() time.Time) (*pages, error) {
	p := &pages{templates: map[string]*template.Template{}, assets: map[string]asset{}}
	for name, kind := range map[string]string{"console.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"} {
		content, err := files.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("read asset %s: %w", name, err)
		}
		sum := sha256.Sum256(content)
		p.assets[name] = asset{kind, "/console/assets/" + name + "?v=" + hex.EncodeToString(sum[:6]), content}
	}
	functions := template.FuncMap{
		"asset":   func(name string) string { return p.assets[name].address },
		"refresh": func() int { return refresh },
		"ago":     func(t time.Time) string { return ago(now().Sub(t)) },
		"since":   func(t time.Time) string { return age(now().Sub(t)) },
		"age":     age, "number": number, "plural": plural, "cause": cause, "sentence": words.Sentence, "list": list,
		"capital":  func(s turnout.MoveState) string { return strings.ToUpper(string(s[:1])) + string(s[1:]) },
		"positive": func(n *int) bool { return n != nil && *n > 0 },
		"at":       func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") },
		"iso":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"old":      func(d time.Duration) bool { return d > tooOld },
	}
	for _, name := range []string{"overview", "org", "parked", "amend", "dismiss", "migration", "forget", "receipt", "problem"} {
		t := template.New("layout.html").Funcs(functions).Option("missingkey=error")
		var err error
		if p.templates[name], err = t.ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html"); err != nil {
			return nil, fmt.Errorf("parse page %s: %w", name, err)
		}
	}
	return p, nil
}

func (p *pages) draw(w io.Writer, name string, data any) error {
	if err := p.templates[name].Execute(w, data); err != nil {
		return fmt.Errorf("draw page %s: %w", name, err)
	}
	return nil
}

func (p *pages) showAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[r.PathValue("name")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.content) // whoever went away does not need it
}

// tooOld is when an undelivered registration is worth somebody's attention:
// six times what one waits for others (P4).
const tooOld = time.Minute

// age says how long something has been, in the two largest units that matter.
func age(d time.Duration) string {
	s := int(d / time.Second)
	switch {
	case s < 1:
		return "0 s"
	case s < 120:
		return strconv.Itoa(s) + " s"
	case s < 2*3600:
		return strconv.Itoa(s/60) + " min"
	case s < 48*3600:
		return strconv.Itoa(s/3600) + " h " + strconv.Itoa(s/60%60) + " min"
	}
	return strconv.Itoa(s/86400) + " days"
}

func ago(d time.Duration) string {
	if d < 2*time.Second {
		return "just now"
	}
	return age(d) + " ago"
}

// number groups a number's digits by three: 12,345. It takes an int, an int64
// or a pointer to an int.
func number(v any) string {
	if p, ok := v.(*int); ok {
		v = *p
	}
	s := fmt.Sprint(v)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// plural gives "1 event" and "2 events".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + many
}

// list joins words for people: "events, links and registrations".
func list(words []string) string { return enumerate(words, "and") }

func enumerate(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// cause says in plain words why Salesforce could not be read or written, and
// what to do about it.
func cause(code turnout.Code) string {
	switch code {
	case turnout.CodeUnauthorized, turnout.CodeExpired:
		return "Salesforce refuses the sign-in. Check the connected app, its secret or certificate, and that the integration user is active."
	case turnout.CodeForbidden:
		return "The integration user lacks a right. Assign it Turnout's permission set."
	case turnout.CodeMisconfigured, turnout.CodeNotFound, turnout.CodeMalformed, turnout.CodeInvalid:
		return "A field, object or setting is missing in Salesforce. Run “turnout check” to see which."
	case turnout.CodeExhausted:
		return "The org's daily API requests are used up. It goes on by itself when there are some again."
	case turnout.CodeThrottled:
		return "Salesforce asks to slow down. It goes on by itself."
	case turnout.CodeLocked:
		return "Somebody in Salesforce keeps the event's record locked. It is tried again with smaller batches."
	case turnout.CodeTooSlow:
		return "Salesforce takes too long, often because of automation on the registration object. It is tried again with smaller batches."
	case turnout.CodeStorage:
		return "The org's data storage is full. Free some or buy more: nobody's registration is lost, and it goes on by itself."
	case turnout.CodeAutomation:
		return "A trigger, flow or policy in Salesforce fails on registrations. Each is tried five times and then parked."
	case turnout.CodeUnavailable, turnout.CodeUnknown:
		return "Salesforce does not answer. It is tried again by itself."
	}
	return "Turnout failed in a way it does not know (" + string(code) + "). The log says more."
}
