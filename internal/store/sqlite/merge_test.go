package sqlite

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// twoBackups makes a store with two backups. Between them person 0 is forgotten,
// person 1 is forgotten and comes back, and people 3 and 4 register; after them
// person 3 is forgotten.
func twoBackups(t *testing.T, dir string) (path string, older, newer BackupReport, anew []byte) {
	t.Helper()
	path = filepath.Join(dir, "turnout.db")
	s := openStore(t, path)
	defer s.Close()
	prepare(t, s, 100)
	for n := range 3 {
		mustAccept(t, s, n)
	}
	older = mustBackup(t, s, filepath.Join(dir, "backups"), start.Add(time.Minute))
	forget := func(n int, at time.Time) {
		t.Helper()
		if _, err := s.Forget(t.Context(), acme, dataKey(n).Person, at); err != nil {
			t.Fatal(err)
		}
	}
	forget(0, start.Add(time.Hour))
	forget(1, start.Add(time.Hour))
	back := acceptance(11)
	back.DataKey = turnout.DataKey{Person: dataKey(1).Person, Wrapped: []byte("a key made after forgetting")}
	back.At = start.Add(2 * time.Hour)
	if _, err := s.Accept(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	mustAccept(t, s, 3)
	mustAccept(t, s, 4)
	newer = mustBackup(t, s, filepath.Join(dir, "backups"), start.Add(3*time.Hour))
	forget(3, start.Add(4*time.Hour))
	return path, older, newer, back.DataKey.Wrapped
}

// hasKey checks a person's key; nil means that there must be none.
func hasKey(t *testing.T, s *Store, person int, want []byte) {
	t.Helper()
	key, err := s.DataKey(t.Context(), acme, dataKey(person).Person)
	switch {
	case want == nil && turnout.CodeOf(err) != turnout.CodeForgotten:
		t.Errorf("P8: the key of person %d is back: %v", person, err)
	case want != nil && (err != nil || !bytes.Equal(key.Wrapped, want)):
		t.Errorf("the key of person %d: %v", person, err)
	}
}

// P8, P1: whichever backup is restored first, a destroyed key stays destroyed
// and every other one is there.
func TestP8RestoringOneBackupAfterAnotherLosesNobody(t *testing.T) {
	dir := t.TempDir()
	path, older, newer, anew := twoBackups(t, dir)
	elsewhere := filepath.Join(dir, "elsewhere", "turnout.db")
	s, _ := mustRestore(t, RestoreOptions{From: older.Dir, To: elsewhere})
	hasKey(t, s, 0, dataKey(0).Wrapped) // nobody here knows of the forgetting yet
	s.Close()

	s, r := mustRestore(t, RestoreOptions{From: newer.Dir, To: elsewhere})
	if r.Unreadable != 0 || len(r.Keyrings) != 2 {
		t.Errorf("report: %+v", r)
	}
	hasKey(t, s, 0, nil)
	hasKey(t, s, 1, anew)
	for _, n := range []int{2, 3, 4} {
		hasKey(t, s, n, dataKey(n).Wrapped)
	}
	s.Close()
	if content, err := os.ReadFile(elsewhere); err != nil || bytes.Contains(content, dataKey(0).Wrapped[:32]) {
		t.Errorf("P8: the restored file holds a destroyed key: %v", err)
	}

	// Back to the older one, and where the last forgetting is known.
	s, r = mustRestore(t, RestoreOptions{From: older.Dir, To: elsewhere, Now: start.AddDate(0, 2, 0)})
	if r.Unreadable != 0 || r.Erased != 2 {
		t.Errorf("report: %+v", r)
	}
	hasKey(t, s, 0, nil)
	hasKey(t, s, 1, anew)
	s.Close()
	s, r = mustRestore(t, RestoreOptions{From: newer.Dir, To: path})
	if r.Unreadable != 0 || r.Erased != 1 {
		t.Errorf("report: %+v", r)
	}
	hasKey(t, s, 3, nil)
	hasKey(t, s, 4, dataKey(4).Wrapped)
}

// Keys that were moved are used beside those of the store that is there.
func TestRestoreSaysWhatIsUnreadableAndTakesMovedKeys(t *testing.T) {
	dir := t.TempDir()
	_, older, newer, _ := twoBackups(t, dir)
	vault := filepath.Join(dir, "vault")
	if err := errors.Join(os.Mkdir(vault, 0o700), os.Rename(filepath.Join(newer.Dir, KeysFile), filepath.Join(vault, KeysFile))); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "new.db")
	s, _ := mustRestore(t, RestoreOptions{From: older.Dir, To: to})
	s.Close()
	r, err := Restore(t.Context(), RestoreOptions{From: newer.Dir, To: to, Now: start})
	if err != nil || r.Unreadable != 2 { // people 3 and 4
		t.Fatalf("report: %+v, %v", r, err)
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: newer.Dir, Keys: dir, To: to, Now: start}); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Errorf("no keys where they were said to be: %v", err)
	}
	s, r = mustRestore(t, RestoreOptions{From: newer.Dir, Keys: vault, To: to})
	if r.Unreadable != 0 {
		t.Errorf("report: %+v", r)
	}
	hasKey(t, s, 4, dataKey(4).Wrapped)
	hasKey(t, s, 0, nil)
}

