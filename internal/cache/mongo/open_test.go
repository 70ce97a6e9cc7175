package mongo

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/turnout-events/turnout"
)

// refusal is what Open says of c's database, which is one line and changes nothing.
func refusal(t *testing.T, c *Cache, o Options, words string) {
	t.Helper()
	before := contents(t, c)
	opened, err := Open(t.Context(), o)
	if err == nil {
		_ = opened.Close()
		t.Fatalf("it was opened, and should say %q", words)
	}
	if turnout.CodeOf(err) != turnout.CodeMisconfigured || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v, want %q", turnout.CodeOf(err), err, words)
	}
	if after := contents(t, c); !maps.EqualFunc(before, after, slices.Equal) {
		t.Errorf("it held %v and holds %v", before, after)
	}
}

// contents are all documents of c's database in some order that is always the
// same, and the names of the indexes, by collection.
func contents(t *testing.T, c *Cache) map[string][]string {
	t.Helper()
	ctx := t.Context()
	names, err := c.db.ListCollectionNames(ctx, bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, name := range names {
		var docs []bson.Raw
		found, err := c.db.Collection(name).Find(ctx, bson.D{})
		if err == nil {
			err = found.All(ctx, &docs)
		}
		if err != nil {
			t.Fatal(err)
		}
		indexes, err := c.db.Collection(name).Indexes().ListSpecifications(ctx)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = []string{}
		for _, doc := range docs {
			all[name] = append(all[name], doc.String())
		}
		for _, index := range indexes {
			all[name] = append(all[name], index.Name)
		}
		slices.Sort(all[name])
	}
	return all
}

// fill puts a document into every collection of the cache.
func fill(t *testing.T, c *Cache) {
	t.Helper()
	for _, in := range []*driver.Collection{c.links, c.events, c.cursors, c.places, c.faults, c.fetched, c.pending} {
		doc := bson.D{{Key: "_id", Value: "acme/" + rand.Text()}, {Key: "o", Value: "acme"}, {Key: "s", Value: []byte("sealed")}}
		if _, err := in.InsertOne(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	url := database(t, t.TempDir())
	c := openCache(t, url)
	ctx := t.Context()
	if err := c.db.Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Collection("precious").InsertOne(ctx, bson.D{{Key: "_id", Value: "x"}}); err != nil {
		t.Fatal(err)
	}
	refusal(t, c, Options{URL: url, Deployment: "tests"}, "something else")
	if names, err := c.db.ListCollectionNames(ctx, bson.D{}); err != nil || !slices.Equal(names, []string{"precious"}) {
		t.Errorf("it was touched: %v, %v", names, err)
	}
}

func TestCacheOfAnotherDeploymentIsRefused(t *testing.T) {
	url := database(t, t.TempDir())
	c := openCache(t, url)
	fill(t, c)
	refusal(t, c, Options{URL: url, Deployment: "others"}, "another deployment's")
	openCache(t, url)
}

func TestSchemasThatCannotBeUsed(t *testing.T) {
	url := database(t, t.TempDir())
	c := openCache(t, url)
	for name, test := range map[string]struct {
		have  metaDoc
		words string
	}{
		"older":          {metaDoc{Version: schemaVersion - 1, Readable: 1}, "name an empty database"},
		"newer":          {metaDoc{Version: schemaVersion + 2, Readable: schemaVersion + 1}, "use the newer program"},
		"newer by a bit": {metaDoc{Version: schemaVersion + 1, Readable: schemaVersion}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.have.ID, test.have.Deployment = metaID, "tests"
			if err := replace(t.Context(), c.db.Collection(metaCollection), []versioned{{metaID, test.have}}); err != nil {
				t.Fatal(err)
			}
			if test.words == "" {
				openCache(t, url)
				return
			}
			fill(t, c)
			refusal(t, c, Options{URL: url, Deployment: "tests"}, test.words)
		})
	}
}

// TestInstancesStartTogether: one claims an empty database, the others find it claimed.
func TestInstancesStartTogether(t *testing.T) {
	url := database(t, t.TempDir())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			c, err := Open(t.Context(), Options{URL: url, Deployment: "tests", Patience: time.Minute})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
		})
	}
	all.Wait()
	openCache(t, url)
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	url := strings.Replace(database(t, t.TempDir()), "mongodb://", "mongodb://nobody:hunter2@", 1)
	if strings.Count(url, "@") > 1 {
		t.Skip("the server that is named has credentials of its own")
	}
	c, err := Open(t.Context(), Options{URL: url, Deployment: "tests"})
	if err == nil {
		_ = c.Close()
		t.Skip("this server asks nobody for credentials")
	}
	if turnout.CodeOf(err) != turnout.CodeMisconfigured || !strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: %v", turnout.CodeOf(err), err)
	}
}

// TestNobodyThere: a wrong address costs no more than patience, and says so.
func TestNobodyThere(t *testing.T) {
	c, err := Open(t.Context(), Options{URL: "mongodb://127.0.0.1:1/turnout", Deployment: "tests", Patience: 100 * time.Millisecond})
	if err == nil {
		_ = c.Close()
		t.Fatal("it was opened")
	}
	if turnout.CodeOf(err) != turnout.CodeUnavailable || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "start it, or mend host and port") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v", turnout.CodeOf(err), err)
	}
}
