// Package sqlite is the embedded store: the truth about registrations, seats,
// deliveries, orgs and keys, in one SQLite file.
//
// What it promises: an acknowledged change is on disk (WAL, synchronous=FULL,
// fsync before the answer, P1); seats and registration change in one
// transaction (P2); a failed commit answers every caller of it and the
// connection is opened anew. One writer goroutine commits concurrent callers
// together. Several processes on one machine may share the file: a lock file
// beside it hands the writer's turn from process to process. What is personal
// comes in sealed; the store never sees a key. A destroyed key is overwritten
// and the write-ahead log emptied (P8); where a reader is in the way, the store
// tries again every two seconds by itself.
//
// Backup copies a store that is in use, Restore makes one from a backup with
// today's data keys and tombstones.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/groupcommit"
	"github.com/turnout-events/turnout/internal/point"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/schema"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Options of a store.
type Options struct {
	// Path of the database file; its directory is made if missing.
	Path   string
	Logger *slog.Logger
	// BatchCap bounds a commit; 0 means groupcommit.DefaultCap.
	BatchCap int
	// Existing opens a store that is there, for commands that only look: it makes
	// and upgrades nothing, and schema.ErrNothing says that there is none.
	Existing bool
	// Ours is shown the wrapped keys of orgs that rest in the store before
	// anything is written; its error refuses a store of another deployment. Nil
	// takes any.
	Ours func(ctx context.Context, keys []seal.StoredKey) error

	// step is called at each step of a commit, for tests that end the process there.
	step func(name string)
}

// Store is the embedded engine. Safe for concurrent use.
type Store struct {
	path   string
	log    *slog.Logger
	reads  *sql.DB
	points *sql.DB // whose connections all belong to hot.point
	passes *sql.DB // for who goes through a table in order, and needs no page twice
	writes *sql.DB
	turn   *turnLock
	writer *groupcommit.Writer[*job]
	step   func(name string)

	// hot are the reads that pages wait for.
	hot hotReads
	// session is the writer goroutine's own.
	session *session
	orgs    orgNumbers
	scrubs  scrubber
	once    sync.Once
	closed  error
}

// Open opens the store, makes or upgrades its schema, and starts its writer,
// which works until Close.
// A setting that the file does not take, a store of another deployment and a
// schema from which a newer version has taken away what this one needs are
// errors and leave the file as it is.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := place(o); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	s := &Store{path: o.Path, log: o.Logger, step: o.step, scrubs: newScrubber()}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", o.Path, err), s.closeFiles())
	}
	s.writer = groupcommit.New(s.commit, groupcommit.Options{Cap: o.BatchCap, Turn: s.takeTurn})
	go s.writer.Run()
	go s.retryScrubs()
	return s, nil
}

// place makes the directory of a store that may be made.
func place(o Options) error {
	if !o.Existing {
		return os.MkdirAll(filepath.Dir(o.Path), 0o700)
	}
	_, err := os.Stat(o.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return schema.ErrNothing
	}
	return err
}

func (s *Store) open(ctx context.Context, o Options) (err error) {
	if s.turn, err = openTurnLock(s.path + ".lock"); err != nil {
		return err
	}
	if err := createPrivate(s.path); err != nil {
		return err
	}
	if s.writes, err = openDB(s.path, 1, false); err != nil {
		return err
	}
	if err := s.turn.lock(); err != nil {
		return err
	}
	err = s.prepare(ctx, o)
	s.turn.unlock()
	if err == nil {
		err = usable(ctx, s.writes)
	}
	if err != nil {
		return err
	}
	if s.session, err = openSession(ctx, s.writes); err != nil {
		return err
	}
	for _, db := range []**sql.DB{&s.reads, &s.points} {
		if *db, err = openDB(s.path, readers, true); err != nil {
			return err
		}
	}
	if s.passes, err = openDB(s.path, 1, true, "cache_size(-256)"); err != nil {
		return err
	}
	return s.prepareHot(ctx)
}

// createPrivate makes a new file that only its owner reads; SQLite gives the
// files beside it the same rights.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// readers is the number of connections of each pool that reads: more than cores
// only wait for each other. Each keeps 8 MiB of pages, which holds the inner
// ones of every index; the rest is in the operating system's cache, once for all.
const readers = 4

// busyTimeout is how long a statement waits for a lock of SQLite's own. The
// writer's turn keeps writers apart, so only maintenance by hand makes it wait.
const busyTimeout = 10 * time.Second

// openDB opens a pool. Pragmas come after those that all have.
func openDB(path string, conns int, readOnly bool, pragmas ...string) (*sql.DB, error) {
	// More cache than 8 MiB costs more than it saves: SQLite walks all of it after most
	// commits, and drops it after another process's (docs/performance.md).
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
		"secure_delete(ON)", "temp_store(MEMORY)", "wal_autocheckpoint(4000)", "cache_size(-8192)",
	}}
	if readOnly {
		q["_pragma"] = append(q["_pragma"], "query_only(ON)")
	}
	q["_pragma"] = append(q["_pragma"], pragmas...)
	db, err := sql.Open("sqlite", fileURL(path, q.Encode()))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// fileURL names a file to SQLite, which takes a relative path for a host.
func fileURL(path, query string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

// wanted are the settings that are read back, since SQLite ignores in silence
// what it cannot do.
func wanted() map[string]string {
	return map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"}
}

func verifyPragmas(ctx context.Context, c *sql.Conn) error {
	for name, want := range wanted() {
		var got string
		if err := c.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
			return fmt.Errorf("read back %s: %w", name, err)
		}
		if got != want {
			return fmt.Errorf("the file does not take %s=%s (it says %s); put the store on a local disk", name, want, got)
		}
	}
	return nil
}

// Now is the time: all who share the file have one clock.
func (s *Store) Now() time.Time { return time.Now() }

// Close finishes what was handed in and closes the file. It may be called twice.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.scrubs.close()
		s.writer.Close()
		s.closed = s.closeFiles()
	})
	return s.closed
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.session != nil {
		errs = append(errs, s.session.close())
	}
	errs = append(errs, s.hot.close())
	for _, db := range []*sql.DB{s.passes, s.points, s.reads, s.writes} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.turn != nil {
		errs = append(errs, s.turn.close())
	}
	return errors.Join(errs...)
}

// codeOf turns an SQLite error into one of ours.
func codeOf(err error) turnout.Code {
	var e *sqlite.Error
	if errors.Is(err, point.ErrClosed) {
		return turnout.CodeUnavailable
	}
	if !errors.As(err, &e) {
		return turnout.CodeOf(err)
	}
	if e.Code() == sqlite3.SQLITE_CONSTRAINT_TRIGGER { // the fence of transfer
		return turnout.CodeUnavailable
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return turnout.CodeNoSpace
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN:
		return turnout.CodeUnavailable
	}
	return turnout.CodeInternal
}

// wrap gives err its code, and keeps one that it already has.
func wrap(op string, err error) error {
	var e *turnout.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	return turnout.Wrap(codeOf(err), op, err)
}
