package page

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

const perPage = 50

type objectView struct {
	frame
	Name, Plural string
	Records      int
	Columns      []string
	Rows         []rowView
	Search       string
	Field        string
	Fields       []string // that can be searched by an index
	From, To     int
	Newer, Older string
}

type rowView struct {
	ID    string
	Cells []cell
}

type cell struct {
	Text  string
	Link  string // id of the record it points to
	Label string
}

// object lists records, the newest first, or those that a search finds.
func (p *pages) object(w http.ResponseWriter, r *http.Request) {
	object := p.Store.Schema().Object(r.PathValue("object"))
	if object == nil {
		p.fail(w, http.StatusNotFound, "This org has no object of that name.")
		return
	}
	number, _ := strconv.Atoi(r.FormValue("page"))
	number = max(number, 0)
	view := objectView{frame: frame{Title: object.Plural}, Name: object.Name, Plural: object.Plural, Search: strings.TrimSpace(r.FormValue("q")), Field: r.FormValue("field")}
	columns := columnsOf(object)
	for _, c := range columns {
		view.Columns = append(view.Columns, c.Label)
	}
	for _, f := range object.Fields {
		if f.Indexed() || f.Index == schema.AtID {
			view.Fields = append(view.Fields, f.Name)
		}
	}
	p.Store.Read(func(v records.View) {
		table := v.Table(object)
		view.Records = table.Live()
		found, more := list(table, view, number)
		for _, row := range found {
			view.Rows = append(view.Rows, rowOf(v, table, row, columns))
		}
		view.From, view.To = number*perPage+1, number*perPage+len(found)
		view.Newer, view.Older = turns(view, number, more)
	})
	p.render(w, http.StatusOK, "object.html", view)
}

// turns are the addresses of the neighbouring pages; "" where there is none.
func turns(view objectView, number int, more bool) (newer, older string) {
	at := func(n int) string {
		q := url.Values{"page": {strconv.Itoa(n)}}
		if view.Search != "" {
			q.Set("q", view.Search)
			q.Set("field", view.Field)
		}
		return "/objects/" + view.Name + "?" + q.Encode()
	}
	if number > 0 {
		newer = at(number - 1)
	}
	if more {
		older = at(number + 1)
	}
	return newer, older
}

func list(table *records.Table, view objectView, number int) (found []*records.Row, more bool) {
	skip := number * perPage
	take := func(row *records.Row) bool {
		if row.Deleted {
			return true
		}
		if skip > 0 {
			skip--
			return true
		}
		if len(found) == perPage {
			more = true
			return false
		}
		found = append(found, row)
		return true
	}
	if field := table.Object.Field(view.Field); view.Search != "" && field != nil && (field.Indexed() || field.Index == schema.AtID) {
		for _, pos := range table.Find(field, view.Search) {
			if !take(table.At(pos)) {
				break
			}
		}
		return found, more
	}
	for pos := table.Len() - 1; pos >= 0 && view.Search == ""; pos-- {
		if !take(table.At(uint32(pos))) {
			break
		}
	}
	return found, more
}

func rowOf(v records.View, table *records.Table, row *records.Row, columns []*schema.Field) rowView {
	out := rowView{ID: table.ID(row)}
	for _, field := range columns {
		out.Cells = append(out.Cells, cellOf(v, field, v.Value(table, row, field)))
	}
	return out
}

// cellOf shows a value; a lookup shows the parent's name.
func cellOf(v records.View, field *schema.Field, value string) cell {
	c := cell{Text: value, Label: field.Label}
	switch {
	case value == "":
	case field.Type == schema.Reference:
		c.Link = value
		if parents, parent := v.ByID(value); parent != nil {
			c.Text = v.Value(parents, parent, parents.Object.NameField())
		}
	case field.Type == schema.DateTime:
		c.Text = value[:10] + " " + value[11:19]
	case field.Type == schema.Boolean:
		c.Text = map[string]string{"true": "yes", "false": "no"}[value]
	}
	return c
}

type recordView struct {
	frame
	Object, Plural, ID  string
	Deleted             bool
	Event, Person, Live bool
	Edits               []editView
	Facts               []cell
	Children            []objectCount
}

type editView struct {
	Name, Label, Value, Kind, Help string
	// Old is the value that the form was first given. Only fields whose value is
	// another are changed.
	Old            string
	Error          string
	Choices        []string
	Length         int
	Required, Wide bool
	Always         bool // never empty: a checkbox
}

// DescribedBy are the ids of what explains the field, or "".
func (e editView) DescribedBy() string {
	var ids []string
	if e.Help != "" {
		ids = append(ids, "f-"+e.Name+"-hint")
	}
	if e.Error != "" {
		ids = append(ids, "f-"+e.Name+"-error")
	}
	return strings.Join(ids, " ")
}

func (p *pages) record(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.showRecord(w, id, http.StatusOK, frame{Said: p.message(r.Context(), id, r.URL.Query())}, nil)
}

// showRecord renders a record; what the form held replaces what is stored when
// a change was refused.
func (p *pages) showRecord(w http.ResponseWriter, id string, status int, around frame, form url.Values) {
	view := recordView{frame: around}
	found := false
	p.Store.Read(func(v records.View) {
		table, row := v.ByID(id)
		if row == nil {
			return
		}
		found = true
		view.fill(v, table, row, form)
		view.Errors = linked(view.Errors, view.Edits)
	})
	if !found {
		p.fail(w, http.StatusNotFound, "This org never had a record with that id.")
		return
	}
	p.render(w, status, "record.html", view)
}

