package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// RestoreOptions say what is restored to where.
type RestoreOptions struct {
	// From is a backup's directory.
	From string
	// Keys is another directory that holds KeysFile, if it was moved; empty means
	// none. It is used beside From's and beside the store at To.
	Keys string
	// KeepOrgs keeps orgs that the backup does not know, without their
	// registrations; otherwise their presence refuses the restore.
	KeepOrgs bool
	// To is the path of the store. Whoever uses it must have stopped. A store
	// that is there already is moved aside, never overwritten.
	To string
	// Master reads the master key, which must open every org's keys; it makes none
	// where there is none. Nil checks nothing.
	Master func() (seal.Master, error)
	Logger *slog.Logger
	Now    time.Time
}

// RestoreReport is what became of a restore.
type RestoreReport struct {
	Manifest Manifest
	// Aside is where the store that was at To is now; empty if there was none.
	// It still has its data keys: delete it once it is not needed.
	Aside string
	// Keyrings are the files whose data keys and tombstones were taken over.
	Keyrings []string
	// Erased counts registrations in the backup of people who were forgotten since.
	Erased int
	// Unreadable counts registrations that nothing opens, though nobody forgot
	// their person: a keyring is missing. Restoring again with it reads them.
	Unreadable int
	// Due counts registrations that will be delivered, maybe once more.
	Due int
	// Miscounted names the pools whose counter differed from the registrations; it
	// was corrected.
	Miscounted []string
}

// Restore makes a store from a backup, its keys and the keyring of the store
// that is there: whoever was forgotten after the backup was made is forgotten in
// it as well (P8), and whatever Salesforce may not have is due again. Events take
// registrations again once the mirror has read them: start it on an empty cache.
// Nothing appears at To unless the keys open and all of the files are right.
func Restore(ctx context.Context, o RestoreOptions) (RestoreReport, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	r := RestoreReport{}
	if err := restore(ctx, o, &r); err != nil {
		return r, wrap("restore", err)
	}
	return r, nil
}

func restore(ctx context.Context, o RestoreOptions, r *RestoreReport) error {
	if err := r.verify(o); err != nil {
		return err
	}
	there, err := stopped(ctx, o.To)
	if err != nil {
		return err
	}
	m := &merge{master: o.Master}
	if there {
		m.present = o.To
		r.Keyrings = append(r.Keyrings, o.To)
	}
	if len(r.Keyrings) == 0 {
		return turnout.Errorf(turnout.CodeNotFound, "restore", "there is neither a store at %s nor %s in %s: without keys nothing can be read; say with --keys where it was moved", o.To, KeysFile, o.From)
	}
	files, err := openKeyrings(append([]string{filepath.Join(o.From, StoreFile)}, r.Keyrings...))
	if err != nil {
		return err
	}
	defer closeKeyrings(files)
	m.backup, m.rings = files[0], files[1:]
	if err := m.agree(ctx, o.KeepOrgs); err != nil {
		return err
	}
	next := o.To + ".restoring"
	defer removeStore(next)
	removeStore(next)
	if err := copyFile(filepath.Join(o.From, StoreFile), next); err != nil {
		return err
	}
	if err := rebuild(ctx, o, next, m, r); err != nil {
		return err
	}
	return r.replace(o, next, there)
}

// verify checks the backup before anything is touched.
func (r *RestoreReport) verify(o RestoreOptions) error {
	text, err := os.ReadFile(filepath.Join(o.From, ManifestFile))
	if err != nil {
		return notABackup(o.From)
	}
	if err := json.Unmarshal(text, &r.Manifest); err != nil {
		return turnout.Wrap(turnout.CodeMalformed, "read manifest", err)
	}
	if err := r.check(o.From, StoreFile); err != nil {
		return err
	}
	ours := filepath.Join(o.From, KeysFile)
	if _, err := os.Stat(ours); err == nil {
		r.Keyrings = append(r.Keyrings, ours)
		if err := r.check(o.From, KeysFile); err != nil {
			return err
		}
	}
	if o.Keys == "" || filepath.Clean(o.Keys) == filepath.Clean(o.From) {
		return nil
	}
	// It may be another backup's: its own manifest may be elsewhere.
	moved := filepath.Join(o.Keys, KeysFile)
	if _, err := os.Stat(moved); err != nil {
		return turnout.Errorf(turnout.CodeNotFound, "read keys", "there is no %s in %s", KeysFile, o.Keys)
	}
	r.Keyrings = append(r.Keyrings, moved)
	return nil
}

