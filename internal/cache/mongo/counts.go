package mongo

import (
	"context"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/turnout-events/turnout"
)

// fetchedDoc is when an event was fetched; its _id is the event's key.
type fetchedDoc struct {
	ID    string `bson:"_id"`
	Org   string `bson:"o"`
	Event string `bson:"e"`
	At    int64  `bson:"at"` // as cursorDoc.At
}

// NoteFetched notes that the events were fetched at that time, changed or not.
// Those that are not there are left out, and no time goes back, unless two
// instances note the same event within the same milliseconds: the time is shown
// to operators, and nothing rests on it.
func (c *Cache) NoteFetched(ctx context.Context, org turnout.OrgID, ids []turnout.EventID, at time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	return do(ctx, "note fetched events", c.longest, func(ctx context.Context) error {
		there, err := idsOf(ctx, c.events, bson.D{{Key: "o", Value: string(org)}})
		if err != nil {
			return err
		}
		noted, err := c.fetchedOf(ctx, org)
		if err != nil {
			return err
		}
		keys := map[string]bool{}
		for _, id := range there {
			keys[keyOf(id)] = true
		}
		var docs []versioned
		for _, id := range ids {
			if key := scoped(org, string(id)); keys[key] && at.After(noted[id]) {
				docs = append(docs, versioned{key, fetchedDoc{ID: key, Org: string(org), Event: string(id), At: millis(at)}})
			}
		}
		for chunk := range slices.Chunk(docs, ChunkLinks) {
			if err := replace(ctx, c.fetched, chunk); err != nil {
				return err
			}
		}
		return nil
	})
}

// Fetched tells when each of the org's events was last fetched, as far as that
// was noted.
func (c *Cache) Fetched(ctx context.Context, org turnout.OrgID) (all map[turnout.EventID]time.Time, err error) {
	err = do(ctx, "read ages of events", c.longest, func(ctx context.Context) error {
		all, err = c.fetchedOf(ctx, org)
		return err
	})
	return all, err
}

func (c *Cache) fetchedOf(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]time.Time, error) {
	found, err := find[fetchedDoc](ctx, c.fetched, bson.D{{Key: "o", Value: string(org)}})
	all := map[turnout.EventID]time.Time{}
	for _, d := range found {
		all[turnout.EventID(d.Event)] = instant(d.At)
	}
	return all, err
}

// Invited returns how many links each event of the org has; events without any
// are left out. The server counts an index that holds nothing else, and what
// somebody is writing, or died while writing, is looked at link by link.
func (c *Cache) Invited(ctx context.Context, org turnout.OrgID) (all map[turnout.EventID]int, err error) {
	err = do(ctx, "count links", c.longest, func(ctx context.Context) error {
		unsure, err := find[pendingDoc](ctx, c.pending, bson.D{{Key: "o", Value: string(org)}})
		if err != nil {
			return err
		}
		if all, err = c.count(ctx, org); err != nil {
			return err
		}
		return c.uncount(ctx, unsure, all)
	})
	return all, err
}

// count counts versions of links by event.
func (c *Cache) count(ctx context.Context, org turnout.OrgID) (map[turnout.EventID]int, error) {
	cursor, err := c.links.Aggregate(ctx, driver.Pipeline{
		{{Key: "$match", Value: bson.D{{Key: "o", Value: string(org)}}}},
		{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$e"}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
	})
	if err != nil {
		return nil, err
	}
	var groups []struct {
		Event string `bson:"_id"`
		Links int    `bson:"n"`
	}
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, err
	}
	all := map[turnout.EventID]int{}
	for _, g := range groups {
		all[turnout.EventID(g.Event)] = g.Links
	}
	return all, nil
}

// uncount takes back the versions that are not the newest of their link.
func (c *Cache) uncount(ctx context.Context, unsure []pendingDoc, all map[turnout.EventID]int) error {
	taken := map[string]bool{}
	for _, note := range unsure {
		found, err := find[linkDoc](ctx, c.links, oneOf("k", note.Keys), withoutBody())
		if err != nil {
			return err
		}
		newest := map[string]string{}
		for _, d := range found {
			newest[d.Key] = max(newest[d.Key], d.ID)
		}
		for _, d := range found {
			if d.ID == newest[d.Key] || isGone(d.ID) || taken[d.ID] {
				continue
			}
			taken[d.ID] = true
			event := turnout.EventID(d.Event)
			if all[event]--; all[event] <= 0 {
				delete(all, event)
			}
		}
	}
	return nil
}

// CountLinks returns how many links the org has, over all events.
func (c *Cache) CountLinks(ctx context.Context, org turnout.OrgID) (int, error) {
	invited, err := c.Invited(ctx, org)
	n := 0
	for _, links := range invited {
		n += links
	}
	return n, err
}
