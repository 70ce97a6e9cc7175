package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// The files of a backup. StoreFile holds everything but what opens the sealed
// parts of it: data keys and tombstones are in KeysFile, which is to be moved
// to another place and kept shortly, so that forgetting reaches old backups.
const (
	StoreFile    = "store.db"
	KeysFile     = "keys.db"
	ManifestFile = "manifest.json"
)

// Manifest says what is in a backup.
type Manifest struct {
	// Schema is the version of the schema of both files.
	Schema int       `json:"schema"`
	Made   time.Time `json:"made"`
	// Files are the SHA-256 digests by file name, in hexadecimal.
	Files map[string]string `json:"files"`
	// Counts are numbers of rows by table.
	Counts map[string]int64 `json:"counts"`
}

// BackupReport is what became of a backup.
type BackupReport struct {
	// Dir is the finished backup.
	Dir string
	Manifest
	// Pinned is how long the write-ahead log could not be shortened, because
	// the backup was reading; it grows by what is written meanwhile.
	Pinned time.Duration
}

// keyTables are what KeysFile has of the store. Orgs and their wrapped keys
// are in both: data keys are told apart by org, and open under the org's key.
// The table meta is about a file's own schema, and made with it. Certificates
// are sealed, and a CA gives only so many a week anew.
func keyTables() []string { return []string{"orgs", "org_keys", "people", "tombstones", "errands"} }

func storeTables() []string {
	return []string{"orgs", "org_keys", "lanes", "seats", "registrations", "edge_files"}
}

// Backup copies the store as it is at one moment into a new directory under
// dir, named after now, while registrations go on. Everything acknowledged
// before it was called is in it. Feed, turns and leases stay behind. The
// directory appears under its name only when it is complete and on disk. A
// second backup into dir waits for the first.
func (s *Store) Backup(ctx context.Context, dir string, now time.Time) (BackupReport, error) {
	final := filepath.Join(dir, "turnout-"+now.UTC().Format("20060102T150405.000Z"))
	r := BackupReport{Dir: final, Manifest: Manifest{Made: now.UTC(), Files: map[string]string{}, Counts: map[string]int64{}}}
	if _, err := os.Lstat(final); err == nil {
		return r, turnout.Errorf(turnout.CodeConflict, "back up", "%s is there already", final)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, turnout.Wrap(turnout.CodeUnavailable, "back up", err)
	}
	lock, err := openTurnLock(filepath.Join(dir, ".lock"))
	if err != nil {
		return r, turnout.Wrap(turnout.CodeUnavailable, "back up", err)
	}
	defer lock.close()
	if err := lock.lock(); err != nil {
		return r, turnout.Wrap(turnout.CodeUnavailable, "back up", err)
	}
	// Nobody else is at it, so what is here was left by a backup that crashed.
	part := filepath.Join(dir, ".partial")
	if err := errors.Join(os.RemoveAll(part), os.Mkdir(part, 0o700)); err != nil {
		return r, turnout.Wrap(turnout.CodeUnavailable, "back up", err)
	}
	defer os.RemoveAll(part)
	if err := s.backup(ctx, part, &r); err != nil {
		return r, wrap("back up", err)
	}
	if err := errors.Join(os.Rename(part, final), syncPath(dir)); err != nil {
		return r, turnout.Wrap(turnout.CodeUnavailable, "back up", err)
	}
	return r, nil
}

func (s *Store) backup(ctx context.Context, dir string, r *BackupReport) error {
	if err := s.copyAll(ctx, dir, r); err != nil {
		return err
	}
	s.step("copied")
	for _, name := range []string{StoreFile, KeysFile} {
		path := filepath.Join(dir, name)
		sum, err := digestFile(path)
		if err == nil {
			err = syncPath(path)
		}
		if err != nil {
			return err
		}
		r.Files[name] = sum
	}
	s.step("digested")
	text, err := json.MarshalIndent(r.Manifest, "", "  ")
	if err != nil {
		return err
	}
	manifest := filepath.Join(dir, ManifestFile)
	if err := os.WriteFile(manifest, append(text, '\n'), 0o600); err != nil {
		return err
	}
	defer s.step("complete")
	return errors.Join(syncPath(manifest), syncPath(dir))
}

