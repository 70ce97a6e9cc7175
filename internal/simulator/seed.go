package simulator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/sample"
)

const (
	maxSeed      = 5_000_000 // events or links in one call
	shownTokens  = 1000      // tokens in the answer
	seedChunk    = 10_000    // records per transaction
	tokenEntropy = 18        // bytes; 24 characters of base64url
)

// Seeded is the answer of POST /_sim/seed.
type Seeded struct {
	Events []SeededEvent `json:"events"`
	Links  int           `json:"links"`
	Tokens []string      `json:"tokens"` // the first thousand of the new links
}

// SeededEvent names a new event.
type SeededEvent struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// Seed makes published events, and links spread over all published Turnout
// events.
func (s *Simulator) Seed(events, links int) (Seeded, error) {
	out := Seeded{Events: []SeededEvent{}, Tokens: []string{}}
	if events < 0 || links < 0 || events > maxSeed || links > maxSeed {
		return out, fmt.Errorf("events and links must be between 0 and %d", maxSeed)
	}
	for made := 0; made < events; made += seedChunk {
		err := s.store.Write(func(tx *records.Tx) error { return s.seedEvents(tx, min(seedChunk, events-made), &out) })
		if err != nil {
			return out, fmt.Errorf("seeding events: %w", err)
		}
	}
	var targets []string
	s.store.Read(func(v records.View) { targets = publishedEvents(v) })
	if links > 0 && len(targets) == 0 {
		return out, errors.New("no event is published: seed some events as well")
	}
	for out.Links < links {
		n := min(seedChunk, links-out.Links)
		if err := s.store.Write(func(tx *records.Tx) error { return seedLinks(tx, n, targets, &out) }); err != nil {
			return out, fmt.Errorf("seeding links: %w", err)
		}
	}
	return out, nil
}

func publishedEvents(v records.View) []string {
	table := v.Table(v.Schema().Object("Turnout_Event__c"))
	status := table.Object.Field("Status__c")
	var ids []string
	for pos := range table.Len() {
		if row := table.At(uint32(pos)); !row.Deleted && v.Value(table, row, status) == "Published" {
			ids = append(ids, table.ID(row))
		}
	}
	return ids
}

// row makes a trusted create of field names and canonical values in pairs;
// empty values are left out.
func row(v records.View, object string, pairs ...string) records.Write {
	o := v.Schema().Object(object)
	w := records.Write{Op: records.Create, Object: o, Trusted: true, Sets: make([]records.Set, 0, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			w.Sets = append(w.Sets, records.Set{Field: o.Field(pairs[i]), Value: pairs[i+1]})
		}
	}
	return w
}

func applied(results []records.Result) error {
	for _, r := range results {
		if !r.OK() {
			return r.Faults[0]
		}
	}
	return nil
}

func (s *Simulator) seedEvents(tx *records.Tx, n int, out *Seeded) error {
	start := s.now().UTC().AddDate(0, 0, 30).Truncate(time.Hour)
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
	for i, r := range results {
		out.Events = append(out.Events, SeededEvent{ID: r.ID, Slug: slugs[i]})
	}
	return applied(results)
}

func seedLinks(tx *records.Tx, n int, targets []string, out *Seeded) error {
	writes := make([]records.Write, n)
	tokens := make([]string, n)
	random := make([]byte, n*tokenEntropy)
	_, _ = rand.Read(random) // crypto/rand.Read never fails
	for i := range n {
		number := out.Links + i
		tokens[i] = base64.RawURLEncoding.EncodeToString(random[i*tokenEntropy : (i+1)*tokenEntropy])
		writes[i] = linkRow(tx.View, tokens[i], targets[number%len(targets)], sample.Invented(number))
	}
	if err := applied(tx.Apply(writes, true)); err != nil {
		return err
	}
	out.Links += n
	out.Tokens = append(out.Tokens, tokens[:min(n, shownTokens-min(shownTokens, len(out.Tokens)))]...)
	return nil
}

func linkRow(v records.View, token, event string, p sample.Person) records.Write {
	return row(v, "Turnout_Link__c", "Token__c", token, "Event__c", event, "First_Name__c", p.First, "Last_Name__c", p.Last,
		"Email__c", p.Email, "Title__c", p.Title, "Company__c", p.Company)
}

const (
	sampleLinks   = 1000
	sampleMembers = 100
	sampleSource  = "Event"
)