// sealed makes a store under a master key, with one registration, and backs it up.
func sealed(t *testing.T, path string, master func() (seal.Master, error)) BackupReport {
	t.Helper()
	s := openStore(t, path)
	defer s.Close()
	prepare(t, s, 10)
	ring, err := seal.NewKeyring(s, master).Ring(t.Context(), string(acme))
	if err != nil {
		t.Fatal(err)
	}
	a := acceptance(1)
	if _, a.DataKey.Wrapped, err = ring.NewDataKey(seal.Subject(a.DataKey.Person)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	return mustBackup(t, s, filepath.Join(filepath.Dir(path), "backups"), start)
}

// away is a KMS that does not answer.
type away struct{ seal.Master }

func (away) Unwrap(context.Context, []byte, []byte) ([]byte, error) {
	return nil, turnout.Errorf(turnout.CodeUnavailable, "unwrap", "no answer")
}

// Without keys that open, nothing is changed.
func TestRestoreRefusesKeysThatDoNotOpen(t *testing.T) {
	dir := t.TempDir()
	made := func(text string) func() (seal.Master, error) {
		return func() (seal.Master, error) { return seal.ParseMaster(text) }
	}
	one, two := seal.NewMasterLine(), seal.NewMasterLine()
	backup := sealed(t, filepath.Join(dir, "turnout.db"), made(one))
	set := filepath.Join(dir, "anew", "turnout.db")
	sealed(t, set, made(two))
	before := digest(t, set)
	for name, c := range map[string]struct {
		master func() (seal.Master, error)
		to     string
		code   turnout.Code
		words  string
	}{
		"no master key":    {func() (seal.Master, error) { return nil, errors.New("the file is missing") }, "new.db", turnout.CodeMisconfigured, "put master key "},
		"another one":      {made(two), "new.db", turnout.CodeMisconfigured, "not in the master key file"},
		"a KMS is away":    {func() (seal.Master, error) { return away{}, nil }, "new.db", turnout.CodeUnavailable, "no answer"},
		"an org set anew":  {made(one + two), "anew/turnout.db", turnout.CodeConflict, "it was set up anew"},
		"all is as it was": {made(two + one), "good.db", "", ""},
	} {
		to := filepath.Join(dir, c.to)
		r, err := Restore(t.Context(), RestoreOptions{From: backup.Dir, To: to, Master: c.master, Now: start})
		if turnout.CodeOf(err) != c.code || (err != nil && !strings.Contains(err.Error(), c.words)) {
			t.Errorf("%s: %v", name, err)
		}
		if _, there := os.Stat(filepath.Join(dir, "new.db")); there == nil {
			t.Errorf("%s: something was restored", name)
		}
		if err == nil && r.Unreadable != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if s := openStore(t, set); digest(t, set) != before && count(t, s, "SELECT count(*) FROM registrations") != 1 {
		t.Error("the store that was there has changed")
	} else {
		s.Close()
	}
}

// A store of other orgs is no place to restore to by accident.
func TestRestoreRefusesAStoreOfOtherOrgs(t *testing.T) {
	dir := t.TempDir()
	backup := func(path string, o turnout.Org) BackupReport {
		t.Helper()
		s := openStore(t, path)
		defer s.Close()
		if err := s.SetOrg(t.Context(), o, []byte("s"), start); err != nil {
			t.Fatal(err)
		}
		return mustBackup(t, s, filepath.Join(dir, "backups", string(o.ID)), start)
	}
	path := filepath.Join(dir, "turnout.db")
	backup(path, turnout.Org{ID: acme, Mapping: "turnout", Hosts: []string{"events.acme.example"}})
	for _, c := range []struct {
		org   turnout.Org
		keep  bool
		words string
	}{
		{turnout.Org{ID: "beta", Hosts: []string{"beta.example"}}, false, "the backup does not know org acme"},
		{turnout.Org{ID: "gamma", Hosts: []string{"Events.acme.example"}}, false, "host events.acme.example is org acme in"},
		{turnout.Org{ID: "delta", Hosts: []string{"Events.acme.example"}}, true, "and org delta in the backup"},
		{turnout.Org{ID: "epsilon", Hosts: []string{"epsilon.example"}}, true, ""},
	} {
		b := backup(filepath.Join(dir, string(c.org.ID)+".db"), c.org)
		_, err := Restore(t.Context(), RestoreOptions{From: b.Dir, To: path, KeepOrgs: c.keep, Now: start})
		if c.words == "" {
			if err != nil {
				t.Errorf("%s: %v", c.org.ID, err)
			}
			continue
		}
		if turnout.CodeOf(err) != turnout.CodeConflict || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v, want %q", c.org.ID, err, c.words)
		}
		if aside, _ := filepath.Glob(path + ".before-restore-*"); len(aside) > 0 {
			t.Errorf("%s: the store was moved", c.org.ID)
		}
	}
	s := openStore(t, path)
	defer s.Close()
	if orgs, err := s.Orgs(t.Context()); err != nil || len(orgs) != 2 {
		t.Errorf("both orgs are there: %v, %v", orgs, err)
	}
}

// A master key that was retired since is needed by nobody: what another file
// has under a newer one opens.
func TestRestoreNeedsNoRetiredMasterKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "turnout.db")
	old, now := seal.NewMasterLine(), seal.NewMasterLine()
	older := sealed(t, path, func() (seal.Master, error) { return seal.ParseMaster(old) })
	s := openStore(t, path)
	if err := seal.NewKeyring(s, func() (seal.Master, error) { return seal.ParseMaster(now + old) }).RewrapScope(t.Context(), string(acme)); err != nil {
		t.Fatal(err)
	}
	newer := mustBackup(t, s, filepath.Join(dir, "backups"), start.Add(time.Hour))
	s.Close()
	only := func() (seal.Master, error) { return seal.ParseMaster(now) }
	for name, o := range map[string]RestoreOptions{
		"with the present store":  {From: older.Dir, To: path},
		"with the newer keys":     {From: older.Dir, Keys: newer.Dir, To: filepath.Join(dir, "new.db")},
		"older keys beside newer": {From: newer.Dir, Keys: older.Dir, To: filepath.Join(dir, "newer.db")},
	} {
		o.Master, o.Now = only, start
		if r, err := Restore(t.Context(), o); err != nil || r.Unreadable != 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: older.Dir, To: filepath.Join(dir, "no.db"), Master: only, Now: start}); turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Errorf("with nothing but the old wrapping: %v", err)
	}
}
