package transfer_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/pgtest"
	"github.com/turnout-events/turnout/internal/store/postgres"
	"github.com/turnout-events/turnout/internal/store/sqlite"
	"github.com/turnout-events/turnout/internal/store/storetest"
	"github.com/turnout-events/turnout/internal/store/transfer"
)

var server string // of PostgreSQL; empty where there is none

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	c, err := pgtest.Start(context.Background())
	if pgtest.Missing(err) {
		return m.Run() // which skips
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Stop(context.Background())
	server = c.URL()
	return m.Run()
}

// spot is where a store is.
type spot struct {
	name string
	// tables lists its tables.
	tables string
	open   func(t *testing.T) (storetest.Store, error)
	side   func(t *testing.T, target bool) *transfer.Side
	// again opens a database to be copied from.
	again func() (*transfer.Side, error)
}

// file is a place for an embedded store.
func file(t *testing.T) spot {
	path := filepath.Join(t.TempDir(), "store.db")
	return spot{
		name: "SQLite", tables: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
		open: func(t *testing.T) (storetest.Store, error) {
			s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		side: func(t *testing.T, target bool) *transfer.Side {
			s, err := sqlite.OpenTransfer(t.Context(), path, target)
			return opened(t, s, err)
		},
	}
}

// database is a place for a store in PostgreSQL.
func database(t *testing.T) spot {
	if server == "" {
		pgtest.Need(t, pgtest.ErrMissing)
	}
	schema := fmt.Sprintf("turnout_%x", sha256.Sum256([]byte(t.TempDir())))[:30]
	conn, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	url := server + "&search_path=" + schema
	if !strings.Contains(server, "?") {
		url = server + "?search_path=" + schema
	}
	return spot{
		name: "PostgreSQL", tables: "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
		open: func(t *testing.T) (storetest.Store, error) {
			s, err := postgres.Open(t.Context(), postgres.Options{URL: url})
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		side: func(t *testing.T, target bool) *transfer.Side {
			s, err := postgres.OpenTransfer(t.Context(), url, target)
			return opened(t, s, err)
		},
		again: func() (*transfer.Side, error) { return postgres.OpenTransfer(t.Context(), url, false) },
	}
}

func opened(t *testing.T, s *transfer.Side, err error) *transfer.Side {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// store opens it to be used.
func (p spot) store(t *testing.T) storetest.Store {
	t.Helper()
	s, err := p.open(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // may be closed already
	return s
}

const (
	acme turnout.OrgID   = "acme"
	gala turnout.EventID = "701000000000001AAA"
)

var start = time.Date(2030, 3, 1, 9, 0, 0, 0, time.UTC)

// furnish puts something into every table.
func furnish(t *testing.T, s storetest.Store) {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.SetOrg(ctx, turnout.Org{ID: acme, Name: "Acme", Mapping: "turnout"}, []byte("sealed"), start))
	must(s.SetLedger(ctx, turnout.Ledger{Org: acme, Event: gala, Open: true, Pools: []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 10_000_000}}}, start))
	must(s.AddErrands(ctx, acme, []string{"003000000000001AAA", "003000000000002AAA"}))
	for i := range 40 {
		_, err := s.Accept(ctx, acceptance(i))
		must(err)
	}
	_, err := s.Forget(ctx, acme, acceptance(7).DataKey.Person, start)
	must(err)
	_, err = s.AddOrgKeys(ctx, []seal.StoredKey{{Scope: "acme", Purpose: "wrap", Version: 1, Wrapped: []byte("w")}})
	must(err)
	must(s.PutFile(ctx, "certificates/a", []byte("f"), start))
}

func acceptance(n int) turnout.Acceptance {
	sum := sha256.Sum256(fmt.Appendf(nil, "person %d", n))
	return turnout.Acceptance{
		Org: acme, Event: gala, Key: turnout.Key(fmt.Sprintf("key-%05d", n)), Fingerprint: turnout.Fingerprint{byte(n), byte(n >> 8), 1},
		DataKey: turnout.DataKey{Person: turnout.PersonID(sum[:16]), Wrapped: append(sum[:], sum[:]...)}, Status: turnout.StatusRegistered,
		Claims: []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 1}}, Sealed: fmt.Appendf(nil, "sealed %d", n), At: start,
	}
}

// ways are all of one engine to the other, and to the same.
func ways(t *testing.T, do func(t *testing.T, from, to spot)) {
	for name, way := range map[string][2]func(*testing.T) spot{
		"SQLite to PostgreSQL": {file, database}, "PostgreSQL to SQLite": {database, file},
		"SQLite to SQLite": {file, file}, "PostgreSQL to PostgreSQL": {database, database},
	} {
		t.Run(name, func(t *testing.T) { do(t, way[0](t), way[1](t)) })
	}
}

