package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/turnout-events/turnout/internal/point"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed schema.sql
var schema string

//go:embed expand.sql
var expand string

//go:embed picture.sql
var picture string

//go:embed place.sql
var place string

const (
	// schemaVersion is PRAGMA user_version. A file of another version is begun
	// anew, since a backfill is simpler than a migration and always right. What
	// can be added without harm to older versions goes into expand.sql instead.
	schemaVersion = 2
	// applicationID is PRAGMA application_id, "TrnC": a foreign database is not taken for ours.
	applicationID = 0x54726e43
)

// errForeign says that the file is a sound database, but not a cache.
var errForeign = errors.New("the file is another application's database; give the cache a path of its own")

// errVersion says that the file was written by another version of Turnout.
var errVersion = errors.New("the cache is of another version")

// file is one open database file.
type file struct {
	path string
	info os.FileInfo
	// read and write are pools of the same file; write has one connection, so
	// that writers of this process wait in line instead of for SQLite's lock.
	read, write *sql.DB
	// links is a third pool, whose connections all belong to point.
	links *sql.DB
	point *point.Pool
	// pass is for who goes through the links in order, and needs no page twice.
	pass *sql.DB

	readEvent, readEvents, readFetched, readInvited, readFaults, readCursor, readPlace, readOrg, readPicture, readPictures *sql.Stmt

	// orgs holds the numbers of orgs, as far as they were asked for.
	orgs sync.Map
}

func openFile(ctx context.Context, path string) (*file, error) {
	made, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite itself would let others read it
	if err != nil {
		return nil, err
	}
	info, err := made.Stat()
	if err = errors.Join(err, made.Close()); err != nil {
		return nil, err
	}
	f := &file{path: path, info: info}
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	if f.write, err = connect(ctx, path, 1, "cache_size(-65536)", "wal_autocheckpoint(16384)"); err == nil {
		err = f.prepareSchema(ctx)
	}
	if err == nil {
		f.read, err = connect(ctx, path, 4, "query_only(1)")
	}
	if err == nil {
		f.links, err = connect(ctx, path, readers, "query_only(1)", "cache_size(-8192)")
	}
	if err == nil {
		f.pass, err = connect(ctx, path, 1, "query_only(1)", "cache_size(-256)")
	}
	if err == nil {
		f.point, err = point.Open(ctx, f.links, readers, "SELECT body FROM link WHERE key = ?")
	}
	if err == nil {
		err = f.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// connect opens a pool and reads back the settings.
func connect(ctx context.Context, path string, connections int, pragmas ...string) (*sql.DB, error) {
	path, err := filepath.Abs(path) // SQLite takes a relative one for a host
	if err != nil {
		return nil, err
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": append([]string{
		"busy_timeout(10000)", "journal_mode(wal)", "synchronous(normal)", "journal_size_limit(67108864)"}, pragmas...)}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	want := []struct{ pragma, value string }{{"journal_mode", "wal"}, {"synchronous", "1"}, {"busy_timeout", "10000"}}
	for _, w := range want {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+w.pragma).Scan(&got); err != nil {
			return nil, errors.Join(fmt.Errorf("read pragma %s: %w", w.pragma, err), db.Close())
		}
		if got != w.value {
			return nil, errors.Join(fmt.Errorf("pragma %s is %q and not %q: put the cache on a local disk", w.pragma, got, w.value), db.Close())
		}
	}
	return db, nil
}

// prepareSchema makes the tables in a new file and checks an old one.
func (f *file) prepareSchema(ctx context.Context) error {
	tx, err := f.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var application, version, tables, invited, places, pictures int
	err = tx.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
		(SELECT count(*) FROM sqlite_schema), (SELECT count(*) FROM sqlite_schema WHERE name = 'invited'),
		(SELECT count(*) FROM sqlite_schema WHERE name = 'place'), (SELECT count(*) FROM sqlite_schema WHERE name = 'picture')`).Scan(
		&application, &version, &tables, &invited, &places, &pictures)
	add := ""
	for _, step := range []struct {
		there int
		sql   string
	}{{invited, expand}, {places, place}, {pictures, picture}} {
		if step.there == 0 {
			add += step.sql
		}
	}
	switch ours := application == applicationID; {
	case err != nil:
		return err
	case ours && version != schemaVersion:
		return errVersion
	case ours && add == "":
		return tx.Commit()
	case !ours && tables > 0:
		return errForeign
	case !ours:
		add = schema + add + fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", applicationID, schemaVersion)
	}
	if _, err = tx.ExecContext(ctx, add); err != nil {
		return fmt.Errorf("make schema: %w", err)
	}
	return tx.Commit()
}

func (f *file) prepare(ctx context.Context) error {
	for _, s := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&f.readEvent, "SELECT slug, sealed, modified FROM event WHERE org = ? AND id = ?"},
		{&f.readEvents, "SELECT id, slug, sealed, modified FROM event WHERE org = ? ORDER BY id"},
		{&f.readFetched, "SELECT id, fetched FROM event WHERE org = ? AND fetched > 0"},
		{&f.readInvited, "SELECT event, links FROM invited WHERE org = ? AND links > 0"},
		{&f.readFaults, "SELECT event, sealed FROM fault WHERE org = ?"},
		{&f.readCursor, "SELECT at FROM cursor WHERE org = ? AND name = ?"},
		{&f.readPlace, "SELECT place FROM place WHERE org = ? AND name = ?"},
		{&f.readPicture, "SELECT sealed FROM picture WHERE org = ? AND name = ?"},
		{&f.readPictures, "SELECT name, at FROM picture WHERE org = ?"},
		{&f.readOrg, "SELECT num FROM org WHERE id = ?"},
	} {
		var err error
		if *s.to, err = f.read.PrepareContext(ctx, s.sql); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return nil
}

// replaced reports whether another file, or none, stands at the path by now.
func (f *file) replaced() bool {
	info, err := os.Stat(f.path)
	return err != nil && errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(info, f.info)
}

func (f *file) close() error {
	f.point.Close()
	var errs []error
	for _, db := range []*sql.DB{f.pass, f.links, f.read, f.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
