package transfer_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/turnout-events/turnout/internal/store/transfer"
)

// same compares two stores that nobody writes to, table by table, with nothing of
// what copies them. Every table has something to compare.
func same(t *testing.T, from, to spot) {
	t.Helper()
	a, b := contents(t, from), contents(t, to)
	if len(a) == 0 || len(a) != len(b) {
		t.Errorf("%s has %d tables, %s has %d", from.name, len(a), to.name, len(b))
	}
	for table, rows := range a {
		if len(rows) == 0 {
			t.Errorf("there is nothing in %s", table)
		}
		if !slices.Equal(rows, b[table]) {
			t.Errorf("%s: %d rows of %s are not the %d of %s", table, len(rows), from.name, len(b[table]), to.name)
		}
	}
}

// contents are the rows of each table that has its equal in another store, in some
// order that is the same for both engines.
func contents(t *testing.T, p spot) map[string][]string {
	t.Helper()
	db := p.side(t, false).DB
	all := map[string][]string{}
	for _, row := range query(t, db, p.tables) {
		for _, table := range row { // which is the only column
			all[table.(string)] = nil
		}
	}
	for _, own := range []string{"meta", "turns", "feed", "feed_counter"} {
		delete(all, own)
	}
	for table := range all {
		for _, row := range query(t, db, "SELECT * FROM "+table) {
			for name, value := range row {
				row[name] = alike(value)
			}
			all[table] = append(all[table], fmt.Sprint(row)) // in the order of its names
		}
		slices.Sort(all[table])
	}
	return all
}

// alike is a value as both engines' drivers would give it.
func alike(v any) any {
	switch v := v.(type) {
	case bool:
		return map[bool]int64{true: 1}[v]
	case []byte:
		return fmt.Sprintf("x'%x'", v)
	case string:
		return fmt.Sprintf("%q", v)
	}
	return v
}

func query(t *testing.T, db *sql.DB, text string) (all []map[string]any) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, values, holders := map[string]any{}, make([]any, len(names)), make([]any, len(names))
		for i := range values {
			holders[i] = &values[i]
		}
		if err := rows.Scan(holders...); err != nil {
			t.Fatal(err)
		}
		for i, name := range names {
			row[name] = values[i]
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// P1, P2: what somebody else writes into a store while that is made equal to
// another one does not come into use with it. The next copy mends it.
func TestP1AlteredCopyIsNotUsed(t *testing.T) {
	ways(t, func(t *testing.T, from, to spot) {
		furnish(t, from.store(t))
		a, b, somebody := from.side(t, false), to.side(t, true), to.side(t, true)
		all := transfer.Tables()
		last := all[len(all)-1].Name
		for table, statement := range map[string]string{
			"registrations": "UPDATE registrations SET revision = revision + 1 WHERE key = 'key-00003'",
			"seats":         "UPDATE seats SET taken = taken - 1",
			"tombstones":    "DELETE FROM tombstones",
			"errands":       "INSERT INTO errands (org, id) SELECT num, '003000000000009AAA' FROM orgs",
		} {
			refuses(t, table+" of "+b.Name+" has", func() error {
				r, err := transfer.Copy(t.Context(), a, b, transfer.Options{Finish: true, Progress: func(c transfer.Copied) {
					if c.Table == last {
						alter(t, somebody, table, statement)
					}
				}})
				if r.Finished {
					t.Errorf("P1: a copy whose %s are others was finished", table)
				}
				return err
			})
			if _, err := to.open(t); !errors.As(err, new(transfer.NotInUseError)) {
				t.Errorf("it opens: %v", err)
			}
		}
		if _, err := transfer.Copy(t.Context(), a, b, transfer.Options{Finish: true}); err != nil {
			t.Fatal(err)
		}
		same(t, from, to)
		_ = to.store(t) // it opens
	})
}

// alter changes a row of a table behind its fence.
func alter(t *testing.T, s *transfer.Side, table, statement string) {
	t.Helper()
	err := s.Write(func() error {
		tx, err := s.DB.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }() // unless it was committed
		pass, closed := s.Pass(table)
		for _, text := range slices.Concat(pass, []string{statement}, closed) {
			if _, err := tx.ExecContext(t.Context(), text); err != nil {
				return err
			}
		}
		return tx.Commit()
	})
	if err != nil {
		t.Errorf("alter %s: %v", table, err)
	}
}
