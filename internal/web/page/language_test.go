package page_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/web/page"
)

// A page about an event is in the event's language, or its org's where nobody speaks
// that; a list is in the org's; any other page is in its visitor's.
func TestWhichLanguage(t *testing.T) {
	all := allPages(t, noon)
	for _, c := range []struct{ event, org, visitor, about, list, other string }{
		{"", "", "", "en", "en", "en"},
		{"de", "", "", "de", "en", "en"},
		{"de-AT", "fr", "it-CH,it;q=0.9", "de", "fr", "it"},
		{"tlh", "fr_BE", "tlh", "fr", "fr", "fr"},
		{"", "nl", "", "nl", "nl", "nl"},
		{"en-GB", "es", "*", "en", "es", "es"},
	} {
		o, e := &turnout.Org{ID: "acme", Language: c.org}, &turnout.Event{Language: c.event}
		got := []string{all.Of(o, e).Tag, all.Of(o, nil).Tag, all.For(o, c.visitor).Tag}
		if want := []string{c.about, c.list, c.other}; !slices.Equal(got, want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if got := all.For(nil, "es-MX").Tag; got != "es" {
		t.Errorf("where no org is known Spanish is answered in %q", got)
	}
}

// marked is what an organiser or a registrant typed: whatever has this mark.
const marked = "°"

// pseudo is a language whose every sentence stands in brackets, so that what a page says
// in no language shows.
func pseudo(t *testing.T) *page.Pages {
	t.Helper()
	english, err := os.ReadFile("words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	sentences := map[string]string{}
	if err := json.Unmarshal(english, &sentences); err != nil {
		t.Fatal(err)
	}
	for key, sentence := range page.RuleWords() {
		sentences[key] = sentence
	}
	for key, sentence := range sentences {
		switch {
		case strings.HasPrefix(key, "names."):
			sentences[key] = "⟦" + strings.ReplaceAll(sentence, ",", "⟧,⟦") + "⟧"
		case key == "site.language":
			sentences[key] = "xx"
		case !strings.HasPrefix(key, "format."):
			sentences[key] = "⟦" + sentence + "⟧"
		}
	}
	other, err := json.Marshal(sentences)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"words/en.json": {Data: english}, "words/xx.json": {Data: other}}
	p, err := page.NewIn(files, page.Options{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// unspoken are the texts of a page, in elements and in attributes that people read or
// hear, with letters that no language said and nobody typed.
func unspoken(t *testing.T, body []byte) []string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode && n.Parent.Data != "script" {
			texts = append(texts, n.Data)
		}
		for _, a := range n.Attr {
			if slices.Contains([]string{"aria-label", "alt", "title", "placeholder", "data-label"}, a.Key) {
				texts = append(texts, a.Val)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	inner := regexp.MustCompile(`⟦[^⟦⟧]*(⟧|$)|^[^⟦⟧]*⟧`) // a sentence goes on behind the time in it
	return slices.DeleteFunc(texts, func(text string) bool {
		for inner.MatchString(text) {
			text = inner.ReplaceAllString(text, "")
		}
		for _, word := range strings.Fields(text) {
			if strings.ContainsFunc(word, unicode.IsLetter) && !strings.Contains(word, marked) {
				return false
			}
		}
		return true
	})
}

// everything is an event that has all that an event can have, its texts marked.
func everything(language string) *turnout.Event {
	least, most := 1.5, 8.0
	e := event()
	e.Language, e.Title, e.Summary, e.Body, e.Organizer = language, "Titel°", "Worum°", "<p>Mehr°</p>", "Verein°"
	e.Venue, e.Address, e.Private, e.Waitlist, e.LockEmail = "Saal°", "Gasse° 7", true, true, true
	e.Ends, e.Closes = e.Starts.Add(30*time.Hour), e.Starts.Add(-time.Hour)
	e.Tickets[0].Name, e.Tickets[1].Name, e.Tickets[1].About = "Art°", "Weise°", "Weil°"
	e.Agenda = []turnout.AgendaItem{{ID: "x", Name: "Teil°", About: "Über°", Room: "Raum°", Starts: e.Starts, Ends: e.Starts.Add(time.Hour), Seats: 3}}
	e.Form = turnout.Form{Version: "1", Title: turnout.AskRequired, Questions: []turnout.Question{
		{ID: "q", Label: "Frage°", Kind: turnout.KindYesNo, Required: true},
		{ID: "r", Label: "Wahl°", Kind: turnout.KindChoices, Choices: []string{"Rot°", "Blau°"}, ShowIf: &turnout.Condition{Question: "q", Values: []string{"yes", "no"}}},
		{ID: "long", Label: "Lang°", Kind: turnout.KindLongText},
		{ID: "between", Label: "Zahl°", Kind: turnout.KindNumber, Min: &least, Max: &most},
		{ID: "min", Label: "Zahl°", Kind: turnout.KindNumber, Min: &least},
		{ID: "max", Label: "Zahl°", Kind: turnout.KindNumber, Max: &most},
	}}
	return e
}

// allFaults breaks every rule once.
func allFaults() []turnout.FieldError {
	var faults []turnout.FieldError
	for rule, format := range turnout.Rules() {
		var args []any
		switch strings.Count(format, "%") {
		case 1:
			args = []any{"Frage°"}
		case 2:
			args = []any{"Frage°", 7}
		case 3:
			args = []any{"Frage°", 1700, 4000}
		}
		switch {
		case strings.Contains(format, "of at most %d"), rule == turnout.RuleGuests:
			args = []any{7}
		case len(args) > 0 && !strings.HasPrefix(string(rule), "answer"):
			args[0] = turnout.Part{Name: "last_name", Guest: 2}
		}
		faults = append(faults, turnout.FieldError{Field: "email", Message: "English", Rule: rule, Args: args})
	}
	return faults
}

// everyPage draws all that there is, by what it is.
func everyPage(t *testing.T, all *page.Pages, o *turnout.Org, e *turnout.Event) map[string][]byte {
	t.Helper()
	in, drawn := all.Of(o, e), map[string][]byte{}
	add := func(name string) func([]byte, error) {
		return func(b []byte, err error) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			drawn[name] = b
		}
	}
	full := turnout.Seatings{turnout.PoolEvent: {Limit: 10, Taken: 10}, turnout.PoolAgenda("x"): {Limit: 3, Taken: 3}}
	for name, seats := range map[string]turnout.Seatings{"": nil, " that is full": full, " with one place": {turnout.PoolEvent: {Limit: 10, Taken: 9}, turnout.PoolTicket("a"): {Limit: 5, Taken: 2}}} {
		p, err := all.Event(o, e, seats)
		add("event"+name)(p.HTML, err)
		add("form" + name)(in.FormPage(o, e, seats, page.FormState{Key: "k", Invited: true, Invitee: "Ada°", Details: turnout.Details{Guests: []turnout.Guest{{FirstName: "Bo°"}}}}))
		card, err := all.Card(o, e, seats)
		add("card"+name)(card, err)
	}
	list, err := all.List(o, []*catalog.Entry{{Card: drawn["card"]}})
	add("list")(list.HTML, err)
	list, err = all.List(o, nil)
	add("empty list")(list.HTML, err)
	add("form with faults")(in.FormPage(o, e, nil, page.FormState{Key: "k", Faults: allFaults(), Offer: true, Alert: page.Alert{Title: in.Say("alert.full"), Lines: []string{in.Say("alert.full.text")}}}))
	add("edit")(in.FormPage(o, e, nil, page.FormState{Key: "k", Revision: 2, Back: "/registrations/t", Waiting: true}))
	for name, s := range tickets("Ada°") {
		s.View.Details.Person.LastName = "Lovelace°"
		for i := range s.View.Details.Guests {
			s.View.Details.Guests[i] = turnout.Guest{FirstName: "Bo°", LastName: "Gast°"}
		}
		add("ticket " + name)(in.FullTicketPage(o, e, nil, s))
		add("cancel " + name)(in.CancelPage(o, e, s))
		add("made " + name)(in.Made(e, s.View).Page(o))
	}
	for key := range in.Sentences() {
		notice, found := strings.CutPrefix(key, "notice.")
		notice, title := strings.CutSuffix(notice, ".title")
		if !found || !title {
			continue
		}
		n := in.Notice(notice)
		if notice == "large" {
			n = in.Notice(notice, 7)
		}
		if strings.Contains(n.Lines[0], "%s") {
			n.At = noon
		}
		n.Event, n.Leave, n.Decline = e, "/leave", "k"
		add("notice " + notice)(n.Page(o))
	}
	return drawn
}

// TestNothingIsSaidInNoLanguage draws every page in a language whose sentences stand in
// brackets: what stands outside of them would be English on everybody's page.
func TestNothingIsSaidInNoLanguage(t *testing.T) {
	all := pseudo(t)
	o := &turnout.Org{ID: "acme", Name: "Verein°", Language: "xx", Hosts: []string{"events.example.org"}}
	for name, body := range everyPage(t, all, o, everything("xx")) {
		body = regexp.MustCompile(`<b class="code">[^<]*</b>|⟦Reference⟧ [A-Z0-9-]+`).ReplaceAll(body, nil) // the reference is letters and digits
		for _, text := range unspoken(t, body) {
			t.Errorf("%s says %q", name, strings.TrimSpace(text))
		}
	}
}

// TestEveryLanguageOnEveryPage: nothing of English is left on pages in another language,
// no value is missing in a sentence, and the page says which language it is in.
func TestEveryLanguageOnEveryPage(t *testing.T) {
	all := allPages(t, noon)
	english := all.Of(org, nil).Sentences()
	for _, tag := range []string{"de", "es", "fr", "it", "nl"} {
		o := &turnout.Org{ID: "acme", Name: "Verein°", Language: tag, Hosts: []string{"events.example.org"}}
		own := all.Of(o, nil).Sentences()
		for name, body := range everyPage(t, all, o, everything(tag+"-XX")) {
			text := html.UnescapeString(string(body))
			if strings.Contains(text, "%!") || strings.Contains(text, "%[") || strings.Contains(text, "%s") {
				t.Errorf("%s: %s lacks a value: %s", tag, name, text)
			}
			if !strings.HasPrefix(name, "card") && !strings.Contains(text, `<html lang="`+tag+`">`) {
				t.Errorf("%s: %s is in another language", tag, name)
			}
			for key, sentence := range english {
				if long := len(sentence) > 12 && strings.Contains(sentence, " ") && !strings.HasPrefix(key, "format."); long && own[key] != sentence && strings.Contains(text, sentence) {
					t.Errorf("%s: %s says %q", tag, name, sentence)
				}
			}
		}
	}
}

// The words of German, as one language that has all that English has not: cases, an
// order of its own, a decimal comma, and other names of months, days and cities.
func TestGerman(t *testing.T) {
	all, e := allPages(t, noon), everything("de-AT")
	drawn := everyPage(t, all, org, e)
	for name, wants := range map[string][]string{
		"event": {"Montag, 1. März 2027, 13:00 Uhr bis Dienstag, 2. März 2027, 19:00 Uhr", "Ortszeit Wien (UTC+1)", `<span>März</span><b>1</b><span>Mo</span>`, ">Anmelden</a>"},
		"form with faults": {"<title>Fehler: Anmelden · Titel°", "Eine Zahl von 1,5 bis 8.", "Nur wenn Ihre Antwort auf „Frage°“ „Ja“ oder „Nein“ lautet.",
			"Geben Sie den Nachnamen von Begleitperson 2 ein", "Geben Sie bei „Frage°“ ein Datum aus den Jahren 1700 bis 4000 ein"},
		"event with one place": {"1 Platz frei"},
	} {
		for _, want := range wants {
			if !strings.Contains(html.UnescapeString(string(drawn[name])), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, drawn[name])
			}
		}
	}
	// Its org's list is in English, where German is marked as German.
	if card := string(drawn["card"]); !strings.Contains(card, `<h2 lang="de-AT"><a`) || !strings.Contains(card, "Monday, 1 March 2027") {
		t.Errorf("on an English list it says %s", card)
	}
}

// Whatever the language, a form from its cut template is the full one.
func TestCutFormInEveryLanguage(t *testing.T) {
	all := allPages(t, noon)
	for _, tag := range []string{"de", "en", "es", "fr", "it", "nl"} {
		e := everything(tag)
		for _, invited := range []bool{false, true} {
			compare(t, all.Of(org, e), e, nil, page.FormState{Key: "k", Invited: invited, Invitee: "Ada", Details: turnout.Details{Person: turnout.Person{FirstName: "Ada"}}})
		}
	}
}
