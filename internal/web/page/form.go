package page

import (
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
)

// FormState is a registration form as it stands in front of somebody: what is
// in it, what is wrong with it and what it is for.
type FormState struct {
	Key     turnout.Key
	Details turnout.Details
	// Invited says that the form stands on a personal link, and Invitee whom that
	// was sent to, whatever was typed since; empty if the link names nobody.
	Invited bool
	Invitee string
	// Revision is the one being edited, 0 for a new registration.
	Revision int64
	// Back is the path of the registration being edited.
	Back string
	// Waiting says that the registration being edited is on the waitlist.
	Waiting bool
	// Faults are shown on top and beside their fields. One of the field
	// FieldWaitlist leads to the button for that.
	Faults []turnout.FieldError
	Alert  Alert
	// Offer adds the button that agrees to wait for a place.
	Offer bool
}

// FieldWaitlist is the name and the id of what agrees to wait for a place.
const FieldWaitlist = "join_waitlist"

// Alert is what a form says on top besides faults: a title for all of it, and
// what follows the list of faults. The zero Alert is none.
type Alert struct {
	Title string
	Lines []string
}

// formView is the form for its template.
type formView struct {
	frame
	Event   head
	Heading string
	Alert   Alert
	Faults  []fault
	Key     string
	Version string
	// Revision is "" for a new registration.
	Revision   string
	Person     []field
	Tickets    []option
	Ticket     field
	OneTicket  string
	Days       []agendaDay
	AgendaBad  string
	Guests     []guestRow
	GuestHint  string
	GuestsBad  string
	GuestOpen  bool
	Questions  []field
	Host       string
	Button     string
	ButtonLang string
	Waiting    bool
	Offer      bool
	Back       string

	// What differs between a public form and a link's.
	Lede      string
	EmailLock template.HTMLAttr
	EmailHint string
	Decline   template.HTML
}

// fault is one line of the error summary.
type fault struct{ ID, Message string }

// field is one thing asked, as the field template draws it.
type field struct {
	ID, Name, Label, Hint, Error, Value string
	// Help is the organiser's own hint, and Lang the language of it and of the label.
	Help, Lang string
	// Type is text, email, tel, date, number, textarea, radios or checkboxes.
	Type         string
	Autocomplete string
	Optional     bool
	// Required marks the input as such. A guest's name, or a question that counts
	// only after a certain answer, is not optional and not required either.
	Required bool
	Options  []option
	// If names the field on which it depends, Is the answers that show it (as
	// JSON), IfText says the same in words.
	If     string
	IfText template.HTML
	Is     []string
	Lock   template.HTMLAttr
}

// DescribedBy are the ids of what the template "notes" says beside the field.
func (f field) DescribedBy() string {
	var ids []string
	if f.IfText != "" {
		ids = append(ids, f.ID+"-if")
	}
	if f.Hint != "" || f.Help != "" {
		ids = append(ids, f.ID+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.ID+"-error")
	}
	return strings.Join(ids, " ")
}

type option struct {
	ID, Value, Label, Hint string
	About, Lang            string // what the organiser wrote besides the label, and its language
	Checked, Disabled      bool
}

type guestRow struct {
	Legend      string
	First, Last field
}

// formSlots is how many values FormValues gives.
const formSlots = 11

// formMarks are the values of a form by mark or by value: the same function
// fills both, so that they cannot come apart.
type formMarks struct {
	key, first, last, email, title, company, lede, emailHint string
	heading, emailLock, decline                              string
}

func (v *formView) fill(m formMarks) {
	v.Key, v.Heading, v.Lede, v.EmailHint = m.key, m.heading, m.lede, m.emailHint
	v.EmailLock, v.Decline = template.HTMLAttr(m.emailLock), template.HTML(m.decline)
	values := map[string]string{"first_name": m.first, "last_name": m.last, "email": m.email, "title": m.title, "company": m.company}
	for i := range v.Person {
		f := &v.Person[i]
		f.Value = values[f.Name]
		if f.Name == "email" {
			f.Hint, f.Lock = m.emailHint, v.EmailLock
		}
	}
}

