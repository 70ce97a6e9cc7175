package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// inFiles tells in which files of a directory any of the needles is.
func inFiles(t testing.TB, dir string, needles ...[]byte) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, needle := range needles {
			if bytes.Contains(content, needle) {
				found = append(found, fmt.Sprintf("%s holds needle %d", filepath.Base(path), i))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestP8NothingPlainRests(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	prepare(t, s, 100)
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.NewKeyring(s, func() (seal.Master, error) { return master, nil }).Ring(t.Context(), string(acme))
	if err != nil {
		t.Fatal(err)
	}
	plain := [][]byte{[]byte("robin.quillfeather@example.com"), []byte("Quillfeather"), []byte("Example Carpets Ltd"), []byte("allergic to walnuts")}
	person := turnout.PersonID(ring.Index(string(plain[0])))
	key, wrapped, err := ring.NewDataKey(person)
	if err != nil {
		t.Fatal(err)
	}
	a := acceptance(1)
	a.DataKey = turnout.DataKey{Person: person, Wrapped: wrapped}
	a.Sealed = key.Seal(bytes.Join(plain, []byte(" ")), "registration", string(a.Key))
	if _, err := s.Accept(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, plain...); len(found) > 0 {
		t.Errorf("while registered: %v", found)
	}
	if len(inFiles(t, dir, wrapped)) == 0 || len(inFiles(t, dir, a.Sealed)) == 0 {
		t.Error("the wrapped key or what it sealed is nowhere: this test sees nothing")
	}
	if _, err := s.Forget(t.Context(), acme, person, start); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, append(plain, wrapped, a.Sealed, person[:])...); len(found) != 1 {
		t.Errorf("after forgetting, want the tombstone's blind index alone: %v", found)
	}
}

// Keys move between pages as the table grows and shrinks. Wherever they have
// been, nothing of a destroyed one is left.
func TestP8DestroyedKeysAreInNoFile(t *testing.T) {
	const people, forgotten = 6000, 400
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	prepare(t, s, turnout.Unlimited)
	ctx := t.Context()
	for batch := range people / 100 {
		var keys []turnout.DataKey
		for i := range 100 {
			keys = append(keys, dataKey(batch*100+i))
		}
		if _, err := s.EnsureDataKeys(ctx, acme, keys); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var gone [][]byte
	for _, n := range rand.New(rand.NewPCG(seed, 1)).Perm(people)[:forgotten] {
		if _, err := s.Forget(ctx, acme, dataKey(n).Person, start); err != nil {
			t.Fatal(err)
		}
		gone = append(gone, dataKey(n).Wrapped[:32], dataKey(n).Wrapped[32:])
	}
	if err := s.Scrub(ctx); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, gone...); len(found) > 0 {
		t.Errorf("P8: %d of %d halves of destroyed keys are still there, for example %s", len(found), len(gone), found[0])
	}
	sound(t, s)
}

// A reader keeps the write-ahead log from being emptied. Forgetting does not
// wait for it, and what is owed is done once the reader has ended.
func TestP8ScrubWaitsForReaders(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "turnout.db")
	s := openStore(t, path)
	defer s.Close()
	prepare(t, s, 10)
	mustAccept(t, s, 1)
	reader, err := s.reads.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback()
	var n int
	if err := reader.QueryRow("SELECT count(*) FROM people").Scan(&n); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if _, err := s.Forget(t.Context(), acme, dataKey(1).Person, start); err != nil {
		t.Fatalf("forgetting beside a reader: %v", err)
	}
	if err := s.Scrub(t.Context()); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Fatalf("scrubbing beside a reader: %v", err)
	}
	mustAccept(t, s, 2) // the writer goes on
	if len(inFiles(t, dir, dataKey(1).Wrapped)) == 0 {
		t.Error("the reader did not hold anything: this test sees nothing")
	}
	select {
	case <-s.scrubs.owed:
		s.scrubs.note(errReader)
	default:
		t.Error("nobody is owed a scrub")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := inFiles(t, dir, dataKey(1).Wrapped, acceptance(1).Sealed); len(found) > 0 {
		t.Errorf("P8: %v", found)
	}
}

func TestP8OwedScrubIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scrubs, done := 0, make(chan struct{})
		s := openStore(t, filepath.Join(t.TempDir(), "turnout.db"), func(o *Options) {
			o.step = func(name string) {
				if name == "scrubbed" {
					if scrubs++; scrubs == 3 { // at opening, below, and again
						close(done)
					}
				}
			}
		})
		synctest.Wait()
		if err := s.Scrub(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.scrubs.note(errReader)
		before := time.Now()
		<-done
		if waited := time.Since(before); waited > 10*time.Second {
			t.Errorf("tried again after %v", waited)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestP8ScrubWithoutATurnIsOwed: a scrub that does not get the writer's turn is owed, as
// one that readers are in the way of.
func TestP8ScrubWithoutATurnIsOwed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "turnout.db")
	scrubbed := make(chan struct{}, 10)
	s := openStore(t, path, func(o *Options) {
		o.step = func(name string) {
			if name == "scrubbed" {
				scrubbed <- struct{}{}
			}
		}
	})
	defer s.Close()
	<-scrubbed // the one at opening
	if err := s.do(t.Context(), "be impatient", func(*tx) error { s.turn.patience = 20 * time.Millisecond; return nil }); err != nil {
		t.Fatal(err)
	}
	other, err := openTurnLock(s.turn.file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.lock(); err != nil {
		t.Fatal(err)
	}
	if err := s.Scrub(t.Context()); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Fatalf("scrubbed while another process has the turn: %v", err)
	}
	if err := other.close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-scrubbed:
	case <-time.After(20 * time.Second):
		t.Error("P8: nobody tries again")
	}
}
