package web_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// says fails for every text that a page lacks, or has although it must not.
func says(t *testing.T, name, body string, want []string, not ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(body, text) {
			t.Errorf("%s lacks %q", name, text)
		}
	}
	for _, text := range not {
		if strings.Contains(body, text) {
			t.Errorf("%s says %q", name, text)
		}
	}
}

// unpublish takes an event off the catalog; its registrations stay.
func (s *site) unpublish(id turnout.EventID) {
	for i, entry := range s.catalog.entries {
		if entry.Event.ID == id {
			s.catalog.entries = append(s.catalog.entries[:i], s.catalog.entries[i+1:]...)
			return
		}
	}
}

func TestLinkOfAnUnpublishedEventKeepsWorking(t *testing.T) {
	s := newSite(t)
	path := "/l/" + graceToken
	s.unpublish(gala().ID)
	for _, w := range []struct {
		code int
		body string
	}{{s.get(path).Code, s.get(path).Body.String()}, {s.post(path, filledForm()).Code, s.post(path, filledForm()).Body.String()}} {
		if w.code != http.StatusNotFound {
			t.Errorf("unanswered: %d", w.code)
		}
		says(t, "unanswered", w.body, []string{"This event’s page is offline for now", "This address keeps working"}, "does not exist")
	}
	s.catalog.publish(t, gala(), galaSeats())
	if w := s.post(path, filledForm()); w.Code != http.StatusSeeOther {
		t.Fatalf("register: %d", w.Code)
	}
	s.unpublish(gala().ID)
	w := s.get(path)
	if w.Code != http.StatusOK {
		t.Errorf("answered: %d", w.Code)
	}
	says(t, "answered", w.Body.String(), []string{"Your registration is kept", "You’re registered"}, "does not exist")
}

// fullHrefs are the fields to which an error summary leads.
func fullHrefs(body string) string {
	var ids []string
	for _, m := range regexp.MustCompile(`<li><a href="#([^"]+)"`).FindAllStringSubmatch(body, -1) {
		ids = append(ids, m[1])
	}
	return strings.Join(ids, " ")
}

func TestFullSaysHowManyAreLeftAndWhatHelps(t *testing.T) {
	seats := func(event, student, maps int) turnout.Seatings {
		all := galaSeats()
		for pool, free := range map[turnout.Pool]int{turnout.PoolEvent: event, turnout.PoolTicket("student"): student, turnout.PoolAgenda("maps"): maps} {
			seating := all[pool]
			seating.Taken = seating.Limit - free
			all[pool] = seating
		}
		return all
	}
	for name, c := range map[string]struct {
		seats  turnout.Seatings
		guests int
		single bool
		wait   bool
		want   []string
		hrefs  string
	}{
		"one left for two": {seats(1, 9, 9), 1, false, true, []string{
			"This event has 1 place left, but you asked for 2. Bring fewer guests."}, "guests join_waitlist"},
		"one left for two, no waitlist": {seats(1, 9, 9), 1, false, false, []string{"This event has 1 place left, but you asked for 2. Bring fewer guests."}, "guests"},
		"ticket and session": {seats(9, 2, 0), 2, false, true, []string{
			"“Student” has 2 places left, but you asked for 3. Choose another ticket or bring fewer guests.",
			"“Workshop: maps that residents draw” has no place left for a party of 3. Leave this session out or choose another.",
		}, "ticket agenda join_waitlist"},
		"only ticket":    {seats(9, 2, 9), 2, true, false, []string{"“Student” has 2 places left, but you asked for 3. Bring fewer guests."}, "guests"},
		"alone":          {seats(9, 0, 9), 0, false, true, []string{"“Student” has no place left. Choose another ticket."}, "ticket join_waitlist"},
		"a moment since": {seats(9, 9, 9), 0, false, true, []string{"Somebody took the last place a moment before you."}, "join_waitlist"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			e := gala()
			e.Waitlist = c.wait
			if c.single {
				e.Tickets = e.Tickets[1:2]
			}
			s.catalog.publish(t, e, c.seats)
			s.intake.fail = turnout.Errorf(turnout.CodeFull, "accept", "")
			form := filledForm()
			form.Set("ticket", "student")
			form["agenda"] = []string{"maps"}
			form.Del("guests.1.first_name")
			form.Del("guests.1.last_name")
			for _, i := range []string{"0", "1"}[:min(c.guests, 2)] {
				form.Set("guests."+i+".first_name", "Bo")
				form.Set("guests."+i+".last_name", "Sample")
			}
			body := s.post(formPath, form).Body.String()
			says(t, name, body, append(c.want, "There are not enough places left", "What you typed is still here."), "All places at this event")
			if got := fullHrefs(body); got != c.hrefs {
				t.Errorf("leads to %q, want %q", got, c.hrefs)
			}
			d := read(t, body)
			d.check(t, name)
		})
	}
}

