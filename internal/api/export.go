package api

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/oversight"
)

// flushEvery is how many rows go out together, so that a reader sees progress
// and memory stays small.
const flushEvery = 500

// flushPatience is how long a reader may take for that many. The sheet as a
// whole may take as long as it needs.
const flushPatience = time.Minute

// export streams registrations as CSV. The header line goes out with the first
// row, so that an org or an event which does not exist is a problem and not an
// empty file. An event that is not published is known by its registrations.
func (a *Admin) export(c *endpoint.Call) (endpoint.Reply, error) {
	org, event := orgOf(c), turnout.EventID(c.URL.Query().Get("event"))
	return endpoint.Reply{Write: func(w http.ResponseWriter) error {
		known := a.desk.Event(org, event)
		sheet := newSheet(w, known, func(id turnout.EventID) *turnout.Event { return a.desk.Event(org, id) })
		if err := a.desk.Export(c.Context(), org, event, sheet.add); err != nil {
			return err
		}
		if event != "" && known == nil && !sheet.begun {
			return turnout.Errorf(turnout.CodeNotFound, "export registrations", "no event with this id is published or has registrations; ids are in the list of events")
		}
		return sheet.finish()
	}}, nil
}

// sheet writes registrations as rows. With an event each question has a column, named by
// its id and its words; without, all answers share one, as JSON. What people call things
// stands beside the ids, as far as it is published now.
type sheet struct {
	w       http.ResponseWriter
	csv     *csv.Writer
	event   *turnout.Event
	names   func(turnout.EventID) *turnout.Event
	begun   bool
	pending int
}

func newSheet(w http.ResponseWriter, e *turnout.Event, names func(turnout.EventID) *turnout.Event) *sheet {
	return &sheet{w: w, csv: csv.NewWriter(w), event: e, names: names}
}

func (s *sheet) begin() error {
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+s.file()+`"`)
	columns := []string{
		"key", "reference", "event", "event_title", "status", "state", "attendance", "accepted_at", "changed_at",
		"first_name", "last_name", "email", "title", "company",
		"ticket", "ticket_name", "agenda", "agenda_names", "guests", "guest_count",
	}
	if s.event == nil {
		return s.write(append(columns, "answers"))
	}
	for _, q := range s.event.Form.Questions {
		columns = append(columns, "answers."+q.ID+": "+q.Label)
	}
	return s.write(columns)
}

// file is what the sheet is saved as.
func (s *sheet) file() string {
	if s.event == nil {
		return "registrations.csv"
	}
	return "registrations-" + s.event.Slug + ".csv"
}

func (s *sheet) add(r oversight.Row) error {
	if !s.begun {
		if err := s.begin(); err != nil {
			return err
		}
	}
	d, e := r.Details, s.names(r.Event)
	if e == nil {
		e = &turnout.Event{}
	}
	ticket, _ := e.Ticket(d.Ticket)
	var agenda, guests []string
	for _, id := range d.Agenda {
		item, _ := e.AgendaItem(id)
		agenda = append(agenda, item.Name)
	}
	for _, g := range d.Guests {
		guests = append(guests, strings.TrimSpace(g.FirstName+" "+g.LastName))
	}
	cells := []string{
		string(r.Key), r.Key.Reference(), string(r.Event), e.Title, string(r.Status), string(r.State()), string(r.Attendance), stamp(r.AcceptedAt), stamp(r.ChangedAt),
		d.Person.FirstName, d.Person.LastName, d.Person.Email, d.Person.Title, d.Person.Company,
		d.Ticket, ticket.Name, strings.Join(d.Agenda, "; "), strings.Join(slices.DeleteFunc(agenda, isEmpty), "; "), strings.Join(guests, "; "), strconv.Itoa(len(guests)),
	}
	if s.event == nil {
		return s.write(append(cells, all(d.Answers)))
	}
	for _, q := range s.event.Form.Questions {
		cells = append(cells, strings.Join(d.Answers[q.ID], "; "))
	}
	return s.write(cells)
}

func isEmpty(s string) bool { return s == "" }

func all(answers turnout.Answers) string {
	if len(answers) == 0 {
		return ""
	}
	text, _ := json.Marshal(answers) // string lists by string always marshal
	return string(text)
}

func (s *sheet) write(cells []string) error {
	for i, cell := range cells {
		cells[i] = harmless(cell)
	}
	if err := s.csv.Write(cells); err != nil {
		return err
	}
	if s.pending++; s.pending < flushEvery {
		return nil
	}
	return s.flush()
}

func (s *sheet) finish() error {
	if !s.begun {
		if err := s.begin(); err != nil {
			return err
		}
	}
	return s.flush()
}

func (s *sheet) flush() error {
	s.pending = 0
	rc := http.NewResponseController(s.w) // a writer that cannot is a test's
	_ = rc.SetWriteDeadline(time.Now().Add(flushPatience))
	s.csv.Flush()
	_ = rc.Flush()
	return s.csv.Error()
}

// harmless keeps a spreadsheet from taking what a registrant typed for a
// formula: such a cell begins with an apostrophe (OWASP, CSV Injection).
func harmless(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r\n", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
