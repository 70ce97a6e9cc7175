package turnout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Check holds a party's details against the event's form. It returns them as
// they are to be kept (trimmed, answers to hidden questions dropped) or an
// Error of CodeInvalid with every broken rule in form order. The words are
// shown to registrants as they are, so they say what to do.
func (e *Event) Check(d Details) (Details, error) {
	c := checker{event: e, d: d.Clone()}
	c.person()
	c.ticket()
	c.agenda()
	c.guests()
	c.answers()
	if len(c.faults) > 0 {
		return Details{}, &Error{Code: CodeInvalid, Op: "check submission", Fields: c.faults}
	}
	return c.d, nil
}

type checker struct {
	event  *Event
	d      Details
	faults []FieldError
}

func (c *checker) fault(field, format string, args ...any) {
	c.faults = append(c.faults, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
}

// text trims a line and checks what any line must hold.
func (c *checker) text(field, label, value string, limit int, required bool) string {
	if value = strings.TrimSpace(value); blank(value) {
		value = ""
	}
	switch {
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		c.fault(field, "Enter %s without special control characters", label)
	case strings.ContainsFunc(value, turnsText):
		c.fault(field, "Enter %s without hidden text-direction characters: type it instead of pasting it", label)
	case value == "" && required:
		c.fault(field, "Enter %s", label)
	case utf8.RuneCountInString(value) > limit:
		c.fault(field, "Shorten %s to %d characters or fewer", label, limit)
	}
	return value
}

func (c *checker) person() {
	p, form := &c.d.Person, &c.event.Form
	most := form.Lengths.orDefault()
	p.FirstName = c.text("first_name", "your first name", p.FirstName, most.FirstName, true)
	p.LastName = c.text("last_name", "your last name", p.LastName, most.LastName, true)
	p.Email = strings.TrimSpace(p.Email)
	switch {
	case p.Email == "":
		c.fault("email", "Enter your e-mail address")
	case len(p.Email) > most.Email || !ValidEmail(p.Email) || strings.ContainsFunc(p.Email, turnsText):
		c.fault("email", "Enter an e-mail address in the form name@example.com, of at most %d characters", most.Email)
	}
	p.Title = c.asked("title", "your job title", p.Title, most.Title, form.Title)
	p.Company = c.asked("company", "your company or organisation", p.Company, most.Company, form.Company)
}

func (c *checker) asked(field, label, value string, limit int, ask Ask) string {
	if ask == AskHidden {
		return ""
	}
	return c.text(field, label, value, limit, ask == AskRequired)
}

func (c *checker) ticket() {
	if c.d.Ticket == "" && len(c.event.Tickets) == 1 {
		c.d.Ticket = c.event.Tickets[0].ID
	}
	if _, ok := c.event.Ticket(c.d.Ticket); !ok {
		c.fault("ticket", "Choose a ticket")
	}
}

func (c *checker) agenda() {
	slices.Sort(c.d.Agenda)
	c.d.Agenda = slices.Compact(c.d.Agenda)
	for _, id := range c.d.Agenda {
		if _, ok := c.event.AgendaItem(id); !ok {
			c.fault("agenda", "Choose sessions from the list")
			return
		}
	}
}

func (c *checker) guests() {
	if len(c.d.Guests) > c.event.MaxGuests {
		if c.event.MaxGuests == 0 {
			c.fault("guests", "This event takes no guests: leave them out")
		} else {
			c.fault("guests", "Bring at most %d guests", c.event.MaxGuests)
		}
		return
	}
	for i := range c.d.Guests {
		g, field := &c.d.Guests[i], "guests."+strconv.Itoa(i)
		who := "guest " + strconv.Itoa(i+1)
		g.FirstName = c.text(field+".first_name", "the first name of "+who, g.FirstName, MaxFirstName, true)
		g.LastName = c.text(field+".last_name", "the last name of "+who, g.LastName, MaxLastName, true)
	}
}

func (c *checker) answers() {
	form := &c.event.Form
	for _, id := range sortedKeys(c.d.Answers) {
		if _, ok := form.Question(id); !ok {
			c.fault("answers."+id, "This question is not part of the form: leave it out")
			delete(c.d.Answers, id)
		}
	}
	for _, q := range form.Questions {
		if !form.Shown(q, c.d.Answers) {
			delete(c.d.Answers, q.ID)
			continue
		}
		values := c.answer(q, c.d.Answers[q.ID])
		if len(values) == 0 {
			delete(c.d.Answers, q.ID)
			continue
		}
		c.d.Answers[q.ID] = values
	}
}

// blank reports whether a line has nothing that a person would see: spaces,
// zero-width and other format characters, marks without a letter, and the
// fillers that Unicode counts among letters and symbols. A control character or
// broken UTF-8 is something, since it is complained about.
func blank(line string) bool {
	return !strings.ContainsFunc(line, func(r rune) bool {
		switch r {
		case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800': // Hangul fillers, the empty Braille pattern
			return false
		}
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) || unicode.IsControl(r)
	})
}