// TestFullEditCountsWhatIsHeld: seats that the party has already are not asked for again.
func TestFullEditCountsWhatIsHeld(t *testing.T) {
	s := newSite(t)
	seats := galaSeats()
	seats[turnout.PoolEvent] = turnout.Seating{Pool: turnout.PoolEvent, Limit: 240, Taken: 239}
	s.catalog.publish(t, gala(), seats)
	r := turnout.Registration{Key: "key-of-a-party", Event: gala().ID, Status: turnout.StatusRegistered, Revision: 1, Claims: []turnout.Claim{
		{Pool: turnout.PoolEvent, Seats: 1}, {Pool: turnout.PoolTicket("standard"), Seats: 1}, {Pool: turnout.PoolAgenda("budget"), Seats: 1}}}
	path := "/registrations/" + s.addRegistration(r, turnout.Details{Person: grace, Ticket: "standard", Agenda: []string{"budget"}})
	form := filledForm()
	form.Set("revision", "1")
	form["agenda"] = []string{"budget"}
	form.Set("guests.0.first_name", "Di")
	form.Set("guests.0.last_name", "Sample")
	s.intake.fail = turnout.Errorf(turnout.CodeFull, "revise", "")
	body := s.post(path+"/edit", form).Body.String()
	says(t, "edit", body, []string{"This event has 1 place left, but your change needs 2. Bring fewer guests.",
		"“Workshop: a budget in one evening” has no place left."}, "join_waitlist")
}

// TestAnInvitationStaysWhoseItIs: what is typed in a refused form changes
// neither whom the link was sent to nor what it says about it.
func TestAnInvitationStaysWhoseItIs(t *testing.T) {
	s := newSite(t)
	form := filledForm()
	form.Set("first_name", "Somebody")
	form.Set("email", "no-address")
	w := s.post("/l/"+graceToken, form)
	says(t, "refused form", w.Body.String(), []string{"This invitation is for Grace Example", `value="Somebody"`}, "is for Somebody")
}