// marksOf are the values that a form in this state has.
func (p *Edition) marksOf(e *turnout.Event, seats turnout.Seatings, s FormState) formMarks {
	person := s.Details.Person
	m := formMarks{
		key: string(s.Key), first: person.FirstName, last: person.LastName, email: person.Email,
		title: person.Title, company: person.Company, heading: p.Say("form.title"), lede: p.Say("form.lede"), emailHint: p.Say("form.email.hint"),
	}
	waitlist, named := Full(e, seats) && e.Waitlist, s.Invited && s.Invitee != ""
	switch {
	case s.Revision > 0 && s.Waiting:
		m.heading, m.lede = p.Say("form.title.edit"), p.Say("form.lede.edit.wait")
	case s.Revision > 0:
		m.heading, m.lede = p.Say("form.title.edit"), p.Say("form.lede.edit")
	case named && waitlist:
		m.heading, m.lede = p.Say("form.title.invite"), p.Say("form.lede.invite.full", s.Invitee)
	case named:
		m.heading, m.lede = p.Say("form.title.invite"), p.Say("form.lede.invite", s.Invitee)
	case waitlist:
		m.heading, m.lede = p.Say("form.title.waitlist"), p.Say("form.lede.full")
	}
	switch {
	case s.Revision > 0:
		m.emailLock, m.emailHint = " readonly", p.Say("form.email.edit")
	case s.Invited && e.LockEmail:
		m.emailLock, m.emailHint = " readonly", p.Say("form.email.locked")
	}
	if s.Invited && s.Revision == 0 {
		m.decline = p.decline
		if waitlist {
			m.decline = p.declineFull
		}
	}
	return m
}

// declineHTML is the part of a link's form that says "not coming". It holds
// words of ours only.
func (p *Edition) declineHTML(hint string) string {
	esc := template.HTMLEscapeString
	return `<section class="aside" aria-labelledby="decline"><h2 id="decline">` + esc(p.Say("form.decline")) + `</h2><p>` +
		esc(hint) + `</p><button class="button neutral" name="action" value="decline">` +
		esc(p.Say("form.decline.button")) + `</button></section>`
}

// FormPage draws a form in full, in any state.
func (p *Edition) FormPage(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s FormState) ([]byte, error) {
	v := p.formView(org, e, seats, s)
	v.fill(p.marksOf(e, seats, s))
	return p.draw("form", v)
}

