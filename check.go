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
// Error of CodeInvalid with every broken rule in form order. Pages say the
// rules in their own language (FieldError.Rule).
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

func (c *checker) fault(field string, rule Rule, args ...any) {
	c.faults = append(c.faults, FieldError{Field: field, Message: fmt.Sprintf(Rules()[rule], args...), Rule: rule, Args: args})
}

// text trims a line and checks what any line must hold.
func (c *checker) text(field string, part Part, value string, limit int, required bool) string {
	if value = strings.TrimSpace(value); blank(value) {
		value = ""
	}
	switch {
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		c.fault(field, RuleControl, part)
	case strings.ContainsFunc(value, turnsText):
		c.fault(field, RuleDirection, part)
	case value == "" && required:
		c.fault(field, RuleMissing, part)
	case utf8.RuneCountInString(value) > limit:
		c.fault(field, RuleLong, part, limit)
	}
	return value
}

func (c *checker) person() {
	p, form := &c.d.Person, &c.event.Form
	most := form.Lengths.orDefault()
	p.FirstName = c.text("first_name", Part{Name: "first_name"}, p.FirstName, most.FirstName, true)
	p.LastName = c.text("last_name", Part{Name: "last_name"}, p.LastName, most.LastName, true)
	p.Email = strings.TrimSpace(p.Email)
	switch {
	case p.Email == "":
		c.fault("email", RuleMissing, Part{Name: "email"})
	case strings.ContainsFunc(p.Email, func(r rune) bool { return r > unicode.MaxASCII && unicode.IsLetter(r) }):
		c.fault("email", RuleEmailPlain)
	case len(p.Email) > most.Email || !ValidEmail(p.Email) || strings.ContainsFunc(p.Email, turnsText):
		c.fault("email", RuleEmail, most.Email)
	}
	p.Title = c.asked("title", p.Title, most.Title, form.Title)
	p.Company = c.asked("company", p.Company, most.Company, form.Company)
}

func (c *checker) asked(field, value string, limit int, ask Ask) string {
	if ask == AskHidden {
		return ""
	}
	return c.text(field, Part{Name: field}, value, limit, ask == AskRequired)
}

func (c *checker) ticket() {
	if c.d.Ticket == "" && len(c.event.Tickets) == 1 {
		c.d.Ticket = c.event.Tickets[0].ID
	}
	if _, ok := c.event.Ticket(c.d.Ticket); !ok {
		c.fault("ticket", RuleTicket)
	}
}

func (c *checker) agenda() {
	slices.Sort(c.d.Agenda)
	c.d.Agenda = slices.Compact(c.d.Agenda)
	for _, id := range c.d.Agenda {
		if _, ok := c.event.AgendaItem(id); !ok {
			c.fault("agenda", RuleAgenda)
			return
		}
	}
}

func (c *checker) guests() {
	if len(c.d.Guests) > c.event.MaxGuests {
		switch c.event.MaxGuests {
		case 0:
			c.fault("guests", RuleNoGuests)
		case 1:
			c.fault("guests", RuleOneGuest)
		default:
			c.fault("guests", RuleGuests, c.event.MaxGuests)
		}
		return
	}
	for i := range c.d.Guests {
		g, field := &c.d.Guests[i], "guests."+strconv.Itoa(i)
		g.FirstName = c.text(field+".first_name", Part{"first_name", i + 1}, g.FirstName, MaxFirstName, true)
		g.LastName = c.text(field+".last_name", Part{"last_name", i + 1}, g.LastName, MaxLastName, true)
	}
}

func (c *checker) answers() {
	form := &c.event.Form
	for _, id := range sortedKeys(c.d.Answers) {
		if _, ok := form.Question(id); !ok {
			c.fault("answers."+id, RuleQuestion)
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
		c.fault(field, missing(q), q.Label)
		return nil
	case len(values) == 0:
		return nil
	case len(values) > 1 && q.Kind != KindChoices:
		c.fault(field, RuleAnswerOne, q.Label)
		return values
	}
	for _, v := range values {
		if rule, args := q.refuse(v); rule != "" {
			c.fault(field, rule, append([]any{q.Label}, args...)...)
			break
		}
	}
	return values
}

func missing(q Question) Rule {
	switch q.Kind {
	case KindChoice, KindChoices, KindYesNo:
		return RuleAnswerChoose
	}
	return RuleAnswer
}

// refuse says which rule a value breaks, and what is said of it besides the label; ""
// for one that the question takes.
func (q Question) refuse(v string) (Rule, []any) {
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
		return RuleAnswerControl, nil
	}
	if q.Kind != KindLongText && strings.ContainsFunc(v, turnsText) {
		return RuleAnswerDirection, nil
	}
	if n := q.Limit(); utf8.RuneCountInString(v) > n {
		return RuleAnswerLong, []any{n}
	}
	switch q.Kind {
	case KindNumber:
		return q.refuseNumber(v)
	case KindDate:
		return refuseDate(v)
	}
	return q.refuseText(v), nil
}

// refuseText is refuse for what has no rule with values of its own.
func (q Question) refuseText(v string) Rule {
	switch {
	case q.Kind == KindEmail && !ValidEmail(v):
		return RuleAnswerEmail
	case q.Kind == KindPhone && !validPhone(v):
		return RuleAnswerPhone
	case (q.Kind == KindChoice || q.Kind == KindChoices) && !slices.Contains(q.Choices, v):
		return RuleAnswerListed
	case q.Kind == KindYesNo && v != "yes" && v != "no":
		return RuleAnswerYesNo
	case q.Kind == KindText && strings.ContainsAny(v, "\n\t"):
		return RuleAnswerLine
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

func (q Question) refuseNumber(v string) (Rule, []any) {
	n, err := strconv.ParseFloat(v, 64)
	switch {
	case strings.Contains(v, ","):
		return RuleAnswerSeparators, nil
	case err != nil || strings.ContainsAny(v, "xXpPnNiI_"):
		return RuleAnswerNumber, nil
	case q.Min != nil && n < *q.Min:
		return RuleAnswerMin, []any{*q.Min}
	case q.Max != nil && n > *q.Max:
		return RuleAnswerMax, []any{*q.Max}
	}
	return "", nil
}

// The years that dates in Salesforce have: 1700-01-01 to 4000-12-31 (field
// types of the object reference, "date").
const (
	firstYear = 1700
	lastYear  = 4000
)

func refuseDate(v string) (Rule, []any) {
	day, err := time.Parse(time.DateOnly, v)
	switch {
	case err != nil:
		return RuleAnswerDate, nil
	case day.Year() < firstYear || day.Year() > lastYear:
		return RuleAnswerYears, []any{firstYear, lastYear}
	}
	return "", nil
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