// notABackup says which backups are in a directory that is none itself.
func notABackup(dir string) error {
	inside, _ := filepath.Glob(filepath.Join(dir, "*", ManifestFile)) // a bad pattern finds none
	if len(inside) == 0 {
		return turnout.Errorf(turnout.CodeNotFound, "read manifest", "%s is no finished backup", dir)
	}
	for i, path := range inside {
		inside[i] = filepath.Dir(path)
	}
	return turnout.Errorf(turnout.CodeNotFound, "read manifest", "%s is no backup itself; those in it are, from the oldest: %s", dir, strings.Join(inside, ", "))
}

func (r *RestoreReport) check(dir, name string) error {
	sum, err := digestFile(filepath.Join(dir, name))
	if err != nil {
		return turnout.Errorf(turnout.CodeNotFound, "check backup", "%s is missing in %s", name, dir)
	}
	if sum != r.Manifest.Files[name] {
		return turnout.Errorf(turnout.CodeMalformed, "check backup", "%s is not what the manifest says: its digest differs", name)
	}
	return nil
}

// stopped reports whether there is a store at path, and makes sure that nobody
// uses it: leaving WAL mode takes the file alone, and leaves all of it in one file.
func stopped(ctx context.Context, path string) (bool, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	db, err := sql.Open("sqlite", fileURL(path, "_pragma=busy_timeout(1000)"))
	if err != nil {
		return true, err
	}
	var mode string
	err = db.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode)
	switch err = errors.Join(err, db.Close()); {
	case codeOf(err) == turnout.CodeUnavailable, err == nil && mode != "delete":
		return true, turnout.Errorf(turnout.CodeConflict, "restore", "%s is in use; stop every turnout process that uses it first", path)
	case err != nil:
		return true, fmt.Errorf("%s cannot be read; if it is lost, move it away by hand, and the keys are taken from the backup: %w", path, err)
	}
	return true, nil
}

// rebuild makes the copy of the backup right for today.
func rebuild(ctx context.Context, o RestoreOptions, path string, m *merge, r *RestoreReport) (err error) {
	s, err := Open(ctx, Options{Path: path, Logger: o.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.do(ctx, "restore", func(t *tx) error {
		if err := m.write(ctx, t); err != nil {
			return err
		}
		if r.Erased, err = t.replayTombstones(o.Now); err != nil {
			return err
		}
		if r.Miscounted, err = t.recount(o.Now); err != nil {
			return err
		}
		if r.Due, err = t.deliverAgain(o.Now); err != nil {
			return err
		}
		// Limits are the backup's: no event takes registrations before the mirror
		// has read today's (P2).
		return t.exec("UPDATE lanes SET open = 0")
	})
	if err != nil {
		return err
	}
	if r.Unreadable, err = m.unreadable(ctx, s); err != nil {
		return err
	}
	return s.Scrub(ctx)
}

// replace puts the finished store in its place. There is a store at To at any
// moment of it, the old one or the new one.
func (r *RestoreReport) replace(o RestoreOptions, next string, there bool) error {
	if err := syncPath(next); err != nil {
		return err
	}
	if there {
		r.Aside = o.To + ".before-restore-" + o.Now.UTC().Format("20060102T150405.000Z")
		if err := os.Link(o.To, r.Aside); err != nil {
			return turnout.Errorf(turnout.CodeConflict, "restore", "cannot move the present store aside to %s: %v", r.Aside, err)
		}
	}
	return errors.Join(os.Rename(next, o.To), syncPath(filepath.Dir(o.To)))
}

func removeStore(path string) {
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		_ = os.Remove(path + suffix)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(fmt.Errorf("copy backup: %w", err), out.Close())
	}
	return out.Close()
}