func TestWaitlistedAreToldOfAPlaceInLine(t *testing.T) {
	s := newSite(t)
	r := turnout.Registration{Key: "key-of-somebody-waiting", Event: gala().ID, Status: turnout.StatusWaitlisted, Revision: 1}
	path := "/registrations/" + s.addRegistration(r, turnout.Details{Person: grace, Ticket: "student", Guests: []turnout.Guest{{FirstName: "Bo", LastName: "Sample"}}})
	says(t, "cancel", s.get(path+"/cancel").Body.String(),
		[]string{"<title>Leave the waitlist?", "<h1>Leave the waitlist?</h1>", "You give up your place in line", "Yes, leave the waitlist", "No, stay in line"},
		"Your place is free", "keep my place", "Cancel your registration")
	says(t, "edit", s.get(path+"/edit").Body.String(), []string{"Your place in line stays yours"}, "Your place stays yours")
	gone := s.addRegistration(turnout.Registration{Key: "key-of-somebody-who-leaves", Event: gala().ID, Status: turnout.StatusWaitlisted, Revision: 1}, turnout.Details{Person: grace})
	w := s.post("/registrations/"+gone+"/cancel", nil)
	says(t, "left", s.get(w.Header().Get("Location")).Body.String(), []string{"<h1>You have left the waitlist</h1>", "Your place in line is given up"}, "holds no place")
	says(t, "somebody else's word", s.get(path+"?left").Body.String(), []string{"You’re on the waitlist"}, "You have left")
	says(t, "registration", s.get(path).Body.String(), []string{">Leave the waitlist</a>", ">Change what you entered</a>"}, "Cancel registration", "Change registration")
	r.Key, r.Status = "key-of-somebody-coming", turnout.StatusRegistered
	path = "/registrations/" + s.addRegistration(r, turnout.Details{Person: grace, Ticket: "standard"})
	says(t, "cancel a place", s.get(path+"/cancel").Body.String(), []string{"Cancel your registration?", "No, keep my place"}, "waitlist")
	says(t, "edit a place", s.get(path+"/edit").Body.String(), []string{"Your place stays yours"})
	says(t, "a full event's form", s.get("/events/dinner/register").Body.String(),
		[]string{"<title>Join the waitlist", "<h1>Join the waitlist</h1>", `<button class="button" id="join_waitlist">Join the waitlist</button>`}, "<h1>Register</h1>")
}

func TestInviteToAFullEventIsStillAnInvite(t *testing.T) {
	s := newSite(t)
	says(t, "link", s.get("/l/"+fullToken).Body.String(),
		[]string{"<h1>You’re invited</h1>", "This invitation is for Grace Example", "All places are taken, but you can join the waitlist"}, "somebody else can have the place")
}

// TestTimesCarryTheirZone looks at every page that names a point in time.
func TestTimesCarryTheirZone(t *testing.T) {
	s := newSite(t)
	e := gala()
	// The event is in summer time and registration opens in winter time.
	e.Starts, e.Ends, e.Agenda = e.Starts.AddDate(0, 3, 0), e.Ends.AddDate(0, 3, 0), nil
	e.Opens, e.Closes = noon.Add(time.Hour), e.Starts.Add(-time.Hour)
	s.catalog.publish(t, e, galaSeats())
	opens := `<time datetime="2027-02-01T14:00:00+01:00">1 February 2027, 14:00</time>, Vienna time (UTC+1)`
	visitor := `<span class="visitor" data-start="2027-02-01T14:00:00+01:00" data-label="In your time zone:" hidden></span></p>`
	starts := regexp.MustCompile(`<time datetime="2027-06-18T10:00:00(\+|&#43;)02:00">[^<]+</time>, Vienna time \(UTC(\+|&#43;)2\)<span class="visitor" data-start="2027-06-18T10:00:00(\+|&#43;)02:00"`)
	for name, body := range map[string]string{
		"event": s.get("/events/spring-forum").Body.String(), "form": s.get(formPath).Body.String(),
		"link": s.get("/l/" + graceToken).Body.String(), "list": s.get("/").Body.String(),
	} {
		says(t, name, body, []string{opens, visitor})
		if name != "event" && !starts.MatchString(body) {
			t.Errorf("%s names the event's time without zone or for no script", name)
		}
	}
	says(t, "event", s.get("/events/spring-forum").Body.String(), []string{`>18 June 2027, 09:00</time>, Vienna time (UTC+2)<span class="visitor" data-start="2027-06-18T09:00:00+02:00"`})
}

