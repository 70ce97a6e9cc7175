package page_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/web/page"
)

// ticket is a registration of somebody whose every word is s.
func ticket(status turnout.Status, s string) page.TicketState {
	v := intake.View{Token: "tokentoken", Registration: turnout.Registration{Key: turnout.NewKey(noon), Status: status, Revision: 1}}
	v.Details = turnout.Details{
		Person: turnout.Person{FirstName: s, LastName: "Sample", Email: s, Company: s, Title: s},
		Ticket: "a", Agenda: []string{"x"}, Guests: []turnout.Guest{{FirstName: s, LastName: "Guest"}, {FirstName: "Bo", LastName: s}},
		Answers: map[string][]string{"q": {"yes"}, "r": {s, s}},
	}
	return page.TicketState{View: v}
}

// tickets are registrations in every state that a page tells apart.
func tickets(s string) map[string]page.TicketState {
	all := map[string]page.TicketState{}
	for _, status := range []turnout.Status{turnout.StatusRegistered, turnout.StatusWaitlisted, turnout.StatusCancelled, turnout.StatusDeclined} {
		all[string(status)] = ticket(status, s)
	}
	change := func(name string, status turnout.Status, by func(*page.TicketState)) {
		t := ticket(status, s)
		by(&t)
		all[name] = t
	}
	change("delivered", turnout.StatusRegistered, func(t *page.TicketState) { t.View.Registration.Delivered = 1 })
	change("parked", turnout.StatusRegistered, func(t *page.TicketState) { t.View.Registration.Parked = &turnout.Parked{} })
	change("left", turnout.StatusCancelled, func(t *page.TicketState) { t.LeftWaitlist = true })
	change("again", turnout.StatusCancelled, func(t *page.TicketState) { t.Again = "/events/open-day/register" })
	change("again by its link", turnout.StatusDeclined, func(t *page.TicketState) { t.Again, t.Link = "/l/secret-"+fmt.Sprint(len(s))+"?again", "/l/secret" })
	change("again by link", turnout.StatusCancelled, func(t *page.TicketState) { t.AgainOnLink = true })
	change("on a link", turnout.StatusRegistered, func(t *page.TicketState) { t.Link = "/l/secret" })
	change("gone", turnout.StatusRegistered, func(t *page.TicketState) { t.View.Details = turnout.Details{} })
	change("alone", turnout.StatusRegistered, func(t *page.TicketState) {
		t.View.Details.Guests, t.View.Details.Agenda, t.View.Details.Answers, t.View.Details.Person.Company = nil, nil, nil, ""
	})
	change("one answer", turnout.StatusRegistered, func(t *page.TicketState) { delete(t.View.Details.Answers, "q") })
	change("another ticket", turnout.StatusRegistered, func(t *page.TicketState) { t.View.Details.Ticket = "b" })
	change("a ticket that went", turnout.StatusRegistered, func(t *page.TicketState) { t.View.Details.Ticket = "z" })
	return all
}

// cutMark is a mark that was left on a page.
var cutMark = regexp.MustCompile(`cut[A-Z2-7]{26}here`)

// ticketEvents are events whose tickets differ.
func ticketEvents() map[string]*turnout.Event {
	foreign, online, begun := event(), event(), event()
	foreign.Language, foreign.Form.Questions[1].Choices = "de-AT", []string{"Rot", "Blau"}
	online.Online, online.JoinURL, online.Venue = true, "https://join.example.org/a?b=c&d=e", ""
	begun.Starts = noon.Add(-1)
	return map[string]*turnout.Event{"plain": event(), "foreign": foreign, "online": online, "begun": begun}
}