// copyAll fills both files from one read transaction. Indexes are made after
// it ended, so that it is short.
func (s *Store) copyAll(ctx context.Context, dir string, r *BackupReport) (err error) {
	for _, name := range []string{StoreFile, KeysFile} {
		if err := newCopy(ctx, filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	db, err := openCopy(filepath.Join(dir, StoreFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	source := fileURL(s.path, "mode=ro")
	if _, err := db.ExecContext(ctx, "ATTACH ? AS keyring", filepath.Join(dir, KeysFile)); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, "ATTACH ? AS source", source); err != nil {
		return err
	}
	indexes, err := dropIndexes(ctx, db)
	if err != nil {
		return err
	}
	if err := copyTables(ctx, db, r); err != nil {
		return err
	}
	for _, index := range indexes {
		if _, err := db.ExecContext(ctx, index); err != nil {
			return fmt.Errorf("index copy: %w", err)
		}
	}
	return db.QueryRowContext(ctx, "PRAGMA main.user_version").Scan(&r.Schema)
}

// newCopy makes an empty store at path.
func newCopy(ctx context.Context, path string) error {
	if err := createPrivate(path); err != nil {
		return err
	}
	db, err := openCopy(path)
	if err != nil {
		return err
	}
	known, err := knownSchema()
	if err == nil {
		err = migrate(ctx, db, known)
	}
	return errors.Join(err, db.Close())
}

// openCopy opens a file that nobody else sees yet: without a journal, since a
// backup that is not finished is thrown away.
func openCopy(path string) (*sql.DB, error) {
	q := url.Values{"_pragma": {"journal_mode(OFF)", "synchronous(OFF)", "busy_timeout(10000)", "temp_store(MEMORY)"}}
	db, err := sql.Open("sqlite", fileURL(path, q.Encode()))
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// dropIndexes takes the indexes off the copy and returns how to make them.
func dropIndexes(ctx context.Context, db *sql.DB) (make []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name, sql FROM main.sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var drop []string
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, err
		}
		drop, make = append(drop, "DROP INDEX main."+name), append(make, text)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, strings.Join(drop, ";"))
	return make, err
}

func copyTables(ctx context.Context, db *sql.DB, r *BackupReport) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	began := time.Now()
	for _, table := range storeTables() {
		if err := copyTable(ctx, tx, "main", table, r); err != nil {
			return err
		}
	}
	for _, table := range keyTables() {
		if err := copyTable(ctx, tx, "keyring", table, r); err != nil {
			return err
		}
	}
	// Leases are of processes that will not be there; fences and feed numbers go on.
	for _, query := range []string{
		"UPDATE main.lanes SET owner = '', lease_until = 0",
		"INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM source.sqlite_sequence WHERE name = 'feed'",
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	err = tx.Commit()
	r.Pinned = time.Since(began)
	return err
}

func copyTable(ctx context.Context, tx *sql.Tx, to, table string, r *BackupReport) error {
	columns, err := columnsOf(ctx, tx, table)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, fmt.Sprintf("INSERT INTO %s.%s (%s) SELECT %s FROM source.%s", to, table, columns, columns, table))
	if err != nil {
		return fmt.Errorf("copy %s: %w", table, err)
	}
	r.Counts[table], err = res.RowsAffected()
	return err
}

func columnsOf(ctx context.Context, tx *sql.Tx, table string) (string, error) {
	var columns string
	err := tx.QueryRowContext(ctx, "SELECT group_concat(name) FROM pragma_table_info(?, 'main')", table).Scan(&columns)
	if err != nil {
		return "", fmt.Errorf("read columns of %s: %w", table, err)
	}
	return columns, nil
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// syncPath makes a file, or the entries of a directory, durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