// P1, P2: a store is copied under writes, and moved: whatever was acknowledged is
// in the one that goes on, once, with its seats.
func TestP1CopyUnderWrites(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		source := from.store(t)
		furnish(t, source)
		var acknowledged sync.Map
		var accepted, refused atomic.Int64
		done, failed := make(chan struct{}), make(chan error, 4)
		var writers sync.WaitGroup
		for w := range 4 {
			writers.Go(func() {
				for n := 100 + w; ; n += 4 {
					select {
					case <-done:
						return
					case <-time.After(time.Millisecond): // or there would be more than a test wants to copy
					}
					a, err := source.Accept(context.Background(), acceptance(n))
					switch {
					case err == nil:
						acknowledged.Store(a.Registration.Key, true)
						accepted.Add(1)
					case turnout.CodeOf(err) == turnout.CodeUnavailable:
						refused.Add(1)
					default:
						failed <- err
						return
					}
				}
			})
		}
		passes(t, from, to, failed, &accepted, &refused)
		close(done)
		writers.Wait()
		if refused.Load() == 0 {
			t.Error("the fence refused nobody")
		}
		same(t, from, to)
		if _, err := from.open(t); !errors.As(err, new(transfer.NotInUseError)) {
			t.Errorf("the store that was moved opens: %v", err)
		}
		target := to.store(t)
		n := 39 // furnished, one of them forgotten
		acknowledged.Range(func(key, _ any) bool {
			n++
			if _, err := target.Registration(t.Context(), acme, key.(turnout.Key)); err != nil {
				t.Errorf("%s: %v", key, err)
			}
			return true
		})
		seats, err := target.Seatings(t.Context(), acme)
		if got := seats[gala][turnout.PoolEvent].Taken; err != nil || got != n {
			t.Errorf("%d seats are taken by %d registrations (%v)", got, n, err)
		}
		if _, err := target.Accept(t.Context(), acceptance(90_000)); err != nil {
			t.Errorf("the store that took its place takes nobody: %v", err)
		}
	})
}

// passes copies while writers write, three times, and then for good.
func passes(t *testing.T, from, to spot, failed <-chan error, accepted, refused *atomic.Int64) {
	t.Helper()
	until := func(enough func() bool) {
		t.Helper()
		for !enough() {
			select {
			case err := <-failed:
				t.Fatalf("accept: %v", err)
			case <-time.After(time.Millisecond):
			}
		}
	}
	a, b := from.side(t, false), to.side(t, true)
	for i := range 3 {
		before := accepted.Load()
		until(func() bool { return accepted.Load() >= before+50 })
		if _, err := transfer.Copy(t.Context(), a, b, transfer.Options{}); err != nil {
			t.Fatalf("copy %d: %v", i, err)
		}
	}
	r, err := transfer.Copy(t.Context(), a, b, transfer.Options{Finish: true})
	if err != nil || !r.Finished {
		t.Fatalf("finish: %v", err)
	}
	until(func() bool { return refused.Load() > 0 })
}

// Copying again writes only what differs, whatever broke off before, and brings
// over what is no longer there, too: a key of somebody who was forgotten (P8).
func TestP8CopyAgain(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		source := from.store(t)
		furnish(t, source)
		a, b := from.side(t, false), to.side(t, true)
		broken, cancel := context.WithCancel(t.Context())
		_, err := transfer.Copy(broken, a, b, transfer.Options{Progress: func(c transfer.Copied) {
			if c.Table == "people" {
				cancel()
			}
		}})
		if err == nil {
			t.Fatal("it did not break off")
		}
		total(t, a, b, 40+10, 0) // nearly all of it, once more
		total(t, a, b, 0, 0)
		if _, err := source.Forget(t.Context(), acme, acceptance(8).DataKey.Person, start); err != nil {
			t.Fatal(err)
		}
		r := total(t, a, b, 3, 1)
		for _, c := range r.Tables {
			if c.Table == "people" && c.Dropped != 1 {
				t.Errorf("%d keys are dropped", c.Dropped)
			}
		}
		if _, err := to.open(t); !errors.As(err, new(transfer.NotInUseError)) {
			t.Errorf("a copy that was not finished opens: %v", err)
		}
	})
}