// TestTicketFromItsCutPage: a ticket that is written from a page which was drawn
// for somebody else has the very bytes of its full rendering, whatever people typed (P8).
func TestTicketFromItsCutPage(t *testing.T) {
	p := newPages(t)
	full := turnout.Seatings{turnout.PoolTicket("a"): {Limit: 5, Taken: 5}, turnout.PoolTicket("b"): {Limit: 5, Taken: 5}}
	drawn := map[string]bool{}
	for name, e := range ticketEvents() {
		for _, seats := range []turnout.Seatings{nil, full} {
			for _, s := range append([]string{"first"}, hostile()...) {
				for state, ticket := range tickets(s) {
					got, err := p.TicketPage(org, e, seats, ticket)
					if err != nil {
						t.Fatal(err)
					}
					want, err := p.FullTicketPage(org, e, seats, ticket)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, want) {
						t.Fatalf("%s, %s, %q:\ngot  %s\nwant %s", name, state, s, got, want)
					}
					if cutMark.Match(got) || bytes.Contains(got, []byte("<script>alert")) {
						t.Fatalf("%s, %s, %q: a mark or a script is left", name, state, s)
					}
					drawn[name+state] = true
				}
			}
		}
	}
	if n, _ := p.CutTickets(); n > 3*len(drawn) {
		t.Errorf("%d pages were cut for %d kinds of tickets", n, len(drawn))
	}
}

// TestCutTicketLeavesKeysAndTokensAlone: whatever characters they have, they stand in
// addresses as html/template writes them.
func TestCutTicketLeavesKeysAndTokensAlone(t *testing.T) {
	const all = "abcdefghijklmnopqrstuvwxyz0123456789_-"
	p := newPages(t)
	for i := range len(all) {
		own := ticket(turnout.StatusRegistered, "Ada")
		own.View.Registration.Key = turnout.Key("key" + strings.Repeat(all[i:i+1], 20))
		own.View.Token = strings.ToUpper(all[i:i+1]) + all + strings.ToUpper(all)
		if !own.View.Registration.Key.Valid() {
			continue
		}
		got, err := p.TicketPage(org, event(), nil, own)
		want, wantErr := p.FullTicketPage(org, event(), nil, own)
		if err != nil || wantErr != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %v %v, or another page", all[i], err, wantErr)
		}
	}
}

// TestNobodySeesAnothersTicket: tickets of one shape, drawn at once, each hold
// their own person and nobody else's (P6).
func TestNobodySeesAnothersTicket(t *testing.T) {
	p, e := newPages(t), event()
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for range 50 {
				own := ticket(turnout.StatusRegistered, fmt.Sprintf("person-%02d", i))
				html, err := p.TicketPage(org, e, nil, own)
				if err != nil {
					t.Error(err)
					return
				}
				if strings.Count(string(html), "person-") != strings.Count(string(html), fmt.Sprintf("person-%02d", i)) {
					t.Errorf("the ticket of person %d names others", i)
				}
				if !strings.Contains(string(html), own.View.Registration.Key.Reference()) {
					t.Errorf("the ticket of person %d lacks its reference", i)
				}
			}
		})
	}
	wg.Wait()
}

// TestCutTicketsAreBounded although people choose as they like.
func TestCutTicketsAreBounded(t *testing.T) {
	p, own := newPages(t), ticket(turnout.StatusRegistered, "Ada")
	most := 0
	for range 120 {
		e := event()
		e.Agenda[0].About = strings.Repeat("a long text about it ", 10_000)
		if _, err := p.TicketPage(org, e, nil, own); err != nil {
			t.Fatal(err)
		}
		_, size := p.CutTickets()
		most = max(most, size)
	}
	if one := 250 << 10; most < one || most > page.MaxTickets+one {
		t.Errorf("%d bytes of cut tickets are kept", most)
	}
}

func BenchmarkTicketPage(b *testing.B) {
	p, e, own := newPages(b), event(), ticket(turnout.StatusRegistered, "Ada")
	b.Run("cut", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.TicketPage(org, e, nil, own); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("full", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.FullTicketPage(org, e, nil, own); err != nil {
				b.Fatal(err)
			}
		}
	})
}
