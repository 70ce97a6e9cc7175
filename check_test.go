package turnout_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

var start = time.Date(2030, 5, 4, 18, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// congress is an event with one of everything.
func congress() *turnout.Event {
	return &turnout.Event{
		ID: "a01000000000001AAA", Slug: "congress", Title: "Congress", Starts: start, Ends: start.Add(3 * time.Hour), Zone: "Europe/Vienna",
		Seats: 100, MaxGuests: 2,
		Tickets: []turnout.Ticket{{ID: "std", Name: "Standard", Seats: 50}, {ID: "vip", Name: "VIP", Seats: turnout.Unlimited}},
		Agenda:  []turnout.AgendaItem{{ID: "tour", Name: "Tour", Seats: 10}, {ID: "talk", Name: "Talk", Seats: turnout.Unlimited}},
		Form: turnout.Form{Version: "1", Company: turnout.AskRequired, Title: turnout.AskHidden, Questions: []turnout.Question{
			{ID: "diet", Label: "Diet", Kind: turnout.KindChoice, Required: true, Choices: []string{"all", "other"}},
			{ID: "what", Label: "What then?", Kind: turnout.KindText, Required: true, MaxLength: 10, ShowIf: &turnout.Condition{Question: "diet", Values: []string{"other"}}},
			{ID: "deep", Label: "Deeper", Kind: turnout.KindYesNo, ShowIf: &turnout.Condition{Question: "what", Values: []string{"fish"}}},
			{ID: "age", Label: "Age", Kind: turnout.KindNumber, Min: ptr(0.0), Max: ptr(120.0)},
			{ID: "born", Label: "Born", Kind: turnout.KindDate},
			{ID: "mail", Label: "Second mail", Kind: turnout.KindEmail},
			{ID: "tel", Label: "Phone", Kind: turnout.KindPhone},
			{ID: "days", Label: "Days", Kind: turnout.KindChoices, Choices: []string{"fri", "sat"}},
			{ID: "note", Label: "Note", Kind: turnout.KindLongText},
		}},
	}
}

func party() turnout.Details {
	return turnout.Details{
		Person:  turnout.Person{Email: " ada@example.com ", FirstName: " Ada ", LastName: "Example", Company: "Example Ltd"},
		Ticket:  "std",
		Answers: turnout.Answers{"diet": {"all"}},
	}
}

func TestCheckKeepsWhatIsRight(t *testing.T) {
	d := party()
	d.Agenda = []string{"tour", "talk", "tour"}
	d.Guests = []turnout.Guest{{FirstName: "Bob ", LastName: " Example"}}
	d.Answers["what"] = []string{"hidden, so dropped"}
	d.Answers["note"] = []string{" two\r\nlines "}
	d.Person.Title = "hidden, so dropped"
	got, err := congress().Check(d)
	if err != nil {
		t.Fatal(err)
	}
	want := turnout.Details{
		Person: turnout.Person{Email: "ada@example.com", FirstName: "Ada", LastName: "Example", Company: "Example Ltd"},
		Ticket: "std", Agenda: []string{"talk", "tour"}, Guests: []turnout.Guest{{FirstName: "Bob", LastName: "Example"}},
		Answers: turnout.Answers{"diet": {"all"}, "note": {"two\nlines"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if d.Answers["what"] == nil {
		t.Error("the caller's details must stay as they are")
	}
}

// What the org's own fields take of a person is all that is accepted, and never
// more than Salesforce's standard fields take.
func TestCheckMindsTheOrgsFields(t *testing.T) {
	for _, test := range []struct {
		lengths turnout.Lengths
		company int
		ok      bool
	}{
		{turnout.Lengths{}, 255, true}, {turnout.Lengths{}, 256, false}, {turnout.Lengths{Company: 60}, 60, true},
		{turnout.Lengths{Company: 60}, 61, false}, {turnout.Lengths{Company: 1000}, 256, false},
	} {
		e := &turnout.Event{Tickets: []turnout.Ticket{{ID: "a"}}, Form: turnout.Form{Lengths: test.lengths}}
		_, err := e.Check(turnout.Details{Person: turnout.Person{FirstName: "Ada", LastName: "Example", Email: "ada@example.com", Company: strings.Repeat("x", test.company)}})
		if (err == nil) != test.ok {
			t.Errorf("%+v, a company of %d characters: %v", test.lengths, test.company, err)
		}
	}
}

func TestCheckNamesEveryBrokenRule(t *testing.T) {
	cases := map[string]struct {
		change func(*turnout.Details)
		field  string
	}{
		"no first name":       {func(d *turnout.Details) { d.Person.FirstName = " " }, "first_name"},
		"invisible name":      {func(d *turnout.Details) { d.Person.FirstName = "\u200B\u200D \uFEFF" }, "first_name"},
		"filler for a name":   {func(d *turnout.Details) { d.Person.LastName = "\u3164\u2800" }, "last_name"},
		"invisible guest":     {func(d *turnout.Details) { d.Guests = []turnout.Guest{{FirstName: "\u2060", LastName: "E"}} }, "guests.0.first_name"},
		"invisible answer":    {func(d *turnout.Details) { d.Answers = turnout.Answers{"diet": {"other"}, "what": {"\u00AD"}} }, "answers.what"},
		"only a control":      {func(d *turnout.Details) { d.Person.FirstName = "\x7f" }, "first_name"},
		"long last name":      {func(d *turnout.Details) { d.Person.LastName = strings.Repeat("ä", 81) }, "last_name"},
		"no e-mail":           {func(d *turnout.Details) { d.Person.Email = "" }, "email"},
		"odd e-mail":          {func(d *turnout.Details) { d.Person.Email = "ada@example" }, "email"},
		"two e-mails":         {func(d *turnout.Details) { d.Person.Email = "a@example.com, b@example.com" }, "email"},
		"named e-mail":        {func(d *turnout.Details) { d.Person.Email = "Ada <ada@example.com>" }, "email"},
		"no company":          {func(d *turnout.Details) { d.Person.Company = "" }, "company"},
		"broken UTF-8":        {func(d *turnout.Details) { d.Person.FirstName = "a\xff" }, "first_name"},
		"control character":   {func(d *turnout.Details) { d.Person.LastName = "a\x00b" }, "last_name"},
		"no such ticket":      {func(d *turnout.Details) { d.Ticket = "free" }, "ticket"},
		"no ticket of two":    {func(d *turnout.Details) { d.Ticket = "" }, "ticket"},
		"no such agenda item": {func(d *turnout.Details) { d.Agenda = []string{"x"} }, "agenda"},
		"too many guests":     {func(d *turnout.Details) { d.Guests = make([]turnout.Guest, 3) }, "guests"},
		"guest without name":  {func(d *turnout.Details) { d.Guests = []turnout.Guest{{FirstName: "Bob"}} }, "guests.0.last_name"},
		"required question":   {func(d *turnout.Details) { d.Answers = nil }, "answers.diet"},
		"unknown question":    {func(d *turnout.Details) { d.Answers["x"] = []string{"1"} }, "answers.x"},
		"not on the list":     {func(d *turnout.Details) { d.Answers["diet"] = []string{"moon"} }, "answers.diet"},
		"two of one":          {func(d *turnout.Details) { d.Answers["diet"] = []string{"all", "all"} }, "answers.diet"},
		"shown, so required":  {func(d *turnout.Details) { d.Answers["diet"] = []string{"other"} }, "answers.what"},
		"too long":            {func(d *turnout.Details) { d.Answers = turnout.Answers{"diet": {"other"}, "what": {"12345678901"}} }, "answers.what"},
		"not a number":        {func(d *turnout.Details) { d.Answers["age"] = []string{"0x10"} }, "answers.age"},
		"not finite":          {func(d *turnout.Details) { d.Answers["age"] = []string{"Inf"} }, "answers.age"},
		"too small":           {func(d *turnout.Details) { d.Answers["age"] = []string{"-1"} }, "answers.age"},
		"no such date":        {func(d *turnout.Details) { d.Answers["born"] = []string{"2030-02-30"} }, "answers.born"},
		"odd second mail":     {func(d *turnout.Details) { d.Answers["mail"] = []string{"x"} }, "answers.mail"},
		"odd phone":           {func(d *turnout.Details) { d.Answers["tel"] = []string{"call me"} }, "answers.tel"},
		"one of several":      {func(d *turnout.Details) { d.Answers["days"] = []string{"fri", "sun"} }, "answers.days"},
		"turned name":         {func(d *turnout.Details) { d.Person.FirstName = "Ada\u202Etxt" }, "first_name"},
		"isolated last name":  {func(d *turnout.Details) { d.Person.LastName = "\u2066Ada\u2069" }, "last_name"},
		"turned company":      {func(d *turnout.Details) { d.Person.Company = "\u202AExample" }, "company"},
		"turned e-mail":       {func(d *turnout.Details) { d.Person.Email = "ada\u202E@example.com" }, "email"},
		"turned guest":        {func(d *turnout.Details) { d.Guests = []turnout.Guest{{FirstName: "B\u2067", LastName: "E"}} }, "guests.0.first_name"},
		"turned answer":       {func(d *turnout.Details) { d.Answers = turnout.Answers{"diet": {"other"}, "what": {"a\u202Db"}} }, "answers.what"},
		"two commas":          {func(d *turnout.Details) { d.Answers["age"] = []string{"1,2,3"} }, "answers.age"},
		"a thousand or one":   {func(d *turnout.Details) { d.Answers["age"] = []string{"1,000"} }, "answers.age"},
		"comma and point":     {func(d *turnout.Details) { d.Answers["age"] = []string{"1.0,5"} }, "answers.age"},
		"comma alone":         {func(d *turnout.Details) { d.Answers["age"] = []string{"4,"} }, "answers.age"},
		"too large by comma":  {func(d *turnout.Details) { d.Answers["age"] = []string{"120,5"} }, "answers.age"},
		"lines in a line":     {func(d *turnout.Details) { d.Answers = turnout.Answers{"diet": {"other"}, "what": {"a\nb"}} }, "answers.what"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := party()
			c.change(&d)
			_, err := congress().Check(d)
			fields := turnout.FieldsOf(err)
			if turnout.CodeOf(err) != turnout.CodeInvalid || len(fields) != 1 || fields[0].Field != c.field {
				t.Fatalf("got %v %+v, want one fault at %s", err, fields, c.field)
			}
			if strings.Contains(err.Error(), "ada@") {
				t.Error("P8: the error text names a person")
			}
		})
	}
}

// Each rule comes with the values that its sentence takes, so that it can be said in any
// language; all sentences are used.
func TestEveryRuleHasItsValues(t *testing.T) {
	long := strings.Repeat("x", 256)
	guests := func(n int) func(*turnout.Event, *turnout.Details) {
		return func(e *turnout.Event, d *turnout.Details) { e.MaxGuests, d.Guests = n, make([]turnout.Guest, n+1) }
	}
	answer := func(id string, values ...string) func(*turnout.Event, *turnout.Details) {
		return func(_ *turnout.Event, d *turnout.Details) {
			d.Answers = turnout.Answers{"diet": {"all"}}
			if id == "what" {
				d.Answers["diet"] = []string{"other"}
			}
			d.Answers[id] = values
		}
	}
	person := func(change func(*turnout.Person)) func(*turnout.Event, *turnout.Details) {
		return func(_ *turnout.Event, d *turnout.Details) { change(&d.Person) }
	}
	cases := map[turnout.Rule]struct {
		change  func(*turnout.Event, *turnout.Details)
		message string
	}{
		turnout.RuleMissing:          {person(func(p *turnout.Person) { p.Email = "" }), "Enter your e-mail address"},
		turnout.RuleControl:          {person(func(p *turnout.Person) { p.LastName = "a\x00" }), "Enter your last name without special control characters"},
		turnout.RuleDirection:        {person(func(p *turnout.Person) { p.Company = "\u202AE" }), "Enter your company or organisation without hidden text-direction characters: type it instead of pasting it"},
		turnout.RuleLong:             {person(func(p *turnout.Person) { p.FirstName = long }), "Shorten your first name to 40 characters or fewer"},
		turnout.RuleEmailPlain:       {person(func(p *turnout.Person) { p.Email = "jürgen@example.com" }), "Enter an e-mail address of plain letters, without accents"},
		turnout.RuleEmail:            {person(func(p *turnout.Person) { p.Email = "ada@example" }), "Enter an e-mail address in the form name@example.com, of at most 80 characters"},
		turnout.RuleTicket:           {func(_ *turnout.Event, d *turnout.Details) { d.Ticket = "" }, "Choose a ticket"},
		turnout.RuleAgenda:           {func(_ *turnout.Event, d *turnout.Details) { d.Agenda = []string{"x"} }, "Choose sessions from the list"},
		turnout.RuleNoGuests:         {guests(0), "This event takes no guests: leave them out"},
		turnout.RuleOneGuest:         {guests(1), "Bring at most one guest"},
		turnout.RuleGuests:           {guests(2), "Bring at most 2 guests"},
		turnout.RuleQuestion:         {answer("x", "1"), "This question is not part of the form: leave it out"},
		turnout.RuleAnswer:           {answer("what", ""), "Answer “%s”"},
		turnout.RuleAnswerChoose:     {answer("diet"), "Choose an answer to “%s”"},
		turnout.RuleAnswerOne:        {answer("diet", "all", "all"), "Give one answer to “%s”"},
		turnout.RuleAnswerControl:    {answer("what", "a\x00"), "Answer “%s” without special control characters"},
		turnout.RuleAnswerDirection:  {answer("what", "a\u202Db"), "Answer “%s” without hidden text-direction characters: type it instead of pasting it"},
		turnout.RuleAnswerLong:       {answer("what", "12345678901"), "Shorten your answer to “%s” to 10 characters or fewer"},
		turnout.RuleAnswerEmail:      {answer("mail", "x"), "Enter an e-mail address in the form name@example.com for “%s”"},
		turnout.RuleAnswerPhone:      {answer("tel", "x"), "Enter a phone number with digits, like +43 1 234567, for “%s”"},
		turnout.RuleAnswerListed:     {answer("days", "sun"), "Choose an answer from the list for “%s”"},
		turnout.RuleAnswerYesNo:      {answer("sure", "perhaps"), "Answer yes or no to “%s”"},
		turnout.RuleAnswerLine:       {answer("what", "a\nb"), "Answer “%s” in one line"},
		turnout.RuleAnswerSeparators: {answer("age", "1,000"), "Enter a number without thousands separators, like 1250 or 40.5, for “%s”"},
		turnout.RuleAnswerNumber:     {answer("age", "x"), "Enter a number for “%s”"},
		turnout.RuleAnswerMin:        {answer("age", "-1"), "Enter 0 or more for “%s”"},
		turnout.RuleAnswerMax:        {answer("age", "121"), "Enter 120 or less for “%s”"},
		turnout.RuleAnswerDate:       {answer("born", "x"), "Enter a date that exists, as year-month-day, for “%s”"},
		turnout.RuleAnswerYears:      {answer("born", "1699-12-31"), "Enter a date from the year 1700 to 4000 for “%s”"},
	}
	for rule := range turnout.Rules() {
		c, ok := cases[rule]
		if !ok {
			t.Errorf("nothing breaks %s", rule)
			continue
		}
		e, d := congress(), party()
		e.Form.Questions = append(e.Form.Questions, turnout.Question{ID: "sure", Label: "Sure?", Kind: turnout.KindYesNo})
		c.change(e, &d)
		_, err := e.Check(d)
		faults := turnout.FieldsOf(err)
		if len(faults) != 1 || faults[0].Rule != rule {
			t.Errorf("%s: %+v", rule, faults)
			continue
		}
		want := c.message
		if id, found := strings.CutPrefix(faults[0].Field, "answers."); found {
			q, _ := e.Form.Question(id)
			want = strings.ReplaceAll(want, "%s", q.Label)
		}
		if faults[0].Message != want {
			t.Errorf("%s says %q, want %q", rule, faults[0].Message, want)
		}
	}
}

func TestCheckTakesTheDatesOfSalesforce(t *testing.T) {
	for typed, taken := range map[string]bool{
		"0000-01-01": false, "1699-12-31": false, "1700-01-01": true, "1957-02-28": true, "4000-12-31": true, "4001-01-01": false, "9999-12-31": false,
	} {
		d := party()
		d.Answers["born"] = []string{typed}
		_, err := congress().Check(d)
		if (err == nil) != taken {
			t.Errorf("%s: %v", typed, err)
		}
		if f := turnout.FieldsOf(err); err != nil && (len(f) != 1 || !strings.Contains(f[0].Message, "from the year 1700 to 4000")) {
			t.Errorf("%s: %+v", typed, f)
		}
	}
}

func TestCheckTakesADecimalComma(t *testing.T) {
	for typed, want := range map[string]string{"40,5": "40.5", "0,125": "0.125", "+1,25": "+1.25", "40.5": "40.5", "40": "40"} {
		d := party()
		d.Answers["age"] = []string{typed}
		got, err := congress().Check(d)
		if err != nil || !slices.Equal(got.Answers["age"], []string{want}) {
			t.Errorf("%s is kept as %v, want %s: %v", typed, got.Answers["age"], want, err)
		}
	}
}

// Right-to-left names, and the marks that keyboards for them have, are names
// like any other; only what turns the text around it is refused, and in words
// that say what to do.
func TestCheckTakesEveryScript(t *testing.T) {
	d := party()
	d.Person.FirstName, d.Person.LastName = "عائشة\u200f", "לוי"
	d.Person.Company = "👩\u200d🚀" // joined by what cannot be seen
	d.Answers["note"] = []string{"quoted: \u2067שלום\u2069"}
	if _, err := congress().Check(d); err != nil {
		t.Error(err)
	}
	d.Person.LastName = "\u202Eyks"
	_, err := congress().Check(d)
	if f := turnout.FieldsOf(err); len(f) != 1 || !strings.Contains(f[0].Message, "type it instead of pasting it") {
		t.Errorf("%+v", f)
	}
}

func TestHiddenQuestionsStayHiddenThroughTwoSteps(t *testing.T) {
	form := congress().Form
	deep, _ := form.Question("deep")
	if form.Shown(deep, turnout.Answers{"diet": {"all"}, "what": {"fish"}}) {
		t.Error("a question that depends on a hidden one is hidden")
	}
	if !form.Shown(deep, turnout.Answers{"diet": {"other"}, "what": {"fish"}}) {
		t.Error("both conditions hold")
	}
}

func TestClaims(t *testing.T) {
	d := party()
	d.Guests = make([]turnout.Guest, 2)
	d.Agenda = []string{"tour"}
	want := []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 3}, {Pool: "ticket/std", Seats: 3}, {Pool: "agenda/tour", Seats: 3}}
	if got := congress().Claims(d); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestPhases(t *testing.T) {
	e := congress()
	e.Opens, e.Closes = start.Add(-48*time.Hour), start.Add(-time.Hour)
	for _, c := range []struct {
		at   time.Duration
		want turnout.Phase
		edit bool
	}{
		{-49 * time.Hour, turnout.PhaseUpcoming, true}, {-48 * time.Hour, turnout.PhaseOpen, true},
		{-time.Hour, turnout.PhaseClosed, true}, {0, turnout.PhaseClosed, false}, {3 * time.Hour, turnout.PhaseOver, false},
	} {
		now := start.Add(c.at)
		if got := e.Phase(now); got != c.want || e.CanEdit(now) != c.edit || e.CanCancel(now) != c.edit {
			t.Errorf("at %v: phase %d edit %v cancel %v", c.at, got, e.CanEdit(now), e.CanCancel(now))
		}
	}
}

func TestValidateListsEveryFault(t *testing.T) {
	if err := congress().Validate(); err != nil {
		t.Fatal(err)
	}
	bad := &turnout.Event{Slug: "No Slug", Seats: -2, MaxGuests: 99, Ends: start, Starts: start.Add(1), Zone: "Mars/Base",
		Tickets: []turnout.Ticket{{ID: "a", Name: "A"}, {ID: "a", Name: ""}},
		Form: turnout.Form{Questions: []turnout.Question{
			{ID: "q1", Label: "", Kind: "magic", ShowIf: &turnout.Condition{Question: "q2"}}, {ID: "q2", Label: "x", Kind: turnout.KindChoice},
		}}}
	var fields []string
	for _, f := range turnout.FieldsOf(bad.Validate()) {
		fields = append(fields, f.Field)
	}
	for _, want := range []string{"id", "slug", "title", "ends", "zone", "tickets", "seats", "max_guests", "questions.q1", "questions.q2"} {
		if !slices.Contains(fields, want) {
			t.Errorf("%s is not named in %v", want, fields)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("Ada", "ada@example.com", "other", "fish", "12")
	f.Add("\xff", "a@b@c", "", "\x00", "1e999")
	f.Fuzz(func(t *testing.T, name, email, diet, what, age string) {
		d := party()
		d.Person.FirstName, d.Person.Email = name, email
		d.Answers = turnout.Answers{"diet": {diet}, "what": {what}, "age": {age}}
		got, err := congress().Check(d)
		if err != nil {
			if turnout.CodeOf(err) != turnout.CodeInvalid || len(turnout.FieldsOf(err)) == 0 {
				t.Fatalf("an error without a reason: %v", err)
			}
			return
		}
		again, err := congress().Check(got)
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("what passed once must pass again unchanged: %v\n%+v\n%+v", err, got, again)
		}
	})
}
