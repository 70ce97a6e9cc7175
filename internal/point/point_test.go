package point

import (
	"bytes"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

func pool(t *testing.T) *Pool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "point.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{"CREATE TABLE r (k BLOB PRIMARY KEY, n INTEGER, v BLOB)", "INSERT INTO r VALUES (x'01', 7, x'0a0b'), (x'02', 8, NULL)"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	p, err := Open(t.Context(), db, 2, "SELECT v FROM r WHERE k = ?", "SELECT n FROM r WHERE k = ? AND n > ?")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRowIsOneValueOrNone(t *testing.T) {
	p := pool(t)
	defer p.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if v, err := p.Row(t.Context(), 0, []byte{1}); err != nil || !bytes.Equal(v.([]byte), []byte{0x0a, 0x0b}) {
				t.Errorf("%v, %v", v, err)
			}
			if v, err := p.Row(t.Context(), 1, []byte{2}, int64(7)); err != nil || v != int64(8) {
				t.Errorf("%v, %v", v, err)
			}
			if v, err := p.Row(t.Context(), 0, []byte{2}); err != nil || v != nil {
				t.Errorf("%v, %v, want NULL", v, err)
			}
			if _, err := p.Row(t.Context(), 0, []byte{3}); !errors.Is(err, sql.ErrNoRows) {
				t.Errorf("%v, want no rows", err)
			}
		})
	}
	wg.Wait()
}

func TestClosedPoolSaysSo(t *testing.T) {
	p := pool(t)
	p.Close()
	p.Close()
	if _, err := p.Row(t.Context(), 0, []byte{1}); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestWrongQueryIsRefusedAtOnce(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "point.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := Open(t.Context(), db, 2, "SELECT nothing FROM nowhere"); err == nil {
		t.Error("a query without a table was prepared")
	}
}
