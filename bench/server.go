// Package bench measures Turnout beside floor servers in the same run: ratios,
// since machines are shared and noisy (DESIGN.md, "Measuring").
//
// Each server is a process of its own, so that its CPU time can be told from
// the load generator's: the test binary runs itself again.
package bench

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	cachedb "github.com/turnout-events/turnout/internal/cache/sqlite"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/compact"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/groupcommit"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/pace"
	"github.com/turnout-events/turnout/internal/seal"
	storedb "github.com/turnout-events/turnout/internal/store/sqlite"
	"github.com/turnout-events/turnout/internal/web"
	"github.com/turnout-events/turnout/internal/web/page"

	_ "modernc.org/sqlite" // the floor's engine
)

const (
	org    turnout.OrgID   = "bench"
	event  turnout.EventID = "a00000000000001AAA"
	slug                   = "congress"
	host                   = "bench.localhost"
	ticket                 = "std"
)

// Serve runs one of the servers in this process until SIGTERM and prints its
// address: floor, byhand, static, or the product as accept, links or few. As instance it
// is `turnout serve` instead, whose ready file dir is. With a profile directory it leaves
// a CPU profile there.
func Serve(kind, dir, profile string, out io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if profile != "" {
		f, err := os.Create(filepath.Join(profile, kind+".prof"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var h http.Handler
	var err error
	switch kind {
	case "instance": // of which dir is the ready file
		return instance(ctx, dir)
	case "floor":
		h, err = floor(dir)
	case "byhand":
		h, err = byHand(dir)
	case "static":
		h, err = static(dir)
	default:
		h, err = product(ctx, dir)
	}
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, l.Addr())
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// instance is `turnout serve`, which tells where it serves in the file ready.
func instance(ctx context.Context, ready string) error {
	environ := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TURNOUT_BENCH_") })
	cfg, err := config.Load("", environ)
	if err != nil {
		return err
	}
	return app.Serve(ctx, cfg, slog.New(slog.NewTextHandler(os.Stderr, nil)), ready)
}

// floor is the least that accepts durably: a handler that reads the body and
// inserts 600 bytes through the same group-commit writer.
func floor(dir string) (http.Handler, error) {
	ctx := context.Background()
	conn, err := durable(ctx, filepath.Join(dir, "floor.db"), "CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
	if err != nil {
		return nil, err
	}
	insert, err := conn.PrepareContext(ctx, "INSERT INTO rows (body) VALUES (?)")
	if err != nil {
		return nil, err
	}
	commit := func(bodies [][]byte) []error {
		err := func() error {
			if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
				return err
			}
			for _, b := range bodies {
				if _, err := insert.ExecContext(ctx, b); err != nil {
					return err
				}
			}
			_, err := conn.ExecContext(ctx, "COMMIT")
			return err
		}()
		if err == nil {
			return nil
		}
		errs := make([]error, len(bodies))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	w := groupcommit.New(commit, groupcommit.Options{})
	go w.Run()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 64<<10))
		body := make([]byte, 600)
		_, _ = rand.Read(body)
		if err := w.Do(r.Context(), body); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		rw.Header().Set("Location", "/registrations/x")
		rw.WriteHeader(http.StatusSeeOther)
	}), nil
}

// durable is a connection to a new file, for a floor's writer.
func durable(ctx context.Context, path, schema string, pragmas ...string) (*sql.Conn, error) {
	name := "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"
	for _, p := range pragmas {
		name += "&_pragma=" + p
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	_, err = conn.ExecContext(ctx, schema)
	return conn, err
}

// static writes the bytes of a link page, as the product did when dir was made.
func static(dir string) (http.Handler, error) {
	body, err := os.ReadFile(filepath.Join(dir, "link.html"))
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write(body)
	}), nil
}