// linked drops the fields that the form does not have, so that no link leads nowhere.
func linked(errs FieldErrors, edits []editView) FieldErrors {
	errs = slices.Clone(errs)
	for i := range errs {
		if !slices.ContainsFunc(edits, func(e editView) bool { return e.Name == errs[i].Field }) {
			errs[i].Field = ""
		}
	}
	return errs
}

func (view *recordView) fill(v records.View, table *records.Table, row *records.Row, form url.Values) {
	object := table.Object
	view.ID, view.Object, view.Plural, view.Deleted = table.ID(row), object.Name, object.Plural, row.Deleted
	view.Title = v.Value(table, row, object.NameField())
	switch object.Name {
	case "Turnout_Event__c":
		view.Event, view.Live = true, v.Value(table, row, object.Field("Status__c")) == "Published"
	case "Campaign":
		view.Event, view.Live = true, v.Value(table, row, object.Field("Turnout_Published__c")) == "true"
	case "Contact", "Lead", "Turnout_Link__c":
		view.Person = true
	}
	for _, field := range object.Fields {
		value := v.Value(table, row, field)
		if field.Index < 0 || field.CopyOf != "" || !field.Updateable() || object.ReadOnly || row.Deleted {
			view.Facts = append(view.Facts, cellOf(v, field, value))
			continue
		}
		e := edit(field, value)
		if form.Has("new:" + field.Name) {
			e = edit(field, typed(form, "new:"+field.Name))
			e.Old, e.Error = typed(form, "old:"+field.Name), view.Errors.of(field.Name)
		}
		view.Edits = append(view.Edits, e)
	}
	for _, child := range object.Children {
		if n := len(v.Table(child.Object).Find(child.Field, view.ID)); n > 0 {
			view.Children = append(view.Children, objectCount{Name: child.Object.Name + "?field=" + child.Field.Name + "&q=" + view.ID, Label: child.Object.Plural, Records: n})
		}
	}
}

func edit(field *schema.Field, value string) editView {
	e := editView{Name: field.Name, Label: field.Label, Value: value, Old: value, Kind: "text", Length: field.Length, Required: field.Required}
	switch field.Type {
	case schema.Boolean:
		e.Kind, e.Choices = "choice", []string{"true", "false"}
		e.Always = true
	case schema.Picklist:
		e.Kind, e.Choices = "choice", field.Values
		if value != "" && !slices.Contains(e.Choices, value) {
			e.Choices = append([]string{value}, e.Choices...)
		}
	case schema.Double, schema.Int:
		e.Kind, e.Length = "number", 20
	case schema.DateTime:
		e.Help, e.Length = "UTC, as 2027-03-01T15:00:00Z", 30
	case schema.Date:
		e.Kind = "date"
	case schema.TextArea:
		e.Kind, e.Wide = "long", true
	case schema.Reference:
		e.Help = "an id of " + strings.Join(field.ReferenceTo, " or ")
	}
	return e
}

func (p *pages) save(w http.ResponseWriter, r *http.Request) {
	since := p.Now()
	if saved, ok := p.change(w, r); ok {
		p.tell(w, r, r.PathValue("id"), said{Saved: saved, Since: since})
	}
}

// saveAndPress presses an event's button once what was typed is saved: the hint tells
// of it then, and nothing is lost.
func (p *pages) saveAndPress(w http.ResponseWriter, r *http.Request) {
	since := p.Now()
	saved, ok := p.change(w, r)
	if !ok {
		return
	}
	id, button := r.PathValue("id"), r.PathValue("button")
	if _, err := p.Org.Press(id, button); err != nil {
		did := map[bool]string{true: "What was typed is saved, but the button did nothing: ", false: "The button did nothing: "}[saved]
		p.fail(w, http.StatusBadRequest, did+err.Error())
		return
	}
	p.tell(w, r, id, said{Saved: saved, Pressed: button, Since: since})
}

// change changes the fields whose value differs from what the form was given, and
// reports whether there are any. Where that is refused it answers, and ok is false.
func (p *pages) change(w http.ResponseWriter, r *http.Request) (saved, ok bool) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		p.fail(w, http.StatusBadRequest, "The form could not be read.")
		return false, false
	}
	values := map[string]string{}
	for name := range r.PostForm {
		field, ok := strings.CutPrefix(name, "new:")
		if text := typed(r.PostForm, name); ok && text != typed(r.PostForm, "old:"+field) {
			values[field] = text
		}
	}
	id := r.PathValue("id")
	if len(values) > 0 {
		if err := p.Org.Change(id, values); err != nil {
			var errs FieldErrors
			if !errors.As(err, &errs) {
				errs = FieldErrors{{"", err.Error()}}
			}
			p.showRecord(w, id, http.StatusUnprocessableEntity, frame{Errors: errs}, r.PostForm)
			return false, false
		}
	}
	return len(values) > 0, true
}

// typed is a value of a form, its lines ended as the store ends them.
func typed(form url.Values, name string) string {
	return strings.ReplaceAll(form.Get(name), "\r\n", "\n")
}
