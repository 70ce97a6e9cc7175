package mongo

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/turnout-events/turnout"
)

const (
	// ChunkLinks is how many links are written at once at most, which is half a megabyte.
	ChunkLinks = 1000
	// chunksAtOnce is how many chunks of one call are under way, so that the
	// server does not wait for the wire.
	chunksAtOnce = 4
	// removalsKept is how long the removal of a link is kept in mind. No copy that
	// was read before is that late.
	removalsKept = 30 * 24 * time.Hour
)

// never is when links expire that are there.
func never() time.Time { return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC) }

// linkDoc is a version of a link, or of its removal, which has neither org nor
// event nor person: it counts for none, and nobody is to be forgotten in it. All
// fields are there in every document.
type linkDoc struct {
	ID      string    `bson:"_id"`
	Key     string    `bson:"k"`
	Org     string    `bson:"o"`
	Event   string    `bson:"e"`
	Person  string    `bson:"p"`
	Sealed  []byte    `bson:"s"`
	Expires time.Time `bson:"x"`
}

func linkKey(org turnout.OrgID, id turnout.LinkID) string {
	return scoped(org, base64.RawURLEncoding.EncodeToString(id[:]))
}

func personKey(org turnout.OrgID, id turnout.PersonID) string {
	return scoped(org, base64.RawURLEncoding.EncodeToString(id[:]))
}

// PutLinks stores links; one whose Changed is older than what is there is left
// out, and so is one that is no newer than its own removal. It writes 1,000 links
// at a time: after an error, some may be stored.
func (c *Cache) PutLinks(ctx context.Context, links []turnout.AttendeeLink) error {
	return c.writeLinks(ctx, "store links", links, func(l *turnout.AttendeeLink) versioned {
		key := linkKey(l.Org, l.ID)
		id := timed(key, l.Changed, kindThere)
		return versioned{id, linkDoc{ID: id, Key: key, Org: string(l.Org), Event: string(l.Event),
			Person: personKey(l.Org, l.Person), Sealed: blob(l.Sealed), Expires: never()}}
	})
}

// DeleteLinks removes links as of their Changed; they need not be there. One
// that changed later stays. Only Org, ID and Changed count, and they are kept for
// thirty days, so that a copy that was read before does not bring the link back.
func (c *Cache) DeleteLinks(ctx context.Context, links []turnout.AttendeeLink) error {
	expires := c.now().Add(removalsKept)
	return c.writeLinks(ctx, "remove links", links, func(l *turnout.AttendeeLink) versioned {
		key := linkKey(l.Org, l.ID)
		id := timed(key, l.Changed, kindGone)
		return versioned{id, linkDoc{ID: id, Key: key, Sealed: []byte{}, Expires: expires}}
	})
}

func (c *Cache) writeLinks(ctx context.Context, op string, links []turnout.AttendeeLink, doc func(*turnout.AttendeeLink) versioned) error {
	byOrg := map[turnout.OrgID]map[string]versioned{}
	for i := range links {
		if byOrg[links[i].Org] == nil {
			byOrg[links[i].Org] = map[string]versioned{}
		}
		d := doc(&links[i])
		byOrg[links[i].Org][d.id] = d // of two of the same age the later one
	}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(chunksAtOnce)
	for org, docs := range byOrg {
		for chunk := range slices.Chunk(inOrder(docs), ChunkLinks) {
			all.Go(func() error {
				return do(ctx, op, c.longest, func(ctx context.Context) error { return c.writeChunk(ctx, org, chunk) })
			})
		}
	}
	return all.Wait()
}

// inOrder are documents by their _ids, so that a chunk touches parts of the
// index that lie beside each other.
func inOrder(docs map[string]versioned) []versioned {
	list := make([]versioned, 0, len(docs))
	for _, d := range docs {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b versioned) int { return cmp.Compare(a.id, b.id) })
	return list
}

// pendingDoc says of which links there may be several versions, because whoever
// was writing them has not come to the end: Invited looks at them one by one, and
// the sweeper finishes what a process that died has left.
type pendingDoc struct {
	ID   string    `bson:"_id"`
	Org  string    `bson:"o"`
	At   time.Time `bson:"at"`
	Keys []string  `bson:"keys"`
}

func (c *Cache) writeChunk(ctx context.Context, org turnout.OrgID, docs []versioned) error {
	note := pendingDoc{ID: rand.Text(), Org: string(org), At: c.now()}
	for _, d := range docs {
		note.Keys = append(note.Keys, keyOf(d.id))
	}
	if _, err := c.pending.InsertOne(ctx, note); err != nil {
		return err
	}
	if err := put(ctx, c.links, docs); err != nil {
		return err
	}
	_, err := c.pending.DeleteOne(ctx, byID(note.ID))
	return err
}

// Link returns one link, or CodeNotFound.
func (c *Cache) Link(ctx context.Context, org turnout.OrgID, id turnout.LinkID) (turnout.AttendeeLink, error) {
	const op = "read link"
	l := turnout.AttendeeLink{ID: id, Org: org}
	var newest linkDoc
	err := do(ctx, op, c.patience, func(ctx context.Context) error {
		found, err := find[linkDoc](ctx, c.links, bson.D{{Key: "k", Value: linkKey(org, id)}})
		for _, d := range found {
			if d.ID > newest.ID {
				newest = d
			}
		}
		return err
	})
	if err != nil {
		return turnout.AttendeeLink{}, err
	}
	if newest.ID == "" || isGone(newest.ID) {
		return turnout.AttendeeLink{}, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	}
	if l.Changed, err = timeOf(newest.ID); err == nil {
		l.Person, err = personOf(org, newest.Person)
	}
	l.Event, l.Sealed = turnout.EventID(newest.Event), blob(newest.Sealed)
	return l, turnout.Wrap(turnout.CodeInternal, op, err)
}

// personOf reverses personKey.
func personOf(org turnout.OrgID, key string) (id turnout.PersonID, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(key[min(len(key), len(org)+1):])
	copy(id[:], raw)
	return id, err
}

// DeletePerson removes all links of a person (P8), with what older versions of
// them may still be there.
func (c *Cache) DeletePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error {
	return do(ctx, "remove links of a person", c.longest, func(ctx context.Context) error {
		theirs, err := idsOf(ctx, c.links, bson.D{{Key: "p", Value: personKey(org, person)}})
		if err != nil || len(theirs) == 0 {
			return err
		}
		_, newest := split(theirs)
		upTo, keys := map[string]string{}, []string{}
		for _, id := range newest {
			upTo[keyOf(id)] = id
			keys = append(keys, keyOf(id))
		}
		all, err := idsOf(ctx, c.links, oneOf("k", keys))
		if err != nil {
			return err
		}
		return removeAll(ctx, c.links, slices.DeleteFunc(all, func(id string) bool { return id > upTo[keyOf(id)] }))
	})
}

// blob keeps an empty value from becoming null.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// withoutBody reads all of a link but what is sealed.
func withoutBody() *options.FindOptionsBuilder {
	return options.Find().SetProjection(bson.D{{Key: "s", Value: 0}})
}