// total copies, and expects about so many rows to be written.
func total(t *testing.T, a, b *transfer.Side, put, dropped int64) transfer.Report {
	t.Helper()
	r, err := transfer.Copy(t.Context(), a, b, transfer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var puts, drops int64
	for _, c := range r.Tables {
		puts, drops = puts+c.Put, drops+c.Dropped
	}
	if (put == 0) != (puts == 0) || puts > put || drops != dropped {
		t.Errorf("%d rows were written and %d dropped, not %d and %d", puts, drops, put, dropped)
	}
	return r
}

// There and back: what was moved away may be moved back, and not overwritten by mistake.
func TestMoveBack(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		first := from.store(t)
		furnish(t, first)
		_ = first.Close()
		a, b := from.side(t, false), to.side(t, true)
		finish := func(a, b *transfer.Side) error {
			_, err := transfer.Copy(t.Context(), a, b, transfer.Options{Finish: true})
			return err
		}
		if err := finish(a, b); err != nil {
			t.Fatal(err)
		}
		second := to.store(t)
		if _, err := second.Accept(t.Context(), acceptance(50)); err != nil {
			t.Fatal(err)
		}
		refuses(t, "what happened since", func() error { return finish(a, b) })
		refuses(t, "copy that one back", func() error { return transfer.Cancel(t.Context(), a) })
		if err := finish(b, a); err != nil {
			t.Fatal(err)
		}
		if _, err := from.store(t).Registration(t.Context(), acme, "key-00050"); err != nil {
			t.Error(err)
		}
		if _, err := second.Accept(t.Context(), acceptance(51)); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("the store that was moved takes somebody: %v", err)
		}
	})
}

func refuses(t *testing.T, word string, do func() error) {
	t.Helper()
	if err := do(); err == nil || !strings.Contains(err.Error(), word) {
		t.Errorf("%v, which does not say %q", err, word)
	}
}

func TestRefusals(t *testing.T) {
	used, other := file(t), file(t)
	furnish(t, used.store(t))
	if err := other.store(t).SetOrg(t.Context(), turnout.Org{ID: "umbrella", Name: "U", Mapping: "turnout"}, []byte("x"), start); err != nil {
		t.Fatal(err)
	}
	a, b, c := used.side(t, false), other.side(t, true), file(t)
	copies := func(from, to *transfer.Side) func() error {
		return func() error {
			_, err := transfer.Copy(t.Context(), from, to, transfer.Options{})
			return err
		}
	}
	refuses(t, "is in use", copies(a, b))
	empty := c.side(t, true)
	if err := copies(a, empty)(); err != nil {
		t.Fatal(err)
	}
	refuses(t, "belongs to another installation", copies(b, empty))
	refuses(t, "is a copy that was not finished", copies(empty, file(t).side(t, true)))
	refuses(t, "nothing to cancel", func() error { return transfer.Cancel(t.Context(), empty) })
	if err := transfer.Cancel(t.Context(), a); err != nil {
		t.Error(err)
	}
	if _, err := sqlite.OpenTransfer(t.Context(), filepath.Join(t.TempDir(), "none.db"), false); err == nil {
		t.Error("a source is made where there is none")
	}
}

// Whatever both schemas have is copied, or is said to stay behind.
func TestEveryColumnIsCopied(t *testing.T) {
	sides := map[string]*transfer.Side{"SQLite": file(t).side(t, true)}
	if server != "" {
		sides["PostgreSQL"] = database(t).side(t, true)
	}
	want := map[string][]string{}
	for _, table := range transfer.Tables() {
		for _, c := range table.Columns {
			want[table.Name] = append(want[table.Name], c.Name)
		}
		want[table.Name] = append(want[table.Name], transfer.Left()[table.Name]...)
		slices.Sort(want[table.Name])
	}
	for name, side := range sides {
		for table, columns := range want {
			rows, err := side.DB.QueryContext(t.Context(), "SELECT * FROM "+table+" WHERE 1 = 0")
			if err != nil {
				t.Fatal(err)
			}
			got, err := rows.Columns()
			err = errors.Join(err, rows.Err(), rows.Close())
			slices.Sort(got)
			if err != nil || !slices.Equal(got, columns) {
				t.Errorf("%s: %s has %v, and %v are copied (%v)", name, table, got, columns, err)
			}
		}
	}
}

// A file with nothing in it, as one that says when sessions were ended, is copied
// as that.
func TestEmptyFilesAreCopied(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		source := from.store(t)
		furnish(t, source)
		if err := source.PutFile(t.Context(), "sessions/acme", nil, start); err != nil {
			t.Fatal(err)
		}
		if _, err := transfer.Copy(t.Context(), from.side(t, false), to.side(t, true), transfer.Options{Finish: true}); err != nil {
			t.Fatal(err)
		}
		files, err := to.store(t).Files(t.Context(), "sessions/")
		if err != nil || len(files) != 1 || !files[0].Modified.Equal(start) {
			t.Errorf("it has %v (%v)", files, err)
		}
	})
}
