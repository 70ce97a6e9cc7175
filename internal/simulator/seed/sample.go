package seed

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/sample"
)

const (
	sampleLinks   = 1000
	sampleMembers = 100
	sampleSource  = "Event"
)

// Sample fills an org that has no events yet with the sample data.
func (s *Seeder) Sample(ctx context.Context) error {
	list, err := sample.Load(s.Now(), s.Pictures)
	if err != nil {
		return err
	}
	return s.Store.Write(func(tx *records.Tx) error {
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
	events := published(tx.View, "Turnout_Event__c", "Status__c", "Published")
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
	campaigns := published(tx.View, "Campaign", "Turnout_Published__c", "true")
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

// published lists the live records of an object whose field has this value.
func published(v records.View, object, field, value string) []string {
	table := v.Table(v.Schema().Object(object))
	status := table.Object.Field(field)
	var ids []string
	for pos := range table.Len() {
		if row := table.At(uint32(pos)); !row.Deleted && v.Value(table, row, status) == value {
			ids = append(ids, table.ID(row))
		}
	}
	return ids
}
