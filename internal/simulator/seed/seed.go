// Package seed fills a simulated org: with events and links made for tests, as
// many as are asked for, or with the sample data.
package seed

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/sample"
)

const (
	most         = 5_000_000 // events or links in one call
	shown        = 1000      // links in the answer
	chunk        = 10_000    // records per transaction
	tokenEntropy = 18        // bytes; 24 characters of base64url

	// hintIDs is how many records a hint names: a trigger sees 200 at once.
	hintIDs = 200
	// hinted is how many events and how many links are told of. Receivers read
	// each one; what is beyond it they find when they poll.
	hinted = 2000
)

// Seeder makes records and tells the hooks of them. Its method may be called
// concurrently.
type Seeder struct {
	Store *records.Store
	// Hint queues a hint for whoever listens; it must not block.
	Hint func(hooks.Hint)
	Now  func() time.Time
	// Pictures is how the addresses of the sample's pictures begin, empty for none.
	Pictures string
}

// Made is the answer of POST /_sim/seed.
type Made struct {
	Events    []Event  `json:"events"`
	LinkCount int      `json:"link_count"`
	Links     []Link   `json:"links"`  // the first thousand
	Tokens    []string `json:"tokens"` // of the same links, in the same order
}

// Event names a new event.
type Event struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// Link names a new link: its token, and the record id and slug of its event.
type Link struct {
	Token string `json:"token"`
	Event string `json:"event"`
	Slug  string `json:"slug"`
}

// Make makes published events, and links: to the new events when there are
// any, otherwise to all events that take registrations, in turn. The hints
// that the buttons would have sent follow; whether anybody hears them does not
// matter to the call.
func (s *Seeder) Make(events, links int) (Made, error) {
	out := Made{Events: []Event{}, Links: []Link{}, Tokens: []string{}}
	if events < 0 || links < 0 || events > most || links > most {
		return out, fmt.Errorf("events and links must be between 0 and %d", most)
	}
	if err := s.manyEvents(events, &out); err != nil {
		return out, err
	}
	if links == 0 {
		return out, nil
	}
	targets := out.Events
	if len(targets) == 0 {
		s.Store.Read(func(v records.View) { targets = open(v, s.Now()) })
	}
	if len(targets) == 0 {
		return out, errors.New("no event takes registrations and has a free seat: seed some events as well")
	}
	err := s.links(links, targets, &out)
	return out, err
}

// tell sends the hint of these records, at most so many in each.
func (s *Seeder) tell(kind string, ids []string) {
	for some := range slices.Chunk(ids, hintIDs) {
		s.Hint(hooks.Hint{Type: kind, IDs: some})
	}
}

func (s *Seeder) manyEvents(n int, out *Made) error {
	defer func() { // of what was made before a failure, too
		ids := make([]string, min(hinted, len(out.Events)))
		for i := range ids {
			ids[i] = out.Events[i].ID
		}
		s.tell("event.published", ids)
	}()
	for len(out.Events) < n {
		err := s.Store.Write(func(tx *records.Tx) error { return s.events(tx, min(chunk, n-len(out.Events)), out) })
		if err != nil {
			return fmt.Errorf("seeding events: %w", err)
		}
	}
	return nil
}

func (s *Seeder) events(tx *records.Tx, n int, out *Made) error {
	start := s.Now().UTC().AddDate(0, 0, 30).Truncate(time.Hour)
	first := tx.Table(tx.Schema().Object("Turnout_Event__c")).Len() + 1
	writes := make([]records.Write, n)
	slugs := make([]string, n)
	for i := range n {
		number := strconv.Itoa(first + i)
		slugs[i] = "seeded-event-" + number
		at := start.AddDate(0, 0, i%60)
		writes[i] = row(tx.View, "Turnout_Event__c", "Name", "Seeded event "+number, "Public_Id__c", "seed-"+number, "Slug__c", slugs[i],
			"Status__c", "Published", "Summary__c", "An event made for tests.", "Description__c", "<p>An event made for tests.</p>",
			"Starts_At__c", records.FormatTime(at.UnixMilli()), "Ends_At__c", records.FormatTime(at.Add(2*time.Hour).UnixMilli()),
			"Time_Zone__c", "Europe/Vienna", "Venue__c", "Test hall "+number, "Language__c", "en", "Organizer__c", "Seeded organisation")
	}
	results := tx.Apply(writes, true)
	if err := applied(results); err != nil {
		return err
	}
	for i, r := range results {
		out.Events = append(out.Events, Event{ID: r.ID, Slug: slugs[i]})
	}
	return nil
}

func (s *Seeder) links(n int, targets []Event, out *Made) error {
	var told []string
	defer func() { s.tell("attendee.changed", told) }() // as above
	for out.LinkCount < n {
		var ids []string
		err := s.Store.Write(func(tx *records.Tx) (err error) {
			ids, err = someLinks(tx, min(chunk, n-out.LinkCount), targets, out)
			return err
		})
		if err != nil {
			return fmt.Errorf("seeding links: %w", err)
		}
		told = append(told, ids[:min(len(ids), hinted-len(told))]...)
	}
	return nil
}

func someLinks(tx *records.Tx, n int, targets []Event, out *Made) ([]string, error) {
	writes := make([]records.Write, n)
	tokens := make([]string, n)
	random := make([]byte, n*tokenEntropy)
	_, _ = rand.Read(random) // crypto/rand.Read never fails
	for i := range n {
		number := out.LinkCount + i
		tokens[i] = base64.RawURLEncoding.EncodeToString(random[i*tokenEntropy : (i+1)*tokenEntropy])
		writes[i] = linkRow(tx.View, tokens[i], targets[number%len(targets)].ID, sample.Invented(number))
	}
	results := tx.Apply(writes, true)
	if err := applied(results); err != nil {
		return nil, err
	}
	ids := make([]string, n)
	for i, r := range results {
		ids[i] = r.ID
		if len(out.Links) < shown {
			to := targets[(out.LinkCount+i)%len(targets)]
			out.Links = append(out.Links, Link{Token: tokens[i], Event: to.ID, Slug: to.Slug})
			out.Tokens = append(out.Tokens, tokens[i])
		}
	}
	out.LinkCount += n
	return ids, nil
}