// product is Turnout's pages over its engines in dir, as an instance has them.
func product(ctx context.Context, dir string) (http.Handler, error) {
	store, err := storedb.Open(ctx, storedb.Options{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		return nil, err
	}
	cache, err := cachedb.Open(ctx, cachedb.Options{Path: filepath.Join(dir, "cache.db")})
	if err != nil {
		return nil, err
	}
	keyring := newKeyring(store, dir)
	in := intake.New(intake.Options{Store: store, Keys: store, Keyring: keyring})
	pages, err := web.NewRenderer(page.Options{})
	if err != nil {
		return nil, err
	}
	c := catalog.New(catalog.Options{Orgs: store, Cache: cache, Seats: store, Feed: store, Keyring: keyring, Renderer: pages, Logger: slog.New(slog.DiscardHandler)})
	paper, err := compact.Unnamed(dir)
	if err != nil {
		return nil, err
	}
	links := catalog.NewLinks(catalog.LinksOptions{
		Cache: cache, Keys: store, Keyring: keyring, Paper: paper, Bytes: 512 << 20, Stock: &catalog.Stock{Orgs: store, Links: cache, Keys: store},
	})
	c.Follow(links.Hear)
	if err := c.Load(ctx); err != nil {
		return nil, err
	}
	go func() { _ = c.Run(ctx) }()
	go func() { _ = pace.Run(ctx) }()
	if err := links.ReadAhead(ctx); err != nil { // as an instance that has run for a while
		return nil, err
	}
	w, err := web.New(web.Options{Catalog: c, Links: links, Intake: in, Pages: pages})
	if err != nil {
		return nil, err
	}
	return w.Handler(), nil
}

func newKeyring(store *storedb.Store, dir string) *seal.Keyring {
	return seal.NewKeyring(store, func() (seal.Master, error) {
		m, _, err := seal.OpenMaster(filepath.Join(dir, "master.key"))
		if err != nil {
			return nil, err
		}
		return m, nil
	})
}

// prepare fills dir with an org, an event and links.
func prepare(ctx context.Context, dir string, links int) error {
	store, err := storedb.Open(ctx, storedb.Options{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		return err
	}
	defer store.Close()
	cache, err := cachedb.Open(ctx, cachedb.Options{Path: filepath.Join(dir, "cache.db")})
	if err != nil {
		return err
	}
	defer cache.Close()
	now := time.Now()
	if err := store.SetOrg(ctx, turnout.Org{ID: org, Name: "Bench", Mapping: "turnout", Zone: "UTC"}, []byte{0}, now); err != nil {
		return err
	}
	ring, err := newKeyring(store, dir).Ring(ctx, string(org))
	if err != nil {
		return err
	}
	e := congress(now)
	plain, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := store.SetLedger(ctx, turnout.LedgerOf(org, e), now); err != nil {
		return err
	}
	if err := cache.PutEvent(ctx, org, event, slug, ring.Seal(plain, "event", string(event)), now); err != nil {
		return err
	}
	const chunk = 2000
	for from := 0; from < links; from += chunk {
		if err := fill(ctx, store, cache, ring, from, min(chunk, links-from), now); err != nil {
			return err
		}
	}
	return nil
}

func fill(ctx context.Context, store *storedb.Store, cache *cachedb.Cache, ring *seal.Ring, from, n int, now time.Time) error {
	keys := make([]turnout.DataKey, n)
	batch := make([]turnout.AttendeeLink, n)
	for i := range n {
		invite := turnout.Invite{Record: "a02000000000001AAA", Person: turnout.Person{
			FirstName: "Test", LastName: fmt.Sprintf("Person %d", from+i), Email: fmt.Sprintf("p%d@example.com", from+i), Title: "Head of Testing", Company: "Example Company Ltd",
		}}
		plain, err := json.Marshal(invite)
		if err != nil {
			return err
		}
		subject := ring.Index(invite.Person.Email)
		dk, wrapped, err := ring.NewDataKey(subject)
		if err != nil {
			return err
		}
		id := turnout.LinkID(ring.MAC("link", tokenOf(from+i))[:16])
		keys[i] = turnout.DataKey{Person: subject, Wrapped: wrapped}
		batch[i] = turnout.AttendeeLink{ID: id, Org: org, Event: event, Person: subject, Changed: now, Sealed: dk.Seal(plain, "link", string(id[:]))}
	}
	if _, err := store.EnsureDataKeys(ctx, org, keys); err != nil {
		return err
	}
	return cache.PutLinks(ctx, batch)
}

func tokenOf(i int) string { return fmt.Sprintf("benchmark-token-%08d", i) }

func congress(now time.Time) *turnout.Event {
	return &turnout.Event{
		ID: event, Slug: slug, Version: "1", Title: "A Congress", Summary: "Two days of talks.", Body: "<p>Two days of talks and walks, with supper.</p>",
		Starts: now.Add(30 * 24 * time.Hour), Ends: now.Add(31 * 24 * time.Hour), Zone: "Europe/Vienna", Venue: "Hall", Address: "1 Example Street",
		Seats: turnout.Unlimited, MaxGuests: 2,
		Tickets: []turnout.Ticket{{ID: ticket, Name: "Standard", Seats: 100_000_000}, {ID: "vip", Name: "VIP", Seats: 50}},
		Agenda:  []turnout.AgendaItem{{ID: "tour", Name: "Tour", Seats: 100_000_000}, {ID: "talk", Name: "Talk", Seats: turnout.Unlimited}},
		Form: turnout.Form{Version: "1", Questions: []turnout.Question{
			{ID: "diet", Label: "What do you eat?", Kind: turnout.KindChoice, Required: true, Choices: []string{"Everything", "Vegetarian"}},
			{ID: "note", Label: "Anything else?", Kind: turnout.KindLongText},
		}},
	}
}
