package turnout

import "slices"

// MaxGuests is the largest party that any event may allow besides the
// registrant.
const MaxGuests = 20

// Answers are the values given to each question, by question id. A question
// that takes one value has one; no entry and an empty list mean no answer.
type Answers map[string][]string

// First is the first value of an answer, or "".
func (a Answers) First(id string) string {
	if len(a[id]) == 0 {
		return ""
	}
	return a[id][0]
}

// Guest is somebody the registrant brings. Only the name is asked for.
type Guest struct {
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
}

// Submission is a filled form before anything was checked.
type Submission struct {
	Key Key `json:"-"`
	// FormVersion is the version that was rendered; empty from API clients that
	// do not say, and then not compared.
	FormVersion string `json:"form_version,omitempty"`
	// Link is the AttendeeLink it came through, zero for none.
	Link LinkID `json:"-"`
	Details
	// JoinWaitlist agrees to wait when no seat is left.
	JoinWaitlist bool `json:"join_waitlist,omitempty"`
}

// Details are what a registrant said: the part of a registration that is
// sealed under the person's data key.
type Details struct {
	Person  Person   `json:"person"`
	Ticket  string   `json:"ticket,omitempty"`
	Agenda  []string `json:"agenda,omitempty"`
	Guests  []Guest  `json:"guests,omitempty"`
	Answers Answers  `json:"answers,omitempty"`
	// Invite names the Salesforce records behind the AttendeeLink that was
	// used, nil for none.
	Invite *Invite `json:"invite,omitempty"`
}

// Claims are the seats that a party takes: one for each of its members, of the
// event, of its ticket and of each agenda item it chose.
func (e *Event) Claims(d Details) []Claim {
	party := 1 + len(d.Guests)
	claims := make([]Claim, 0, 2+len(d.Agenda))
	claims = append(claims, Claim{PoolEvent, party}, Claim{PoolTicket(d.Ticket), party})
	for _, id := range d.Agenda {
		claims = append(claims, Claim{PoolAgenda(id), party})
	}
	return claims
}

// Clone copies d so that the copy can be changed.
func (d Details) Clone() Details {
	d.Agenda = slices.Clone(d.Agenda)
	d.Guests = slices.Clone(d.Guests)
	answers := make(Answers, len(d.Answers))
	for id, values := range d.Answers {
		answers[id] = slices.Clone(values)
	}
	d.Answers = answers
	return d
}