func TestOrganisersWordsNameTheirLanguage(t *testing.T) {
	s := newSite(t)
	paths := congressPaths(t, s)
	event, form, ticket, list := s.get(paths["long-event"]).Body.String(), s.get(paths["long-form"]).Body.String(), s.get(paths["long-ticket"]).Body.String(), s.get("/").Body.String()
	says(t, "event", event, []string{`<h1 lang="cs">`, `<p class="lede" lang="cs">`, `<span lang="cs">` + longWord + `</span>`, `<div class="prose" lang="cs">`, `<h4 lang="cs">`, `<p lang="cs">Bring a place`, `<span lang="cs">Saal`, `<li><div lang="cs"><h3>`})
	says(t, "form", form, []string{`<p class="band-title" lang="cs">`, `<span lang="cs">` + longWord + `</span>`, `<span lang="cs">` + longWord + ` 0</span><span class="hint"><span lang="cs">Talks`,
		`<legend><span lang="cs">` + longWord + `?</span>`, `lang="cs">Vegan</label>`, `>Yes</label>`, `<span lang="cs">We arrange a cheaper fare.</span>`, `answer to “<span lang="cs">` + longWord + `?</span>” is “<span lang="cs">Something else</span>”`}, `lang="cs">Yes`)
	says(t, "ticket", ticket, []string{`<h2 lang="cs">`, `<dd lang="cs">` + longWord + ` 0</dd>`, `<dt lang="cs">` + longWord + `?</dt><dd lang="cs">Vegan</dd>`, `<dd>Yes</dd>`, `<h4 lang="cs">`})
	says(t, "list", list, []string{`<h2 lang="cs">`, `<p class="summary" lang="cs">`, `<span lang="cs">` + longWord})
	if body := s.get("/events/spring-forum").Body.String(); strings.Count(body, ` lang=`) != 1 {
		t.Error("words in the page's own language are marked as foreign")
	}
}

func TestKnownAddressIsAFaultOfItsField(t *testing.T) {
	for path, way := range map[string]string{formPath: "To register somebody else", "/l/" + graceToken: "To register somebody else", "/l/" + lockedToken: ""} {
		s := newSite(t)
		s.intake.fail = turnout.Errorf(turnout.CodeConflict, "accept", "")
		body := s.post(path, filledForm()).Body.String()
		says(t, path, body, []string{`<a href="#email">This e-mail address is already registered for this event.`, `id="email-error"`, "ask Example Foundation"})
		if strings.Contains(body, "To register somebody else") != (way != "") {
			t.Errorf("%s: says that another address helps, where it cannot be changed, or does not say so", path)
		}
	}
}

func TestTicketPromisesNoMailAndPrintsNoAddress(t *testing.T) {
	s := newSite(t)
	path := s.register(t, filledForm())
	says(t, "ticket", s.get(path).Body.String(), []string{"You get no e-mail from this page", "print this page for the door"}, "Turnout sends")
	r := turnout.Registration{Key: "key-of-an-online-seat", Event: talk().ID, Status: turnout.StatusRegistered, Revision: 1}
	online := s.get("/registrations/" + s.addRegistration(r, turnout.Details{Person: grace, Ticket: "seat"})).Body.String()
	says(t, "ticket of an event online", online, []string{"You get no e-mail from this page"}, "the door")
	if join := strings.Index(online, "Join online"); join < 0 || join > strings.Index(online, "<svg") {
		t.Error("the way in stands below the code that nobody scans")
	}
	says(t, "ticket", s.get(path).Body.String(), nil, "events.example.org"+path)
}

func TestSeatsAreOfferedOnlyWhileTheyAreToBeHad(t *testing.T) {
	s := newSite(t)
	e := gala()
	says(t, "open", s.get("/events/spring-forum").Body.String(), []string{"37 places left", "4 places left"})
	s.now = e.Closes
	s.catalog.publish(t, e, galaSeats())
	says(t, "closed", s.get("/events/spring-forum").Body.String(), []string{"Registration is closed"}, "places left", "No places left")
	says(t, "full", s.get("/events/dinner").Body.String(), []string{"All places are taken. You can join the waitlist."}, "No places left", "<dt>Places")
}

