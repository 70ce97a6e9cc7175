package mapping

import (
	"slices"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// Columns are the fields of a registration that a query asks for. None of
// them names a person.
func (g Registration) Columns() []string {
	return unique([]string{"Id", "IsDeleted", stamp, g.Key, g.Fields["event"], g.Fields["status"], g.Fields["revision"]})
}

// Read turns a registration's record into what an organiser may have changed.
// It is false for records with a status that says nothing to Turnout, such as
// an invite that was only sent. Who deletes a record cancels the registration,
// so that its seats come back.
func (g Registration) Read(r salesforce.Record) (turnout.RegistrationCopy, bool) {
	status, attendance, ok := g.meaning(r.Text(g.Fields["status"]))
	if r.True("IsDeleted") {
		status, attendance, ok = turnout.StatusCancelled, "", true
	}
	if !ok {
		return turnout.RegistrationCopy{}, false
	}
	out := turnout.RegistrationCopy{
		Record: r.ID("Id"), Key: turnout.Key(r.Text(g.Key)), Event: turnout.EventID(r.ID(g.Fields["event"])),
		Status: status, Attendance: attendance,
	}
	if revision, ok := r.Number(g.Fields["revision"]); ok && g.Fields["revision"] != "" {
		out.Revision = int64(revision)
	}
	out.Modified, _ = r.Time(stamp)
	return out, true
}

// meaning is what a picklist value says.
func (g Registration) meaning(value string) (turnout.Status, turnout.Attendance, bool) {
	for word, values := range g.Statuses {
		if !slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) }) {
			continue
		}
		switch a := turnout.Attendance(word); a {
		case turnout.AttendanceApproved, turnout.AttendanceAttended, turnout.AttendanceAbsent:
			return turnout.StatusRegistered, a, true
		}
		return turnout.Status(word), "", true
	}
	return "", "", false
}

// Known are all picklist values that mean something.
func (g Registration) Known() []string { return g.values(statusWords()...) }

// Seated are the picklist values of people who hold a seat.
func (g Registration) Seated() []string {
	return g.values("registered", "approved", "attended", "absent")
}

func (g Registration) values(words ...string) []string {
	var values []string
	for _, word := range words {
		values = append(values, g.Statuses[word]...)
	}
	return values
}

// statusValue is the picklist value to write. What the organiser noted
// outlives a change that the registrant makes.
func (g Registration) statusValue(status turnout.Status, attendance turnout.Attendance) string {
	word := string(status)
	if status == turnout.StatusRegistered && len(g.Statuses[string(attendance)]) > 0 {
		word = string(attendance)
	}
	if values := g.Statuses[word]; len(values) > 0 {
		return values[0]
	}
	return ""
}
