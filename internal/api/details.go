package api

import (
	"github.com/turnout-events/turnout"
)

// Guest is somebody the registrant brings.
type Guest struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// NewRegistration is what a registration is made of.
type NewRegistration struct {
	FirstName string   `json:"first_name"`
	LastName  string   `json:"last_name"`
	Email     string   `json:"email" required:"false" doc:"Needed, except with a link whose event keeps the address it was sent to."`
	Title     string   `json:"title,omitempty"`
	Company   string   `json:"company,omitempty"`
	Ticket    string   `json:"ticket,omitempty" doc:"A ticket's id; may be left out where there is only one."`
	Agenda    []string `json:"agenda,omitempty" doc:"Ids of agenda items."`
	Guests    []Guest  `json:"guests,omitempty"`
	// Answers are by question id.
	Answers      map[string]Answer `json:"answers,omitempty" doc:"Answers by question id."`
	Link         string            `json:"link,omitempty" doc:"The token of the personal link that the registrant came through."`
	JoinWaitlist bool              `json:"join_waitlist,omitempty" doc:"Wait in line where seats are missing."`
	FormVersion  string            `json:"form_version,omitempty" doc:"The version of the form that was shown; compared when given."`
}

func (b NewRegistration) submission(key turnout.Key) turnout.Submission {
	return turnout.Submission{
		Key: key, FormVersion: b.FormVersion, JoinWaitlist: b.JoinWaitlist,
		Details: turnout.Details{
			Person: turnout.Person{Email: b.Email, FirstName: b.FirstName, LastName: b.LastName, Title: b.Title, Company: b.Company},
			Ticket: b.Ticket, Agenda: b.Agenda, Guests: guestsOf(b.Guests), Answers: answersFrom(b.Answers),
		},
	}
}

// Change is what a registration says from now on: all of it, since what is
// left out is taken away.
type Change struct {
	FirstName string            `json:"first_name"`
	LastName  string            `json:"last_name"`
	Email     string            `json:"email,omitempty" doc:"May be left out; another address than the registration's is refused."`
	Title     string            `json:"title,omitempty"`
	Company   string            `json:"company,omitempty"`
	Ticket    string            `json:"ticket,omitempty"`
	Agenda    []string          `json:"agenda,omitempty"`
	Guests    []Guest           `json:"guests,omitempty"`
	Answers   map[string]Answer `json:"answers,omitempty"`
	Revision  int64             `json:"revision" doc:"The revision that was read; another one is a conflict."`
}

func (b Change) details() turnout.Details {
	return turnout.Details{
		Person: turnout.Person{Email: b.Email, FirstName: b.FirstName, LastName: b.LastName, Title: b.Title, Company: b.Company},
		Ticket: b.Ticket, Agenda: b.Agenda, Guests: guestsOf(b.Guests), Answers: answersFrom(b.Answers),
	}
}

func guestsOf(in []Guest) []turnout.Guest {
	var out []turnout.Guest
	for _, g := range in {
		out = append(out, turnout.Guest(g))
	}
	return out
}

func answersFrom(in map[string]Answer) turnout.Answers {
	out := turnout.Answers{}
	for id, values := range in {
		if len(values) > 0 {
			out[id] = values
		}
	}
	return out
}

// invalid is one broken rule that the API itself holds.
func invalid(field, message string) error {
	return &turnout.Error{Code: turnout.CodeInvalid, Op: "read request", Fields: []turnout.FieldError{{Field: field, Message: message}}}
}
