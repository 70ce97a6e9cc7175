package sqlite

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// Keeping many keys leaves the writer no log to empty, for which everybody who
// registers would wait.
func TestManyKeysDoNotFillTheLog(t *testing.T) {
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.SetOrg(t.Context(), turnout.Org{ID: "acme"}, []byte{0}, time.Now()); err != nil {
		t.Fatal(err)
	}
	keys := make([]turnout.DataKey, 10_000)
	for i := range keys {
		_, _ = rand.Read(keys[i].Person[:])
		keys[i].Wrapped = make([]byte, 61)
	}
	if _, err := s.EnsureDataKeys(t.Context(), "acme", keys); err != nil {
		t.Fatal(err)
	}
	log, err := os.Stat(s.path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	const pages = 4000 // when the writer empties it, see openDB
	if log.Size() > pages*4096/2 {
		t.Errorf("the log grew to %d bytes", log.Size())
	}
}
