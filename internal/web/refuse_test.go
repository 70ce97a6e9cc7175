package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

const formPath = "/events/spring-forum/register"

func TestErrorsTheGovernmentWay(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	form.Set("email", "no-address")
	form.Set("guests.1.last_name", "")
	form.Set("answers.diet", "Something else")
	form.Del("ticket")
	w := s.post(formPath, form)
	body := w.Body.String()
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d", w.Code)
	}
	for _, want := range []string{
		"<title>Error: Register", `role="alert" tabindex="-1"`, "There is a problem",
		`<a href="#email">Enter an e-mail address`, `id="email-error"><span class="unseen">Error: </span>Enter an e-mail address`, `aria-describedby="email-hint email-error" aria-invalid="true"`,
		`<a href="#guests.0.last_name">Enter the last name of guest 1`, `id="guests.0.last_name-error"`,
		`<a href="#ticket">Choose a ticket`, `<a href="#answers.diet_other">`,
		`value="no-address"`, `value="Bo"`, `value="Vegetarian"`, `value="Something else" checked`, `<details class="group" id="guests" open>`,
		`name="key" value="` + form.Get("key") + `"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}

// TestRefusals says for every code what the visitor gets; typed values and the
// key come back wherever trying again makes sense (P1).
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		code   turnout.Code
		status int
		want   string
		kept   bool
	}{
		{turnout.CodeStale, 409, "The form has changed since you opened it", true},
		{turnout.CodeFull, 409, `name="join_waitlist" value="yes" id="join_waitlist"`, true},
		{turnout.CodeConflict, 409, "This e-mail address is already registered", true},
		{turnout.CodeUnavailable, 503, "Nothing is lost: what you typed is still here. Send it again in a minute. It is saved only once.", true},
		{turnout.CodeUnknown, 503, "Nothing is lost", true},
		{turnout.CodeNoSpace, 503, "Nothing is lost", true},
		{turnout.CodeThrottled, 429, "Very many people are registering right now", true},
		{turnout.CodeClosed, 409, "Registration is closed", false},
		{turnout.CodeReused, 409, "This form was already sent", false},
		{turnout.CodeNotFound, 404, "This page does not exist", false},
		{turnout.CodeForgotten, 410, "This data was erased", false},
		{turnout.CodeInternal, 500, "Something went wrong on our side", false},
	} {
		for _, path := range []string{formPath, "/l/" + graceToken} {
			s := newSite(t)
			s.intake.fail = &turnout.Error{Code: c.code, Op: "accept", RetryAfter: 7 * time.Second}
			form := filledForm()
			w := s.post(path, form)
			body := w.Body.String()
			if w.Code != c.status || !strings.Contains(body, c.want) {
				t.Errorf("%s on %s: %d, want %d with %q", c.code, path, w.Code, c.status, c.want)
			}
			kept := strings.Contains(body, `value="Ada"`) && strings.Contains(body, `value="`+form.Get("key")+`"`) && strings.Contains(body, `value="Vegan" checked`)
			if kept != c.kept {
				t.Errorf("%s on %s: typed values kept: %v", c.code, path, kept)
			}
			if again := c.status == 503 || c.status == 429; again != (w.Header().Get("Retry-After") == "7") {
				t.Errorf("%s: Retry-After %q", c.code, w.Header().Get("Retry-After"))
			}
		}
	}
}

func TestFullSaysWhatIsFull(t *testing.T) {
	s := newSite(t)
	s.intake.fail = turnout.Errorf(turnout.CodeFull, "accept", "")
	form := filledForm()
	form.Set("ticket", "student")
	form["agenda"] = []string{"budget"}
	body := s.post(formPath, form).Body.String()
	for _, want := range []string{"“Student” has no place left for a party of 2", "“Workshop: a budget in one evening” has no place left"} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	s.intake.fail = nil
	form.Set("join_waitlist", "yes")
	if w := s.post(formPath, form); w.Code != http.StatusSeeOther || !s.intake.last.JoinWaitlist {
		t.Errorf("joining the waitlist: %d, %v", w.Code, s.intake.last.JoinWaitlist)
	}
}

func TestBadBodies(t *testing.T) {
	keyless := filledForm()
	keyless.Del("key")
	wrongKey := filledForm()
	wrongKey.Set("key", "not a key!")
	many := filledForm().Encode() + strings.Repeat("&a=1", 700)
	for _, c := range []struct {
		name, mime, body string
		code             int
	}{
		{"json", "application/json", "{}", 415},
		{"none", "", "", 415},
		{"multipart", "multipart/form-data; boundary=x", "--x--", 415},
		{"large", "application/x-www-form-urlencoded", "note=" + strings.Repeat("x", 65<<10), 413},
		{"broken UTF-8", "application/x-www-form-urlencoded", "first_name=%ff", 400},
		{"broken escape", "application/x-www-form-urlencoded", "first_name=%zz", 400},
		{"too many fields", "application/x-www-form-urlencoded", many, 400},
		{"no key", "application/x-www-form-urlencoded", keyless.Encode(), 400},
		{"wrong key", "application/x-www-form-urlencoded", wrongKey.Encode(), 400},
		{"charset", "application/x-www-form-urlencoded; charset=UTF-8", filledForm().Encode(), 303},
	} {
		s := newSite(t)
		r := httptest.NewRequest(http.MethodPost, formPath, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.mime)
		w := s.do(r)
		if w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.code)
		}
		if c.code != http.StatusSeeOther && s.intake.writes > 0 {
			t.Errorf("%s: reached intake", c.name)
		}
	}
}

func TestCrossOriginPostIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, header, value string
		code                int
	}{
		{"own form", "Sec-Fetch-Site", "same-origin", 303},
		{"another site", "Sec-Fetch-Site", "cross-site", 403},
		{"another host of ours", "Sec-Fetch-Site", "same-site", 403},
		{"an older browser", "Origin", "https://events.example.org", 303},
		{"an older browser elsewhere", "Origin", "https://evil.example.net", 403},
		{"an older browser in a sandbox", "Origin", "null", 403},
	} {
		s := newSite(t)
		r := httptest.NewRequest(http.MethodPost, formPath, strings.NewReader(filledForm().Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(c.header, c.value)
		w := s.do(r)
		if w.Code != c.code || c.code == 403 && (s.intake.writes > 0 || !strings.Contains(w.Body.String(), "That came from another site")) {
			t.Errorf("%s: %d, %d writes", c.name, w.Code, s.intake.writes)
		}
	}
}

// TestRepeatedSubmitLeadsToTheSameTicket: a double click is one registration (P1).
func TestRepeatedSubmitLeadsToTheSameTicket(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	if a, b := s.register(t, form), s.register(t, form); a != b || len(s.intake.views) != 1 {
		t.Errorf("%s and %s, %d registrations", a, b, len(s.intake.views))
	}
}

func TestGuests(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	for i := range 5 {
		form.Set("guests."+strconv.Itoa(i)+".first_name", "G")
		form.Set("guests."+strconv.Itoa(i)+".last_name", "Sample")
	}
	w := s.post(formPath, form)
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `<a href="#guests">Bring at most 3 guests`) {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	if strings.Count(w.Body.String(), `value="G"`) != 5 {
		t.Error("typed guests are gone")
	}
	lonely := filledForm()
	lonely.Set("guests.1.first_name", " ")
	lonely.Set("guests.1.last_name", "")
	s.register(t, lonely)
	if len(s.intake.last.Guests) != 0 {
		t.Errorf("blank rows became guests: %v", s.intake.last.Guests)
	}
}

func TestStaleFormComesBackInItsNewVersion(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	newer := gala()
	newer.Form.Version = "f4"
	newer.Form.Questions = append(newer.Form.Questions, turnout.Question{ID: "new", Label: "A new question", Kind: turnout.KindText})
	s.catalog.publish(t, newer, galaSeats())
	w := s.post(formPath, form)
	body := w.Body.String()
	if w.Code != http.StatusConflict || !strings.Contains(body, `name="form" value="f4"`) || !strings.Contains(body, "A new question") || !strings.Contains(body, `value="Ada"`) {
		t.Errorf("%d\n%s", w.Code, body)
	}
	form.Del("form") // whoever does not say which form it was is shown the form, too
	if w := s.post(formPath, form); w.Code != http.StatusConflict {
		t.Errorf("without the form's version it is answered %d", w.Code)
	}
	form.Set("form", "f4")
	s.register(t, form)
}

// TestAChangedFormSaysWhatIsToBeAnsweredAnew: what is gone from it is told, and what
// does not stand any more is pointed at.
func TestAChangedFormSaysWhatIsToBeAnsweredAnew(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	form.Set("answers.note", "By the window, please.")
	own := s.register(t, form)
	newer := gala()
	newer.Form.Version = "f4"
	newer.Form.Questions = newer.Form.Questions[:len(newer.Form.Questions)-1] // no note any more
	newer.Form.Questions[0].Choices = []string{"Soup", "Salad"}
	newer.Form.Questions = append(newer.Form.Questions, turnout.Question{ID: "shirt", Label: "Size of your shirt", Kind: turnout.KindText, Required: true})
	s.catalog.publish(t, newer, galaSeats())
	form.Set("key", "another-key-1")
	form.Set("revision", "1") // for the edit
	for _, path := range []string{formPath, own + "/edit"} {
		says(t, path, s.post(path, form).Body.String(), []string{
			"The form has changed since you opened it", "A question that you answered is no longer asked",
			`<a href="#answers.diet">Choose an answer from the list`, `<a href="#answers.shirt">Answer “Size of your shirt”</a>`,
		}, "not part of the form", "By the window")
	}
	form.Set("answers.old", "x")
	says(t, "two", s.post(formPath, form).Body.String(), []string{"2 questions that you answered are no longer asked"})
}

func TestValuesAreKeptThroughEveryKindOfField(t *testing.T) {
	s := newSite(t)
	form := url.Values{"key": {"k-1"}, "form": {"f3"}, "answers.note": {"line one\r\nline two"}, "answers.years": {"many"}, "answers.arrive": {"2027-03-17"}, "answers.phone": {"+43 1 234567"}, "answers.train": {"no"}}
	body := s.post(formPath, form).Body.String()
	for _, want := range []string{"line one\r\nline two</textarea>", `value="many"`, `value="2027-03-17"`, `value="&#43;43 1 234567"`, `value="no" checked`} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
}
