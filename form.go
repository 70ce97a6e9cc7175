package turnout

import "slices"

// Form is what a registrant is asked besides name and e-mail address.
type Form struct {
	// Version changes whenever a question or an ask does. A form that was
	// rendered under another version is asked again.
	Version string `json:"version"`
	// Title and Company say how these two person fields are asked for.
	Title     Ask        `json:"title,omitempty"`
	Company   Ask        `json:"company,omitempty"`
	Questions []Question `json:"questions,omitempty"`
	// Lengths are what the org's own fields take of a person.
	Lengths Lengths `json:"lengths,omitzero"`
}

// Lengths bound a person's fields in characters; zero, or more than Salesforce's
// standard fields take, means what those take.
type Lengths struct {
	FirstName int `json:"first_name,omitempty"`
	LastName  int `json:"last_name,omitempty"`
	Email     int `json:"email,omitempty"`
	Title     int `json:"title,omitempty"`
	Company   int `json:"company,omitempty"`
}

func (l Lengths) orDefault() Lengths {
	least := func(n, most int) int {
		if n <= 0 || n > most {
			return most
		}
		return n
	}
	return Lengths{
		FirstName: least(l.FirstName, MaxFirstName), LastName: least(l.LastName, MaxLastName), Email: least(l.Email, MaxEmail),
		Title: least(l.Title, MaxTitle), Company: least(l.Company, MaxCompany),
	}
}

// Ask says how a person field is asked for.
type Ask string

// The ways to ask. The empty one counts as AskOptional.
const (
	AskOptional Ask = "optional"
	AskRequired Ask = "required"
	AskHidden   Ask = "hidden"
)

// Kind is what a question takes as an answer.
type Kind string

// The kinds of question.
const (
	KindText     Kind = "text"
	KindLongText Kind = "long_text"
	KindEmail    Kind = "email"
	KindPhone    Kind = "phone"
	KindNumber   Kind = "number"
	KindDate     Kind = "date"    // YYYY-MM-DD
	KindChoice   Kind = "choice"  // one of Choices
	KindChoices  Kind = "choices" // any of Choices
	KindYesNo    Kind = "yes_no"  // "yes" or "no"
)

func kinds() []Kind {
	return []Kind{KindText, KindLongText, KindEmail, KindPhone, KindNumber, KindDate, KindChoice, KindChoices, KindYesNo}
}

// Question is one thing asked.
type Question struct {
	ID       string `json:"id"`
	Label    string `json:"label"`
	Help     string `json:"help,omitempty"`
	Kind     Kind   `json:"kind"`
	Required bool   `json:"required,omitempty"`
	// MaxLength bounds text answers in characters; zero means DefaultMaxLength
	// or, for long text, DefaultMaxLongText.
	MaxLength int `json:"max_length,omitempty"`
	// Min and Max bound numbers; nil means no bound.
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
	// Choices are the allowed values of the two choice kinds.
	Choices []string `json:"choices,omitempty"`
	// ShowIf hides the question until another one, which stands before it, has
	// a certain answer; nil means always shown.
	ShowIf *Condition `json:"show_if,omitempty"`
	// Target is the Salesforce field of the registration that takes the answer;
	// empty means it goes with the others into the mapping's answers field.
	Target string `json:"target,omitempty"`
}

// Condition holds when Question was answered with one of Values.
type Condition struct {
	Question string   `json:"question"`
	Values   []string `json:"values"`
}

// Bounds that hold where a question says nothing.
const (
	DefaultMaxLength   = 255  // a Salesforce text field
	DefaultMaxLongText = 4000 // characters; a long text area takes up to 131,072
)

// Limit is the longest answer in characters.
func (q Question) Limit() int {
	switch {
	case q.MaxLength > 0:
		return q.MaxLength
	case q.Kind == KindLongText:
		return DefaultMaxLongText
	}
	return DefaultMaxLength
}

// Question returns the question with this id.
func (f *Form) Question(id string) (Question, bool) {
	for _, q := range f.Questions {
		if q.ID == id {
			return q, true
		}
	}
	return Question{}, false
}

// Shown reports whether q is asked, given the answers so far.
func (f *Form) Shown(q Question, a Answers) bool {
	if q.ShowIf == nil {
		return true
	}
	on, ok := f.Question(q.ShowIf.Question)
	if !ok || !f.Shown(on, a) {
		return false
	}
	return slices.ContainsFunc(a[on.ID], func(v string) bool { return slices.Contains(q.ShowIf.Values, v) })
}

func (f *Form) validate(fault func(field, format string, args ...any)) {
	before := map[string]bool{}
	for _, q := range f.Questions {
		field := "questions." + q.ID
		if !validPartID(q.ID) || before[q.ID] {
			fault(field, "every question needs an id of its own, 1 to 64 letters, digits, hyphens or underscores")
		}
		if q.Label == "" {
			fault(field, "every question needs a label")
		}
		if !slices.Contains(kinds(), q.Kind) {
			fault(field, "the question's type must be one of %v", kinds())
		}
		if (q.Kind == KindChoice || q.Kind == KindChoices) && len(q.Choices) == 0 {
			fault(field, "a choice needs at least one value to choose")
		}
		// Only looking back keeps conditions free of circles.
		if q.ShowIf != nil && !before[q.ShowIf.Question] {
			fault(field, "it depends on a question that does not stand before it")
		}
		before[q.ID] = true
	}
}