// turnsText reports whether r overrides or isolates the direction of the text
// around it (Unicode 16, 23.2). Nobody can type these, and in a list of names
// they make one line read as another; right-to-left scripts need none of them.
func turnsText(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
}

// answer checks one question's values and returns them as they are kept.
func (c *checker) answer(q Question, values []string) []string {
	field := "answers." + q.ID
	values = slices.DeleteFunc(values, func(v string) bool { return blank(strings.TrimSpace(v)) })
	for i := range values {
		values[i] = strings.TrimSpace(strings.ReplaceAll(values[i], "\r\n", "\n"))
		if q.Kind == KindNumber {
			values[i] = decimal(values[i])
		}
	}
	switch {
	case len(values) == 0 && q.Required:
		c.fault(field, "%s", missing(q))
		return nil
	case len(values) == 0:
		return nil
	case len(values) > 1 && q.Kind != KindChoices:
		c.fault(field, "Give one answer to “%s”", q.Label)
		return values
	}
	for _, v := range values {
		if message := q.refuse(v); message != "" {
			c.fault(field, "%s", message)
			break
		}
	}
	return values
}

func missing(q Question) string {
	switch q.Kind {
	case KindChoice, KindChoices, KindYesNo:
		return "Choose an answer to “" + q.Label + "”"
	}
	return "Answer “" + q.Label + "”"
}

// refuse says what to do about a value that the question does not take, or "".
func (q Question) refuse(v string) string {
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return "Answer “" + q.Label + "” without special control characters"
	}
	if q.Kind != KindLongText && strings.ContainsFunc(v, turnsText) {
		return "Answer “" + q.Label + "” without hidden text-direction characters: type it instead of pasting it"
	}
	if n := q.Limit(); utf8.RuneCountInString(v) > n {
		return fmt.Sprintf("Shorten your answer to “%s” to %d characters or fewer", q.Label, n)
	}
	switch q.Kind {
	case KindEmail:
		if !ValidEmail(v) {
			return "Enter an e-mail address in the form name@example.com for “" + q.Label + "”"
		}
	case KindPhone:
		if !validPhone(v) {
			return "Enter a phone number with digits, like +43 1 234567, for “" + q.Label + "”"
		}
	case KindNumber:
		return q.refuseNumber(v)
	case KindDate:
		return q.refuseDate(v)
	case KindChoice, KindChoices:
		if !slices.Contains(q.Choices, v) {
			return "Choose an answer from the list for “" + q.Label + "”"
		}
	case KindYesNo:
		if v != "yes" && v != "no" {
			return "Answer yes or no to “" + q.Label + "”"
		}
	case KindText:
		if strings.ContainsAny(v, "\n\t") {
			return "Answer “" + q.Label + "” in one line"
		}
	}
	return ""
}

// decimal turns one decimal comma into a point: "40,5" is kept as "40.5".
// "1,000" stays as it is and so is refused, since it may mean a thousand.
func decimal(v string) string {
	whole, part, found := strings.Cut(v, ",")
	counted := strings.Trim(whole, "+-0") != ""
	if !found || whole == "" || part == "" || strings.ContainsAny(whole+part, ",.") || len(part) == 3 && counted {
		return v
	}
	return whole + "." + part
}

func (q Question) refuseNumber(v string) string {
	n, err := strconv.ParseFloat(v, 64)
	switch {
	case strings.Contains(v, ","):
		return "Enter a number without thousands separators, like 1250 or 40.5, for “" + q.Label + "”"
	case err != nil || strings.ContainsAny(v, "xXpPnNiI_"):
		return "Enter a number for “" + q.Label + "”"
	case q.Min != nil && n < *q.Min:
		return fmt.Sprintf("Enter %v or more for “%s”", *q.Min, q.Label)
	case q.Max != nil && n > *q.Max:
		return fmt.Sprintf("Enter %v or less for “%s”", *q.Max, q.Label)
	}
	return ""
}

// The years that dates in Salesforce have: 1700-01-01 to 4000-12-31 (field
// types of the object reference, "date").
const (
	firstYear = 1700
	lastYear  = 4000
)

func (q Question) refuseDate(v string) string {
	day, err := time.Parse(time.DateOnly, v)
	switch {
	case err != nil:
		return "Enter a date that exists, as year-month-day, for “" + q.Label + "”"
	case day.Year() < firstYear || day.Year() > lastYear:
		return fmt.Sprintf("Enter a date from the year %d to %d for “%s”", firstYear, lastYear, q.Label)
	}
	return ""
}

// validPhone takes what Salesforce's phone field takes and a person can dial:
// at most 40 characters, at least five of them digits.
func validPhone(v string) bool {
	digits := 0
	for _, r := range v {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case !strings.ContainsRune("+-()/. x", r):
			return false
		}
	}
	return digits >= 5 && len(v) <= 40
}

func sortedKeys(a Answers) []string {
	keys := make([]string, 0, len(a))
	for k := range a {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
