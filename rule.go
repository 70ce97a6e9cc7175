package turnout

import "fmt"

// Rule names a rule that a submission can break. The set is closed, so that pages can
// say in any language what to do, and programs can tell one from another.
type Rule string

// The rules. Beside each is what FieldError.Args has; a label is a question's.
const (
	RuleMissing          Rule = "missing"           // Part
	RuleControl          Rule = "control"           // Part
	RuleDirection        Rule = "direction"         // Part
	RuleLong             Rule = "long"              // Part, characters
	RuleEmail            Rule = "email"             // characters
	RuleEmailPlain       Rule = "email_plain"       //
	RuleTicket           Rule = "ticket"            //
	RuleAgenda           Rule = "agenda"            //
	RuleNoGuests         Rule = "no_guests"         //
	RuleOneGuest         Rule = "one_guest"         //
	RuleGuests           Rule = "guests"            // guests
	RuleQuestion         Rule = "question"          //
	RuleAnswer           Rule = "answer"            // label
	RuleAnswerChoose     Rule = "answer_choose"     // label
	RuleAnswerOne        Rule = "answer_one"        // label
	RuleAnswerControl    Rule = "answer_control"    // label
	RuleAnswerDirection  Rule = "answer_direction"  // label
	RuleAnswerLong       Rule = "answer_long"       // label, characters
	RuleAnswerEmail      Rule = "answer_email"      // label
	RuleAnswerPhone      Rule = "answer_phone"      // label
	RuleAnswerListed     Rule = "answer_listed"     // label
	RuleAnswerYesNo      Rule = "answer_yes_no"     // label
	RuleAnswerLine       Rule = "answer_line"       // label
	RuleAnswerSeparators Rule = "answer_separators" // label
	RuleAnswerNumber     Rule = "answer_number"     // label
	RuleAnswerMin        Rule = "answer_min"        // label, float64
	RuleAnswerMax        Rule = "answer_max"        // label, float64
	RuleAnswerDate       Rule = "answer_date"       // label
	RuleAnswerYears      Rule = "answer_years"      // label, year, year
)

// Rules are all rules with what is said of them in English: a format that takes a
// FieldError's Args. It is shown to registrants, so it says what to do.
func Rules() map[Rule]string {
	return map[Rule]string{
		RuleMissing:          "Enter %s",
		RuleControl:          "Enter %s without special control characters",
		RuleDirection:        "Enter %s without hidden text-direction characters: type it instead of pasting it",
		RuleLong:             "Shorten %s to %d characters or fewer",
		RuleEmail:            "Enter an e-mail address in the form name@example.com, of at most %d characters",
		RuleEmailPlain:       "Enter an e-mail address of plain letters, without accents",
		RuleTicket:           "Choose a ticket",
		RuleAgenda:           "Choose sessions from the list",
		RuleNoGuests:         "This event takes no guests: leave them out",
		RuleOneGuest:         "Bring at most one guest",
		RuleGuests:           "Bring at most %d guests",
		RuleQuestion:         "This question is not part of the form: leave it out",
		RuleAnswer:           "Answer “%s”",
		RuleAnswerChoose:     "Choose an answer to “%s”",
		RuleAnswerOne:        "Give one answer to “%s”",
		RuleAnswerControl:    "Answer “%s” without special control characters",
		RuleAnswerDirection:  "Answer “%s” without hidden text-direction characters: type it instead of pasting it",
		RuleAnswerLong:       "Shorten your answer to “%s” to %d characters or fewer",
		RuleAnswerEmail:      "Enter an e-mail address in the form name@example.com for “%s”",
		RuleAnswerPhone:      "Enter a phone number with digits, like +43 1 234567, for “%s”",
		RuleAnswerListed:     "Choose an answer from the list for “%s”",
		RuleAnswerYesNo:      "Answer yes or no to “%s”",
		RuleAnswerLine:       "Answer “%s” in one line",
		RuleAnswerSeparators: "Enter a number without thousands separators, like 1250 or 40.5, for “%s”",
		RuleAnswerNumber:     "Enter a number for “%s”",
		RuleAnswerMin:        "Enter %[2]v or more for “%[1]s”",
		RuleAnswerMax:        "Enter %[2]v or less for “%[1]s”",
		RuleAnswerDate:       "Enter a date that exists, as year-month-day, for “%s”",
		RuleAnswerYears:      "Enter a date from the year %[2]d to %[3]d for “%[1]s”",
	}
}

// Part is a field of a person that a rule is about.
type Part struct {
	// Name is the field's: first_name, last_name, email, title or company.
	Name string
	// Guest says whose it is, from 1; 0 is the registrant.
	Guest int
}

// Key is the part's in Parts.
func (p Part) Key() string {
	if p.Guest > 0 {
		return "guest." + p.Name
	}
	return p.Name
}

// String names the part in English, as it goes into what is said of a rule.
func (p Part) String() string {
	name := Parts()[p.Key()]
	if p.Guest > 0 {
		return fmt.Sprintf(name, p.Guest)
	}
	return name
}

// Parts are all parts by their keys, in English. A guest's takes their number.
func Parts() map[string]string {
	return map[string]string{
		"first_name":       "your first name",
		"last_name":        "your last name",
		"email":            "your e-mail address",
		"title":            "your job title",
		"company":          "your company or organisation",
		"guest.first_name": "the first name of guest %d",
		"guest.last_name":  "the last name of guest %d",
	}
}
