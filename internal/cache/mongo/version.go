package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/turnout-events/turnout"
)

// An _id is a key, a slash, sixteen hexadecimal digits and a kind: text that
// sorts as the versions of a key do. Documents are never changed for an older
// version, and reads take the newest, so no two writers need agree on an order,
// and no lease that ran out while its holder slept can bring back what was.

// The kinds of a version. What is removed is newer than what is there of the same time.
const (
	kindThere = '0'
	kindGone  = '1'
)

const suffixLength = len("/") + 16 + 1

// versioned is a document to be put.
type versioned struct {
	id  string
	doc any
}

// timed is the _id of a key as of a time.
func timed(key string, at time.Time, kind rune) string {
	return numbered(key, uint64(millis(at))^1<<63, kind) // times before 1970 come before
}

func numbered(key string, n uint64, kind rune) string { return fmt.Sprintf("%s/%016x%c", key, n, kind) }

func keyOf(id string) string { return id[:max(0, len(id)-suffixLength)] }

func isGone(id string) bool { return id != "" && id[len(id)-1] == kindGone }

// numberOf reverses numbered.
func numberOf(id string) (uint64, error) {
	if len(id) < suffixLength {
		return 0, fmt.Errorf("the cache holds a document %q that is none of Turnout's", id)
	}
	return strconv.ParseUint(id[len(id)-17:len(id)-1], 16, 64)
}

// timeOf reverses timed.
func timeOf(id string) (time.Time, error) {
	n, err := numberOf(id)
	return instant(int64(n ^ 1<<63)), err
}

// millis is t as a number; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant reverses millis.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// scoped is the key of an org's thing. No org's id holds a slash.
func scoped(org turnout.OrgID, id string) string { return string(org) + "/" + id }

// put writes documents and then removes what they replace, in this order: a
// reader finds one version or both, and never none. One that was overtaken is
// removed likewise. Of a document with the same _id the later call wins.
func put(ctx context.Context, in *driver.Collection, docs []versioned) error {
	all, keys := make([]any, len(docs)), make([]string, len(docs))
	for i, d := range docs {
		all[i], keys[i] = d.doc, keyOf(d.id)
	}
	_, err := in.InsertMany(ctx, all, unordered())
	there, err := duplicates(err)
	if err != nil {
		return err
	}
	var again []versioned
	for _, i := range there {
		again = append(again, docs[i])
	}
	if err := replace(ctx, in, again); err != nil {
		return err
	}
	return supersede(ctx, in, keys)
}

// duplicates are the places of documents that are there already, if that is all
// that went wrong.
func duplicates(err error) ([]int, error) {
	var bulk driver.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return nil, err
	}
	var there []int
	for _, e := range bulk.WriteErrors {
		if e.Code != codeDuplicate {
			return nil, err
		}
		there = append(there, e.Index)
	}
	return there, nil
}

// replacedAtOnce is how many replacements one message carries: few, for some messages
// are under way at once, and FerretDB holds one of its hundred connections for each
// replacement of a message until that is done, and waits for ever for the next.
const replacedAtOnce = 10

// replace upserts by _id. Two that insert the same one at once meet a duplicate,
// which is then there to be replaced.
func replace(ctx context.Context, in *driver.Collection, docs []versioned) error {
	for some := range slices.Chunk(docs, replacedAtOnce) {
		var writes []driver.WriteModel
		for _, d := range some {
			writes = append(writes, driver.NewReplaceOneModel().SetFilter(byID(d.id)).SetReplacement(d.doc).SetUpsert(true))
		}
		_, err := in.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		if driver.IsDuplicateKeyError(err) {
			_, err = in.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }

func oneOf(field string, values []string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: values}}}}
}

// supersede removes every version of the keys but the newest.
func supersede(ctx context.Context, in *driver.Collection, keys []string) error {
	ids, err := idsOf(ctx, in, oneOf("k", keys))
	if err != nil {
		return err
	}
	older, _ := split(ids)
	return remove(ctx, in, older)
}

// split parts ids into the newest of each key and the others.
func split(ids []string) (older, newest []string) {
	last := map[string]string{}
	for _, id := range ids {
		last[keyOf(id)] = max(last[keyOf(id)], id)
	}
	for _, id := range ids {
		if id == last[keyOf(id)] {
			newest = append(newest, id)
		} else {
			older = append(older, id)
		}
	}
	return older, newest
}

// idsOf reads the _ids of what a filter finds.
func idsOf(ctx context.Context, in *driver.Collection, filter bson.D, o ...options.Lister[options.FindOptions]) ([]string, error) {
	found, err := find[struct {
		ID string `bson:"_id"`
	}](ctx, in, filter, append(o, options.Find().SetProjection(bson.D{{Key: "_id", Value: 1}}))...)
	ids := make([]string, len(found))
	for i, d := range found {
		ids[i] = d.ID
	}
	return ids, err
}

// find reads all documents that a filter finds.
func find[D any](ctx context.Context, in *driver.Collection, filter bson.D, o ...options.Lister[options.FindOptions]) (all []D, err error) {
	cursor, err := in.Find(ctx, filter, o...)
	if err != nil {
		return nil, err
	}
	err = cursor.All(ctx, &all)
	return all, err
}

// remove deletes by _id.
func remove(ctx context.Context, in *driver.Collection, ids []string) error {
	for chunk := range slices.Chunk(ids, ChunkLinks) {
		if _, err := in.DeleteMany(ctx, oneOf("_id", chunk)); err != nil {
			return err
		}
	}
	return nil
}

// removeAll removes every version of what ids name, the newest last: whoever
// reads in between must not find an older one.
func removeAll(ctx context.Context, in *driver.Collection, ids []string) error {
	older, newest := split(ids)
	if err := remove(ctx, in, older); err != nil {
		return err
	}
	return remove(ctx, in, newest)
}
