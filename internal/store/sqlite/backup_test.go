package sqlite

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

func mustBackup(t testing.TB, s *Store, dir string, now time.Time) BackupReport {
	t.Helper()
	r, err := s.Backup(context.Background(), dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustRestore(t testing.TB, o RestoreOptions) (*Store, RestoreReport) {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = start.AddDate(0, 1, 0)
	}
	r, err := Restore(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, o.To)
	t.Cleanup(func() { s.Close() })
	sound(t, s)
	return s, r
}

// deliver delivers n registrations.
func deliver(t testing.TB, s *Store, n int, now time.Time) {
	t.Helper()
	ctx := context.Background()
	lanes, err := s.Lanes(ctx, now, 1)
	if err != nil || len(lanes) != 1 {
		t.Fatal(lanes, err)
	}
	lease, won, err := s.Claim(ctx, lanes[0].Lane, "test", now, time.Minute)
	if err != nil || !won {
		t.Fatal(won, err)
	}
	batch, err := s.Take(ctx, lease, n, now)
	if err != nil {
		t.Fatal(err)
	}
	var outcomes []turnout.Outcome
	for _, r := range batch {
		outcomes = append(outcomes, turnout.Outcome{Key: r.Key, Revision: r.Revision, Result: turnout.ResultDone, Record: "a01"})
	}
	if err := s.Settle(ctx, lease, outcomes, time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func TestBackupAndRestoreRoundTrip(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	prepare(t, s, 100)
	if _, err := s.AddOrgKeys(ctx, []seal.StoredKey{{Scope: "acme", Purpose: "wrap", Version: 1, Wrapped: []byte("org key")}}); err != nil {
		t.Fatal(err)
	}
	for n := range 30 {
		mustAccept(t, s, n)
	}
	now := start.Add(time.Hour)
	deliver(t, s, 10, now)
	lanes, _ := s.Lanes(ctx, now, 1)
	if _, won, err := s.Claim(ctx, lanes[0].Lane, "gone tomorrow", now, time.Hour); err != nil || !won {
		t.Fatal(won, err)
	}
	if err := s.PutFile(ctx, "certificates/one", []byte("sealed"), now); err != nil {
		t.Fatal(err)
	}
	last, _ := s.LastChange(ctx)
	report := mustBackup(t, s, filepath.Join(dir, "backups"), now)
	if report.Counts["registrations"] != 30 || report.Counts["people"] != 30 || report.Schema != 4 || report.Pinned <= 0 {
		t.Errorf("report: %+v", report)
	}
	if _, err := s.Backup(ctx, filepath.Join(dir, "backups"), now); turnout.CodeOf(err) != turnout.CodeConflict {
		t.Errorf("a second backup of the same moment: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	restored, r := mustRestore(t, RestoreOptions{From: report.Dir, To: filepath.Join(dir, "elsewhere", "turnout.db")})
	if r.Due != 20 || r.Erased != 0 || r.Unreadable != 0 || r.Aside != "" || len(r.Miscounted) != 0 {
		t.Errorf("report: %+v", r)
	}
	s = openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	later := start.AddDate(0, 1, 0)
	for n := range 30 {
		want, err := s.Registration(ctx, acme, acceptance(n).Key)
		if err != nil {
			t.Fatal(err)
		}
		if want.Delivered == 0 {
			want.Due = later
		}
		got, err := restored.Registration(ctx, acme, acceptance(n).Key)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
		key, err := restored.DataKey(ctx, acme, want.Person)
		if err != nil || !bytes.Equal(key.Wrapped, dataKey(n).Wrapped) {
			t.Fatalf("data key %d: %v", n, err)
		}
	}
	a, _ := s.Seatings(ctx, acme)
	b, _ := restored.Seatings(ctx, acme)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("seats were %v and are %v", a, b)
	}
	if now, err := restored.LastChange(ctx); err != nil || now <= last {
		t.Errorf("feed numbers go on at %d, %v; %d was used", now, err, last)
	}
	if keys, err := restored.OrgKeys(ctx, "acme"); err != nil || len(keys) != 1 {
		t.Errorf("org keys: %v, %v", keys, err)
	}
	if value, _, err := restored.File(ctx, "certificates/one"); err != nil || string(value) != "sealed" {
		t.Errorf("the edges' file: %q, %v", value, err)
	}
	deliver(t, restored, 5, later) // the lease stayed behind
	// P2: the limits are the backup's, so nobody is taken before today's are read.
	if _, err := restored.Accept(ctx, acceptance(31)); turnout.CodeOf(err) != turnout.CodeClosed {
		t.Errorf("a restored event takes registrations under old limits: %v", err)
	}
}

func TestP8BackupKeepsKeysApart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	prepare(t, s, 100)
	for n := range 20 {
		mustAccept(t, s, n)
	}
	if _, err := s.Forget(t.Context(), acme, dataKey(0).Person, start); err != nil {
		t.Fatal(err)
	}
	r := mustBackup(t, s, filepath.Join(dir, "backups"), start)
	if err := os.Rename(filepath.Join(r.Dir, KeysFile), filepath.Join(dir, KeysFile)); err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		if found := inFiles(t, r.Dir, dataKey(n).Wrapped); len(found) > 0 {
			t.Fatalf("data key %d: %v", n, found)
		}
	}
	if found := inFiles(t, r.Dir, acceptance(1).Sealed[:64]); len(found) == 0 {
		t.Error("what is sealed is not in the backup")
	}
	keys, err := os.ReadFile(filepath.Join(dir, KeysFile))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(keys, acceptance(1).Sealed[:64]) || bytes.Contains(keys, dataKey(0).Wrapped) || !bytes.Contains(keys, dataKey(1).Wrapped) {
		t.Error("the keys' file holds what it must not, or not what it must")
	}
	for _, path := range []string{r.Dir, filepath.Join(r.Dir, StoreFile), filepath.Join(r.Dir, ManifestFile)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v: others may read it", path, info.Mode(), err)
		}
	}
	if _, err := Restore(t.Context(), RestoreOptions{From: r.Dir, To: filepath.Join(dir, "new.db"), Now: start}); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Errorf("without any keys: %v", err)
	}
	mustRestore(t, RestoreOptions{From: r.Dir, Keys: dir, To: filepath.Join(dir, "new.db")})
}