// TestNotComingIsTakenUntilTheEventIsOver: whoever is invited may say so although
// they could not register.
func TestNotComingIsTakenUntilTheEventIsOver(t *testing.T) {
	change := func(f func(e *turnout.Event)) func(t *testing.T, s *site) {
		return func(t *testing.T, s *site) {
			e := gala()
			f(e)
			s.catalog.publish(t, e, galaSeats())
		}
	}
	for name, c := range map[string]struct {
		when func(t *testing.T, s *site)
		want []string
	}{
		"not open yet": {change(func(e *turnout.Event) { e.Opens = noon.Add(time.Hour) }), []string{"Registration is not open yet", "It opens on <time"}},
		"closed": {change(func(e *turnout.Event) { e.Closes = noon.Add(-time.Hour) }), []string{"Registration is closed",
			`It ended on <time datetime="2027-02-01T12:00:00+01:00">1 February 2027, 12:00</time>, Vienna time (UTC+1).<span class="visitor"`, "ask Example Foundation"}},
		"full": {func(t *testing.T, s *site) {
			e := gala()
			e.Waitlist = false
			seats := galaSeats()
			seats[turnout.PoolEvent] = turnout.Seating{Pool: turnout.PoolEvent, Limit: 240, Taken: 240}
			s.catalog.publish(t, e, seats)
		}, []string{"All places are taken"}},
	} {
		s := newSite(t)
		c.when(t, s)
		path := "/l/" + graceToken
		body := s.get(path).Body.String()
		says(t, name, body, append(c.want, `<form method="post" action="?send">`, `name="action" value="decline"`))
		d := read(t, body)
		d.check(t, name)
		key := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(body)
		if key == nil {
			t.Fatalf("%s: no key", name)
		}
		if w := s.post(path+"?send", url.Values{"key": {key[1]}, "action": {"decline"}}); w.Code != http.StatusSeeOther {
			t.Errorf("%s: %d", name, w.Code)
		}
		says(t, name, s.get(path).Body.String(), []string{"You’re not coming"})
		says(t, name+", public form", s.get(formPath).Body.String(), c.want, "decline")
	}
	s := newSite(t)
	says(t, "over", s.get("/l/"+overToken).Body.String(), []string{"This event is over"}, "decline")
}

// TestCalendarLinksSayWhatTheFileSays: Google's and Outlook's entries hold what
// one needs on the day, the address to join for who is registered.
func TestCalendarLinksSayWhatTheFileSays(t *testing.T) {
	s := newSite(t)
	for status, want := range map[turnout.Status][]string{
		turnout.StatusRegistered: {"Reference: ", "Join online: https://meet.example.org/briefing"},
		turnout.StatusWaitlisted: {"This is a place on the waitlist, not a place at the event."},
	} {
		token := s.addRegistration(turnout.Registration{Key: "key-" + turnout.Key(status), Event: talk().ID, Status: status, Revision: 1}, turnout.Details{Person: grace})
		links := regexp.MustCompile(`href="(https://(?:calendar|outlook)[^"]+)"`).FindAllStringSubmatch(s.get("/registrations/"+token).Body.String(), -1)
		if len(links) != 2 {
			t.Fatalf("%s: links %q", status, links)
		}
		for _, link := range links {
			u, err := url.Parse(html.UnescapeString(link[1]))
			if err != nil {
				t.Fatal(err)
			}
			text := u.Query().Get("details") + u.Query().Get("body")
			says(t, u.Host, text, append(want, "Forty minutes of figures", "https://events.example.org/events/member-briefing"), "Grace", "grace@")
			at := map[turnout.Status]string{turnout.StatusRegistered: "https://meet.example.org/briefing", turnout.StatusWaitlisted: "Online"}[status]
			if got := u.Query().Get("location"); got != at {
				t.Errorf("%s, %s: it is at %q, want %q", u.Host, status, got, at)
			}
			if status == turnout.StatusWaitlisted && strings.Contains(u.RawQuery, "meet.example.org") {
				t.Errorf("%s: who waits learns where to join", u.Host)
			}
		}
	}
}
