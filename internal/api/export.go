package api

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
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
		sheet := newSheet(w, known)
		if err := a.desk.Export(c.Context(), org, event, sheet.add); err != nil {
			return err
		}
		if event != "" && known == nil && !sheet.begun {
			return turnout.Errorf(turnout.CodeNotFound, "export registrations", "no event with this id is published or has registrations; ids are in the list of events")
		}
		return sheet.finish()
	}}, nil
}

// sheet writes registrations as rows. With an event each question has a column;
// without, all answers share one, as JSON.
type sheet struct {
	w       http.ResponseWriter
	csv     *csv.Writer
	event   *turnout.Event
	begun   bool
	pending int
}

func newSheet(w http.ResponseWriter, e *turnout.Event) *sheet {
	return &sheet{w: w, csv: csv.NewWriter(w), event: e}
}

func (s *sheet) begin() error {
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="registrations.csv"`)
	columns := []string{"key", "event", "status", "state", "attendance", "accepted_at", "changed_at", "first_name", "last_name", "email", "title", "company", "ticket", "agenda", "guests"}
	if s.event == nil {
		return s.write(append(columns, "answers"))
	}
	for _, q := range s.event.Form.Questions {
		columns = append(columns, "answers."+q.ID)
	}
	return s.write(columns)
}

func (s *sheet) add(r oversight.Row) error {
	if !s.begun {
		if err := s.begin(); err != nil {
			return err
		}
	}
	d := r.Details
	var guests []string
	for _, g := range d.Guests {
		guests = append(guests, strings.TrimSpace(g.FirstName+" "+g.LastName))
	}
	cells := []string{
		string(r.Key), string(r.Event), string(r.Status), string(r.State()), string(r.Attendance), stamp(r.AcceptedAt), stamp(r.ChangedAt),
		d.Person.FirstName, d.Person.LastName, d.Person.Email, d.Person.Title, d.Person.Company, d.Ticket, strings.Join(d.Agenda, "; "), strings.Join(guests, "; "),
	}
	if s.event == nil {
		return s.write(append(cells, all(d.Answers)))
	}
	for _, q := range s.event.Form.Questions {
		cells = append(cells, strings.Join(d.Answers[q.ID], "; "))
	}
	return s.write(cells)
}

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