// Whoever is forgotten today is forgotten in yesterday's backup.
func TestP8ForgottenStaysForgottenAfterRestore(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	path := filepath.Join(dir, "turnout.db")
	s := openStore(t, path)
	prepare(t, s, 3)
	for n := range 3 {
		mustAccept(t, s, n)
	}
	waiting := acceptance(3)
	waiting.Waitlist = true
	if _, err := s.Accept(ctx, waiting); err != nil {
		t.Fatal(err)
	}
	backup := mustBackup(t, s, filepath.Join(dir, "backups"), start)

	forgotAt := start.Add(time.Hour)
	for _, n := range []int{0, 1} {
		if _, err := s.Forget(ctx, acme, dataKey(n).Person, forgotAt); err != nil {
			t.Fatal(err)
		}
	}
	back := acceptance(11) // person 1 comes back
	back.DataKey = turnout.DataKey{Person: dataKey(1).Person, Wrapped: []byte("a key made after forgetting")}
	back.At = forgotAt.Add(time.Hour)
	if _, err := s.Accept(ctx, back); err != nil {
		t.Fatal(err)
	}
	later := mustBackup(t, s, filepath.Join(dir, "backups"), start.Add(2*time.Hour))
	if err := s.SetOrg(ctx, turnout.Org{ID: "beta", Mapping: "turnout"}, []byte("s"), start); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Forget(ctx, "beta", dataKey(7).Person, forgotAt); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, RestoreOptions{From: backup.Dir, To: path, Now: start}); turnout.CodeOf(err) != turnout.CodeConflict {
		t.Fatalf("restoring under a running process: %v", err)
	}
	if err := s.CloseLedger(ctx, acme, "nothing", start); err != nil { // it goes on
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	restored, r := mustRestore(t, RestoreOptions{From: backup.Dir, To: path, KeepOrgs: true})
	if r.Erased != 2 || !slices.Contains(r.Keyrings, path) || r.Aside == "" || r.Unreadable != 0 {
		t.Errorf("report: %+v", r)
	}
	for _, n := range []int{0, 1} {
		got, err := restored.Registration(ctx, acme, acceptance(n).Key)
		if err != nil || got.Status != turnout.StatusCancelled || got.Sealed != nil || !got.Person.IsZero() {
			t.Errorf("%d: %+v, %v", n, got, err)
		}
	}
	if got, err := restored.Registration(ctx, acme, waiting.Key); err != nil || got.Status != turnout.StatusRegistered {
		t.Errorf("the waitlist did not move up: %+v, %v", got, err)
	}
	if _, err := restored.DataKey(ctx, acme, dataKey(0).Person); turnout.CodeOf(err) != turnout.CodeForgotten {
		t.Errorf("a destroyed key is back: %v", err)
	}
	if key, err := restored.DataKey(ctx, acme, dataKey(1).Person); err != nil || !bytes.Equal(key.Wrapped, back.DataKey.Wrapped) {
		t.Errorf("today's key of somebody who came back: %v", err)
	}
	if keys, err := restored.EnsureDataKeys(ctx, "beta", []turnout.DataKey{dataKey(7)}); err != nil || keys[0].Wrapped != nil {
		t.Errorf("forgotten in an org that the backup does not know: %v, %v", keys, err)
	}
	if err := restored.Scrub(ctx); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1} {
		if bytes.Contains(content, acceptance(n).Sealed[:64]) || bytes.Contains(content, dataKey(n).Wrapped[:32]) {
			t.Errorf("P8: something of person %d is in the restored file", n)
		}
	}
	if info, err := os.Stat(r.Aside); err != nil || info.Size() == 0 || !strings.HasPrefix(r.Aside, path+".before-restore-") {
		t.Errorf("the old store is at %s: %v", r.Aside, err)
	}

	again, r := mustRestore(t, RestoreOptions{From: later.Dir, To: filepath.Join(dir, "other.db")})
	if got, err := again.Registration(ctx, acme, back.Key); err != nil || got.Status != turnout.StatusRegistered || got.Sealed == nil || r.Erased != 0 {
		t.Errorf("what was registered after forgetting: %+v, %v, %+v", got, err, r)
	}
}

func TestP1BackupUnderLoadHasEverythingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	prepare(t, s, 100_000)
	var acked [5000]atomic.Bool
	var next, done atomic.Int64
	var wg sync.WaitGroup
	running := make(chan struct{})
	for range 32 {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < len(acked); n = int(next.Add(1)) - 1 {
				if _, err := s.Accept(t.Context(), acceptance(n)); err != nil {
					t.Error(err)
					return
				}
				acked[n].Store(true)
				if done.Add(1) == 500 {
					close(running)
				}
			}
		})
	}
	<-running
	var before []int
	for n := range acked {
		if acked[n].Load() {
			before = append(before, n)
		}
	}
	r := mustBackup(t, s, filepath.Join(dir, "backups"), start)
	during := int(done.Load())
	wg.Wait()
	t.Logf("%d acknowledged before, %d when it ended, %d in the backup; the log was pinned for %v", len(before), during, r.Counts["registrations"], r.Pinned)
	restored, _ := mustRestore(t, RestoreOptions{From: r.Dir, To: filepath.Join(dir, "new.db")})
	for _, n := range before {
		if _, err := restored.Registration(t.Context(), acme, acceptance(n).Key); err != nil {
			t.Fatalf("P1: %d was acknowledged before the backup began: %v", n, err)
		}
	}
	if taken := count(t, restored, "SELECT taken FROM seats WHERE pool = 'event'"); int64(taken) != r.Counts["registrations"] {
		t.Errorf("%d seats, %d registrations", taken, r.Counts["registrations"])
	}
}

func TestACrashedBackupLeavesNoHalfBackup(t *testing.T) {
	path := prepared(t, 100)
	dir := filepath.Join(filepath.Dir(path), "backups")
	for _, step := range []string{"copied", "digested", "complete"} {
		v := startChild(t, orders{Path: path, Step: step, Nth: 1, Backup: dir})
		v.wait()
		if status, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("%s: the child ended by %v", step, v.cmd.ProcessState)
		}
		if all, _ := filepath.Glob(filepath.Join(dir, "turnout-*")); len(all) > 0 {
			t.Errorf("killed at %s, there is %v", step, all)
		}
	}
	s := openStore(t, path)
	defer s.Close()
	mustBackup(t, s, dir, start)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // the backup and the lock
		t.Errorf("left over: %v, %v", entries, err)
	}
}

func TestRestoreRefusesWhatIsNotRight(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	prepare(t, s, 10)
	mustAccept(t, s, 1)
	r := mustBackup(t, s, dir, start)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(dir, "turnout.db")
	before := digest(t, to)
	refuse := func(name string, o RestoreOptions, want turnout.Code) {
		t.Helper()
		o.To, o.Now = to, start
		if _, err := Restore(t.Context(), o); turnout.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	refuse("no backup", RestoreOptions{From: dir}, turnout.CodeNotFound)
	for _, name := range []string{StoreFile, KeysFile} {
		path := filepath.Join(r.Dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[len(bad)/2]++
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		refuse(name+" changed", RestoreOptions{From: r.Dir}, turnout.CodeMalformed)
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if digest(t, to) != before {
		// Leaving WAL mode rewrites the header; content must be the same.
		s = openStore(t, to)
		sound(t, s)
		if n := count(t, s, "SELECT count(*) FROM registrations"); n != 1 {
			t.Errorf("%d registrations", n)
		}
		s.Close()
	}
	if left, _ := filepath.Glob(to + ".*"); len(left) != 1 {
		t.Errorf("left over: %v", left)
	}
	if err := os.WriteFile(to, []byte("this is no database, it was overwritten by something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	refuse("unreadable store in the way", RestoreOptions{From: r.Dir}, turnout.CodeInternal)
}

// Counters that went wrong, by hand or by a fault, are put right and named.
func TestRestoreRecountsSeats(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	prepare(t, s, 10)
	for n := range 4 {
		mustAccept(t, s, n)
	}
	if err := s.do(t.Context(), "break", func(t *tx) error { return t.exec("UPDATE seats SET taken = 1 WHERE pool = 'event'") }); err != nil {
		t.Fatal(err)
	}
	r := mustBackup(t, s, dir, start)
	restored, report := mustRestore(t, RestoreOptions{From: r.Dir, To: filepath.Join(dir, "new.db")})
	if len(report.Miscounted) != 1 || !strings.Contains(report.Miscounted[0], "counted 1, held 4") {
		t.Errorf("got %v", report.Miscounted)
	}
	if n := count(t, restored, "SELECT taken FROM seats WHERE pool = 'event'"); n != 4 {
		t.Errorf("%d taken", n)
	}
}