func (p *Edition) formView(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, s FormState) *formView {
	v := &formView{Button: cmpOr(e.Button, p.Say("form.send")), Version: e.Form.Version, Host: cmpOr(e.Organizer, org.Name), Offer: s.Offer, Back: s.Back, Alert: s.Alert, Event: p.head(e)}
	title := p.Say("form.title")
	switch {
	case s.Revision > 0:
		title, v.Button, v.Revision = p.Say("form.title.edit"), p.Say("form.send.edit"), strconv.FormatInt(s.Revision, 10)
	case Full(e, seats) && e.Waitlist:
		title, v.Button, v.Waiting, v.Offer = p.Say("form.title.waitlist"), p.Say("form.send.waitlist"), true, false
	}
	v.ButtonLang = p.buttonLang(e, v.Button)
	v.frame = p.frame(org, e, title)
	if len(s.Faults) > 0 || s.Alert.Title != "" {
		v.Title = p.Say("form.error.prefix") + v.Title
	}
	bad, faults := map[string]string{}, slices.Clone(s.Faults)
	for i, f := range faults {
		faults[i].Message = p.fault(f)
		bad[f.Field] = strings.TrimSpace(bad[f.Field] + " " + faults[i].Message)
	}
	p.addPerson(v, e, bad)
	p.addChoices(v, e, seats, s, bad)
	p.addGuests(v, e, s.Details.Guests, bad)
	for _, q := range e.Form.Questions {
		v.Questions = append(v.Questions, p.question(e, q, s.Details.Answers[q.ID], bad["answers."+q.ID]))
	}
	v.Faults = faultLines(v, faults)
	return v
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (p *Edition) addPerson(v *formView, e *turnout.Event, bad map[string]string) {
	add := func(name, label, kind, autocomplete string, ask turnout.Ask) {
		if ask == turnout.AskHidden {
			return
		}
		v.Person = append(v.Person, field{
			ID: name, Name: name, Label: p.Say(label), Type: kind, Autocomplete: autocomplete,
			Optional: ask != turnout.AskRequired, Required: ask == turnout.AskRequired, Error: bad[name],
		})
	}
	add("first_name", "form.first_name", "text", "given-name", turnout.AskRequired)
	add("last_name", "form.last_name", "text", "family-name", turnout.AskRequired)
	add("email", "form.email", "email", "email", turnout.AskRequired)
	add("company", "form.company", "text", "organization", e.Form.Company)
	add("title", "form.job", "text", "organization-title", e.Form.Title)
}

func (p *Edition) addChoices(v *formView, e *turnout.Event, seats turnout.Seatings, s FormState, bad map[string]string) {
	v.Ticket = field{ID: "ticket", Name: "ticket", Label: p.Say("form.ticket"), Type: "radios", Error: bad["ticket"]}
	if len(e.Tickets) == 1 {
		v.OneTicket = e.Tickets[0].ID
	}
	for i, t := range e.Tickets {
		free := seats.Free(turnout.PoolTicket(t.ID))
		mine := t.ID == s.Details.Ticket
		v.Ticket.Options = append(v.Ticket.Options, option{
			ID: optionID("ticket", i), Value: t.ID, Label: t.Name, About: t.About, Lang: p.foreign(e), Hint: p.seatsLeft(free),
			Checked: mine, Disabled: free == 0 && !e.Waitlist && !mine,
		})
	}
	v.Days, v.AgendaBad = p.agendaDays(e, seats), bad["agenda"]
	for d := range v.Days {
		for i := range v.Days[d].Items {
			item := &v.Days[d].Items[i]
			item.Checked = slices.Contains(s.Details.Agenda, item.ID)
			item.Disabled = item.Full && !item.Checked && !e.Waitlist
		}
	}
}

// optionID names the options of a group; the first has the group's own name,
// so that the error summary's link leads to it.
func optionID(group string, i int) string {
	if i == 0 {
		return group
	}
	return group + "." + strconv.Itoa(i)
}

func (p *Edition) addGuests(v *formView, e *turnout.Event, guests []turnout.Guest, bad map[string]string) {
	v.GuestHint = p.Say("form.guests.hint", e.MaxGuests)
	if e.MaxGuests == 1 {
		v.GuestHint = p.Say("form.guests.hint.one")
	}
	v.GuestsBad, v.GuestOpen = bad["guests"], len(guests) > 0 || bad["guests"] != ""
	for i := range max(e.MaxGuests, min(len(guests), turnout.MaxGuests)) {
		name := "guests." + strconv.Itoa(i)
		// A section of its own keeps the registrant's own name out of it. "off"
		// would too, but browsers then forget the guest on Back.
		section := "section-guest" + strconv.Itoa(i+1) + " "
		row := guestRow{
			Legend: p.Say("form.guest", i+1),
			First:  field{ID: name + ".first_name", Name: name + ".first_name", Label: p.Say("form.first_name"), Type: "text", Error: bad[name+".first_name"], Autocomplete: section + "given-name"},
			Last:   field{ID: name + ".last_name", Name: name + ".last_name", Label: p.Say("form.last_name"), Type: "text", Error: bad[name+".last_name"], Autocomplete: section + "family-name"},
		}
		if i < len(guests) {
			row.First.Value, row.Last.Value = guests[i].FirstName, guests[i].LastName
		}
		v.Guests = append(v.Guests, row)
	}
}

// pageOrder are the ids of all fields on the page, from top to bottom.
func pageOrder(v *formView) []string {
	var ids []string
	for _, f := range v.Person {
		ids = append(ids, f.ID)
	}
	if v.OneTicket == "" {
		ids = append(ids, "ticket")
	}
	if len(v.Days) > 0 {
		ids = append(ids, "agenda")
	}
	for _, f := range v.Questions {
		ids = append(ids, f.ID)
	}
	if len(v.Guests) > 0 {
		ids = append(ids, "guests")
	}
	for _, g := range v.Guests {
		ids = append(ids, g.First.ID, g.Last.ID)
	}
	if v.Offer || v.Waiting {
		ids = append(ids, FieldWaitlist)
	}
	return ids
}

// faultLines turns faults into links, each to a field that is on the page, in
// the order of the page; those of no field come first.
func faultLines(v *formView, faults []turnout.FieldError) []fault {
	ids := pageOrder(v)
	at := func(f turnout.FieldError) int { return slices.Index(ids, f.Field) }
	faults = slices.SortedStableFunc(slices.Values(faults), func(a, b turnout.FieldError) int { return at(a) - at(b) })
	lines := make([]fault, len(faults))
	for i, f := range faults {
		lines[i].Message = f.Message
		if at(f) >= 0 {
			lines[i].ID = f.Field
		}
	}
	return lines
}
