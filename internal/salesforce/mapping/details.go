package mapping

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// readDetails reads the YAML that an organiser keeps in one text field, in
// turnout.Event's own terms:
//
//	tickets:
//	  - {id: vip, name: VIP, seats: 20}
//	agenda:
//	  - {id: tour, name: Guided tour, starts: 2027-03-01 15:00, seats: 12}
//	form: {title: hidden, company: required}
//	questions:
//	  - {id: diet, label: What do you eat?, kind: choice, choices: [Anything, Vegan]}
//	max_guests: 2
//
// Times without an offset are in the event's zone. Unknown keys are faults.
func readDetails(text string, event *turnout.Event, f *faults) {
	root, found, err := readYAML([]byte(text))
	if err != nil {
		f.add("details", "%v", err)
		return
	}
	loc := event.Location()
	for _, s := range root.list("tickets") {
		event.Tickets = append(event.Tickets, turnout.Ticket{ID: s.text("id"), Name: s.text("name"), About: s.text("about"), Seats: s.whole("seats", turnout.Unlimited)})
		s.done()
	}
	for _, s := range root.list("agenda") {
		event.Agenda = append(event.Agenda, turnout.AgendaItem{
			ID: s.text("id"), Name: s.text("name"), About: s.text("about"), Room: s.text("room"),
			Starts: s.time("starts", loc), Ends: s.time("ends", loc), Seats: s.whole("seats", turnout.Unlimited),
		})
		s.done()
	}
	for _, s := range root.list("questions") {
		event.Form.Questions = append(event.Form.Questions, s.question(f))
	}
	root.form(event)
	root.extras(event, loc)
	root.done()
	slices.SortStableFunc(*found, func(a, b turnout.FieldError) int { return strings.Compare(a.Field, b.Field) })
	for _, fault := range *found {
		f.add("details."+fault.Field, "%s", fault.Message)
	}
}

func (s *section) question(f *faults) turnout.Question {
	q := turnout.Question{
		ID: s.text("id"), Label: s.text("label"), Help: s.text("help"), Kind: turnout.Kind(cmp.Or(s.text("kind"), string(turnout.KindText))),
		Required: s.flag("required"), MaxLength: s.whole("max_length", 0), Min: s.bound("min"), Max: s.bound("max"),
		Choices: s.texts("choices"), Target: s.text("target"),
	}
	if s.has("show_if") {
		on := s.section("show_if")
		q.ShowIf = &turnout.Condition{Question: on.text("question"), Values: on.texts("values")}
		on.done()
	}
	s.read = append(s.read, "show_if")
	s.done()
	checkQuestion(q, f)
	return q
}

func (s *section) bound(key string) *float64 {
	n, ok := s.number(key)
	if !ok || n-n != 0 { // infinities and NaN are no bounds
		return nil
	}
	return &n
}

// form reads how title and company are asked for.
func (s *section) form(event *turnout.Event) {
	form := s.section("form")
	for key, to := range map[string]*turnout.Ask{"title": &event.Form.Title, "company": &event.Form.Company} {
		switch word := turnout.Ask(form.text(key)); word {
		case "":
		case turnout.AskOptional, turnout.AskRequired, turnout.AskHidden:
			*to = word
		default:
			form.fault(key, "this must be optional, required or hidden")
		}
	}
	form.done()
}

// extras are what the campaign has no field for.
func (s *section) extras(event *turnout.Event, loc *time.Location) {
	event.MaxGuests = s.whole("max_guests", event.MaxGuests)
	for key, to := range map[string]*bool{"once_per_person": &event.OncePerPerson, "lock_email": &event.LockEmail, "private": &event.Private} {
		*to = s.flag(key) || *to
	}
	for key, to := range map[string]*time.Time{"opens": &event.Opens, "closes": &event.Closes, "edit_until": &event.EditUntil, "cancel_until": &event.CancelUntil} {
		if t := s.time(key, loc); !t.IsZero() {
			*to = t
		}
	}
	for key, to := range map[string]*string{"organizer": &event.Organizer, "address": &event.Address, "language": &event.Language, "button": &event.Button} {
		*to = cmp.Or(s.text(key), *to)
	}
	event.Language = languageTag(event.Language)
	if raw := s.text("join_url"); raw != "" {
		if event.JoinURL = webURL(raw); event.JoinURL == "" {
			s.fault("join_url", "give an address that starts with https://")
		}
	}
	if raw := s.text("image"); raw != "" {
		event.Image = webURL(raw)
	}
}

// time is a moment: with an offset, or as the clocks in loc show it.
func (s *section) time(key string, loc *time.Location) time.Time {
	text := s.text(key)
	if text == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, loc); err == nil {
			return t.UTC()
		}
	}
	s.fault(key, "give a time such as 2027-03-01 15:00")
	return time.Time{}
}
