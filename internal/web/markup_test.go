package web_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// document is what a page is checked by.
type document struct {
	ids      map[string]int
	labelled map[string]bool
	refs     []string // ids that something refers to
	untidy   []string // lists of ids with blanks around them
	inputs   []*html.Node
	headings []int
	title    string
	lang     string
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func read(t *testing.T, body string) document {
	t.Helper()
	root, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	d := document{ids: map[string]int{}, labelled: map[string]bool{}}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			d.add(n)
		}
	}
	return d
}

func (d *document) add(n *html.Node) {
	if id := attr(n, "id"); id != "" {
		d.ids[id]++
	}
	for _, name := range []string{"aria-describedby", "aria-labelledby", "for"} {
		ids := strings.Fields(attr(n, name))
		if attr(n, name) != strings.Join(ids, " ") {
			d.untidy = append(d.untidy, attr(n, name))
		}
		d.refs = append(d.refs, ids...)
	}
	switch n.Data {
	case "html":
		d.lang = attr(n, "lang")
	case "title":
		if n.FirstChild != nil && n.Parent.Data == "head" {
			d.title = n.FirstChild.Data
		}
	case "a":
		if id, ok := strings.CutPrefix(attr(n, "href"), "#"); ok {
			d.refs = append(d.refs, id)
		}
	case "label":
		d.labelled[attr(n, "for")] = true
	case "input", "textarea", "select":
		if attr(n, "type") != "hidden" {
			d.inputs = append(d.inputs, n)
		}
	case "h1", "h2", "h3", "h4", "h5", "h6":
		d.headings = append(d.headings, int(n.Data[1]-'0'))
	}
}

// check holds what a machine can hold of WCAG 2.2 AA: language (3.1.1), title
// (2.4.2), names of fields (1.3.1, 4.1.2), and an order of headings.
func (d *document) check(t *testing.T, name string) {
	t.Helper()
	if d.lang == "" || d.title == "" {
		t.Errorf("%s: language %q, title %q", name, d.lang, d.title)
	}
	for id, n := range d.ids {
		if n > 1 {
			t.Errorf("%s: id %q stands %d times", name, id, n)
		}
	}
	for _, id := range d.refs {
		if d.ids[id] == 0 {
			t.Errorf("%s: nothing has the id %q", name, id)
		}
	}
	if len(d.untidy) > 0 {
		t.Errorf("%s: lists of ids %q", name, d.untidy)
	}
	for _, n := range d.inputs {
		if !d.labelled[attr(n, "id")] {
			t.Errorf("%s: field %q has no label", name, attr(n, "name"))
		}
	}
	ones, last := 0, 1
	for _, level := range d.headings {
		if level == 1 {
			ones++
		} else if level > last+1 {
			t.Errorf("%s: a heading of level %d after one of %d", name, level, last)
		}
		last = level
	}
	if ones != 1 {
		t.Errorf("%s: %d headings of level 1", name, ones)
	}
}

func TestMarkup(t *testing.T) {
	s := newSite(t)
	for _, path := range everyAddress(t, s) {
		w := s.get(path)
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		d := read(t, w.Body.String())
		d.check(t, path)
	}
	for name, path := range congressPaths(t, s) {
		d := read(t, s.get(path).Body.String())
		d.check(t, name)
	}
	form := filledForm()
	for name := range form {
		if name != "key" && name != "form" {
			form.Set(name, "")
		}
	}
	form.Set("guests.2.first_name", "Bo")
	form.Set("answers.diet", "nothing of the kind")
	form.Set("answers.years", "many")
	form.Set("agenda", "nowhere")
	bad := read(t, s.post(formPath, form).Body.String())
	bad.check(t, "form with errors")
	if !strings.HasPrefix(bad.title, "Error: ") {
		t.Errorf("title %q", bad.title)
	}
}

func TestPersonFieldsFillThemselves(t *testing.T) {
	s := newSite(t)
	d := read(t, s.get(formPath).Body.String())
	got := map[string]string{}
	for _, n := range d.inputs {
		got[attr(n, "name")] = attr(n, "autocomplete")
	}
	for name, want := range map[string]string{"first_name": "given-name", "last_name": "family-name", "email": "email", "title": "organization-title", "company": "organization"} {
		if got[name] != want {
			t.Errorf("%s has autocomplete %q, want %q", name, got[name], want)
		}
	}
}
