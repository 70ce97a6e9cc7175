package console

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/oversight"
)

// amendPage is the form for one parked registration.
type amendPage struct {
	frame
	It     oversight.Parked
	Fields []field
	Faults []turnout.FieldError
	// Alert says what else is wrong.
	Alert string
	// Dropped is what the form does not take any more: guests beyond those that
	// may come and answers to questions that are gone. Saving leaves it out.
	Dropped []line
}

// open finds the parked registration that the path names and may be amended,
// or answers the request and returns false.
func (c *Console) open(w http.ResponseWriter, r *http.Request) (amendPage, bool) {
	org, f, ok := c.org(w, r, "parked")
	if !ok {
		return amendPage{}, false
	}
	p, err := c.desk.OneParked(r.Context(), org.ID, turnout.Key(r.PathValue("key")))
	switch {
	case err != nil:
	case !p.Readable:
		err = turnout.Errorf(turnout.CodeForgotten, "open parked", "what it said was deleted, so there is nothing to amend")
	case p.Form == nil:
		err = turnout.Errorf(turnout.CodeClosed, "open parked", "its event is not published now, so its form is not known: publish it, or retry as it is")
	}
	if err != nil {
		c.fail(w, r, err)
		return amendPage{}, false
	}
	f.Title = "Amend registration"
	return amendPage{frame: f, It: p}, true
}

func (c *Console) showAmend(w http.ResponseWriter, r *http.Request) {
	page, ok := c.open(w, r)
	if !ok {
		return
	}
	page.Fields = fieldsOf(page.It.Form, page.It.Details, nil)
	page.Dropped = dropped(page.It.Form, page.It.Details)
	c.show(w, r, http.StatusOK, "amend", page)
}

// amend takes a changed registration, or shows the form again with everything typed.
func (c *Console) amend(w http.ResponseWriter, r *http.Request) {
	page, ok := c.open(w, r)
	if !ok {
		return
	}
	values, err := readForm(w, r)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := detailsFrom(values)
	d.Person.Email = page.It.Details.Person.Email
	err = c.desk.Amend(context.WithoutCancel(r.Context()), page.Org, page.It.Key, d)
	switch code := turnout.CodeOf(err); code {
	case "":
		c.sent(w, page.Org, 1)
		return
	case turnout.CodeInvalid:
		page.Faults = turnout.FieldsOf(err)
	case turnout.CodeFull:
		page.Alert = "Not enough seats are left for what you chose."
	case turnout.CodeConflict:
		page.Alert = "Somebody changed it meanwhile. Check the values and send it again."
	default:
		c.fail(w, r, err)
		return
	}
	page.Error = true
	page.Faults = faultsOf(fieldsOf(page.It.Form, d, nil), page.Faults)
	page.Fields = fieldsOf(page.It.Form, d, page.Faults)
	page.Dropped = dropped(page.It.Form, page.It.Details)
	c.show(w, r, http.StatusUnprocessableEntity, "amend", page)
}

// maxBody bounds a form in bytes.
const maxBody = 64 << 10

// readForm reads a form: CodeTooLarge or CodeMalformed.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, turnout.Wrap(turnout.CodeTooLarge, "read form", err)
	}
	return parseForm(string(body))
}

func parseForm(body string) (url.Values, error) {
	values, err := url.ParseQuery(body)
	if err != nil || !allUTF8(values) {
		return nil, turnout.Errorf(turnout.CodeMalformed, "read form", "go back and send the form again")
	}
	return values, nil
}

func allUTF8(values url.Values) bool {
	for name, list := range values {
		if !utf8.ValidString(name) || slices.ContainsFunc(list, func(v string) bool { return !utf8.ValidString(v) }) {
			return false
		}
	}
	return true
}

// detailsFrom takes the fields that fieldsOf makes.
func detailsFrom(values url.Values) turnout.Details {
	d := turnout.Details{
		Person: turnout.Person{FirstName: values.Get("first_name"), LastName: values.Get("last_name"), Title: values.Get("title"), Company: values.Get("company")},
		Ticket: values.Get("ticket"), Agenda: values["agenda"], Answers: turnout.Answers{},
	}
	for i := range turnout.MaxGuests + 1 {
		row := "guests." + strconv.Itoa(i)
		g := turnout.Guest{FirstName: values.Get(row + ".first_name"), LastName: values.Get(row + ".last_name")}
		if strings.TrimSpace(g.FirstName+g.LastName) != "" {
			d.Guests = append(d.Guests, g)
		}
	}
	for name, list := range values {
		if id, ok := strings.CutPrefix(name, "answers."); ok {
			if list = slices.DeleteFunc(slices.Clone(list), func(v string) bool { return strings.TrimSpace(v) == "" }); len(list) > 0 {
				d.Answers[id] = list
			}
		}
	}
	return d
}

func dropped(e *turnout.Event, d turnout.Details) []line {
	var lines []line
	for i, g := range d.Guests {
		if i >= e.MaxGuests {
			lines = append(lines, line{"Guest " + strconv.Itoa(i+1), strings.TrimSpace(g.FirstName + " " + g.LastName)})
		}
	}
	return append(lines, leftover(e, d.Answers)...)
}

// leftover are answers to questions that the form has no longer, by their ids.
func leftover(e *turnout.Event, answers turnout.Answers) []line {
	var lines []line
	for _, id := range slices.Sorted(maps.Keys(answers)) {
		if _, ok := e.Form.Question(id); !ok {
			lines = append(lines, line{id, strings.Join(answers[id], ", ")})
		}
	}
	return lines
}