// loadSample fills an org that has no events yet with the sample data.
func (s *Simulator) loadSample(ctx context.Context) error {
	list, err := sample.Load(s.now())
	if err != nil {
		return err
	}
	return s.store.Write(func(tx *records.Tx) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if tx.Table(tx.Schema().Object("Turnout_Event__c")).Len() > 0 || tx.Table(tx.Schema().Object("Campaign")).Len() > 0 {
			return nil
		}
		for _, one := range list {
			if err := makeSample(tx, one); err != nil {
				return fmt.Errorf("loading the sample %s: %w", one.Object, err)
			}
		}
		if err := sampleInvites(tx); err != nil {
			return fmt.Errorf("loading the sample links: %w", err)
		}
		return nil
	})
}

func makeSample(tx *records.Tx, one sample.Record) error {
	parent := tx.Apply([]records.Write{sampleWrite(tx, one.Object, one.Values)}, true)
	if err := applied(parent); err != nil {
		return err
	}
	for _, child := range one.Children {
		for _, values := range child.Rows {
			w := sampleWrite(tx, child.Object, values)
			w.Sets = append(w.Sets, records.Set{Field: w.Object.Field(child.Field), Value: parent[0].ID})
			if err := applied(tx.Apply([]records.Write{w}, true)); err != nil {
				return err
			}
		}
	}
	return nil
}

func sampleWrite(tx *records.Tx, object string, values map[string]string) records.Write {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, name, values[name])
	}
	return row(tx.View, object, pairs...)
}

// sampleToken is the same in every run, so that a demonstration can be
// repeated; a real org draws its tokens at random.
func sampleToken(kind string, n int) string {
	sum := sha256.Sum256([]byte("turnout sample " + kind + " " + strconv.Itoa(n)))
	return base64.RawURLEncoding.EncodeToString(sum[:tokenEntropy])
}

// sampleInvites makes links for the Turnout events and members for the
// published campaigns.
func sampleInvites(tx *records.Tx) error {
	events := publishedEvents(tx.View)
	writes := make([]records.Write, 0, sampleLinks)
	for n := range sampleLinks {
		writes = append(writes, linkRow(tx.View, sampleToken("link", n), events[n%len(events)], sample.Invented(n)))
	}
	if err := applied(tx.Apply(writes, true)); err != nil {
		return err
	}
	for n := range sampleMembers {
		if err := sampleMember(tx, n); err != nil {
			return err
		}
	}
	return nil
}

// sampleMember invites the n-th person to a campaign: contacts of accounts and
// leads in turn.
func sampleMember(tx *records.Tx, n int) error {
	p := sample.Invented(2000 + 7*n)
	lookup, person := "LeadId", row(tx.View, "Lead", "FirstName", p.First, "LastName", p.Last, "Company", p.Company,
		"Email", p.Email, "Title", p.Title, "LeadSource", sampleSource)
	if n%5 < 2 {
		account, err := sampleAccount(tx, sample.Company(n/5))
		if err != nil {
			return err
		}
		lookup, person = "ContactId", row(tx.View, "Contact", "FirstName", p.First, "LastName", p.Last, "AccountId", account,
			"Email", p.Email, "Title", p.Title, "LeadSource", sampleSource)
	}
	made := tx.Apply([]records.Write{person}, true)
	if err := applied(made); err != nil {
		return err
	}
	campaigns := publishedCampaigns(tx.View)
	return applied(tx.Apply([]records.Write{row(tx.View, "CampaignMember", "CampaignId", campaigns[n%len(campaigns)], lookup, made[0].ID,
		"Status", "Sent", "Turnout_Token__c", sampleToken("member", n))}, true))
}

func sampleAccount(tx *records.Tx, name string) (string, error) {
	table := tx.Table(tx.Schema().Object("Account"))
	field := table.Object.Field("Name")
	for pos := range table.Len() {
		if row := table.At(uint32(pos)); tx.Value(table, row, field) == name {
			return table.ID(row), nil
		}
	}
	made := tx.Apply([]records.Write{row(tx.View, "Account", "Name", name, "Type", "Partner")}, true)
	return made[0].ID, applied(made)
}

func publishedCampaigns(v records.View) []string {
	table := v.Table(v.Schema().Object("Campaign"))
	published := table.Object.Field("Turnout_Published__c")
	var ids []string
	for pos := range table.Len() {
		if row := table.At(uint32(pos)); !row.Deleted && v.Value(table, row, published) == "true" {
			ids = append(ids, table.ID(row))
		}
	}
	return ids
}
