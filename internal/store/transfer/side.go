package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// Dialect is what differs between the engines.
type Dialect struct {
	// Mark is the n-th parameter, from 1.
	Mark func(n int) string
	// Snapshot are the options of a transaction that sees one moment.
	Snapshot sql.TxOptions
	// Overriding lets rows be written with numbers that the engine would give.
	Overriding string
	// Renumber continues the engine's own numbers behind a table's rows; empty
	// where it does that by itself.
	Renumber func(table string) string
	// Fence makes every change of a table fail from its commit on, Unfence takes
	// that back where it is there.
	Fence, Unfence func(table string) []string
	// Pass lets the rest of a transaction through a table's fence; what it gives
	// besides is to be run at the end of that.
	Pass func(table string) (pass, closed []string)
	// Write runs do while nobody else writes, where that is for us to see to.
	Write func(do func() error) error
	// Again reports whether what failed is to be tried again: two writers waited for
	// each other.
	Again func(err error) bool
	// Written is called when all was written.
	Written func(ctx context.Context, db *sql.DB) error
}

// Side is a store that is copied from or to. One goroutine uses it.
type Side struct {
	// Name is how it is told, without anything secret.
	Name string
	DB   *sql.DB
	Dialect
	// Done lets go of what belongs to it besides DB.
	Done func() error
}

// Close closes it.
func (s *Side) Close() error { return errors.Join(s.DB.Close(), s.Done()) }

// The marks of a store, in its table meta under markName, the first two with the
// name of a copy behind them. A store with one is opened by nobody.
const (
	markName = "transfer"
	// into: copies are written into it.
	into = "into"
	// moving: nobody writes to it any more, and its last copy is under way.
	moving = "moving"
	// moved: another store has taken its place.
	moved = "moved"
)

// by is a mark of one copy, state what a mark is, whosever it is.
func by(mark, id string) string { return mark + " " + id }
func state(mark string) string  { word, _, _ := strings.Cut(mark, " "); return word }

// errOther says that a mark is not what it was.
var errOther = errors.New("another copy has begun meanwhile, or this one was cancelled: it ends here")

// NotInUseError says that a store must not be opened, and what to do.
type NotInUseError struct{ mark string }

func (e NotInUseError) Error() string {
	switch state(e.mark) {
	case into:
		return "this store is a copy that was not finished: run turnout store copy with --finish, or go on with the store that it is made from"
	case moving:
		return "this store is being moved: run turnout store copy with --finish again, or with --cancel to stay with it"
	}
	return "another store has taken the place of this one: name that in the settings, or copy it back with turnout store copy"
}

// Usable tells whether a store with this mark may be opened; the mark of a store
// is the row "transfer" of its table meta.
func Usable(mark string) error {
	if mark == "" {
		return nil
	}
	return NotInUseError{mark}
}

// mark reads it; empty means that the store is in use, or new.
func (s *Side) mark(ctx context.Context) (string, error) {
	var m string
	err := s.DB.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = '"+markName+"'").Scan(&m)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return m, err
}

// orgs are those that it has, by number.
func (s *Side) orgs(ctx context.Context) (map[int64]string, error) {
	rows, err := s.DB.QueryContext(ctx, "SELECT num, org FROM orgs")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[int64]string{}
	for rows.Next() {
		var num int64
		var org string
		if err := rows.Scan(&num, &org); err != nil {
			return nil, err
		}
		all[num] = org
	}
	return all, rows.Err()
}

// change runs statements in one transaction.
func (s *Side) change(ctx context.Context, do func(t *sql.Tx) error) error {
	return s.Write(func() error {
		t, err := s.DB.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if err := do(t); err != nil {
			return errors.Join(err, t.Rollback())
		}
		return t.Commit()
	})
}

// attempts are enough for a fence to find a moment at which no writer and it wait
// for each other.
const attempts = 50

// set puts mark in place of was, and the fence up or down with it. A store that
// has another mark by now stays as it is.
func (s *Side) set(ctx context.Context, was, mark string, fenced bool) (err error) {
	for range attempts {
		if err = s.setOnce(ctx, was, mark, fenced); err == nil || !s.Again(err) {
			break
		}
	}
	return err
}

func (s *Side) setOnce(ctx context.Context, was, mark string, fenced bool) error {
	return s.change(ctx, func(t *sql.Tx) error {
		if err := s.replace(ctx, t, was, mark); err != nil {
			return err
		}
		var statements []string
		for _, table := range Tables() {
			statements = append(statements, s.Unfence(table.Name)...)
			if fenced {
				statements = append(statements, s.Fence(table.Name)...)
			}
		}
		return run(ctx, t, statements)
	})
}

// replace puts mark in place of was, of which at least one is something.
func (s *Side) replace(ctx context.Context, t *sql.Tx, was, mark string) error {
	const where = " WHERE name = '" + markName + "' AND value = "
	switch {
	case was == "":
		return one(t.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('"+markName+"', "+s.Mark(1)+") ON CONFLICT (name) DO NOTHING", mark))
	case mark == "":
		return one(t.ExecContext(ctx, "DELETE FROM meta"+where+s.Mark(1), was))
	}
	return one(t.ExecContext(ctx, "UPDATE meta SET value = "+s.Mark(1)+where+s.Mark(2), mark, was))
}

// holds fails unless the mark is still the same, which then nobody changes before
// the transaction ends.
func (s *Side) holds(ctx context.Context, t *sql.Tx, mark string) error {
	return s.replace(ctx, t, mark, mark)
}

// one expects that a row was changed.
func one(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != 1 {
		return errors.Join(errOther, err)
	}
	return nil
}

func run(ctx context.Context, t *sql.Tx, statements []string) error {
	for _, text := range statements {
		if _, err := t.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// rows reads a table in the order of its keys within a transaction.
func (s *Side) rows(ctx context.Context, t *sql.Tx, table Table) (*cursor, error) {
	names := table.names()
	q := "SELECT " + strings.Join(names, ", ") + " FROM " + table.Name + " ORDER BY " + strings.Join(names[:table.Keys], ", ")
	rows, err := t.QueryContext(ctx, q) //nolint:rowserrcheck // cursor.next does
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", table.Name, err)
	}
	return &cursor{rows: rows, table: table, holders: table.holders()}, nil
}

// cursor goes through a table. Its next tells what went wrong with the rows.
type cursor struct {
	rows    *sql.Rows
	table   Table
	holders []any
}

// next is the next row, nil behind the last.
func (c *cursor) next() (row, error) {
	if !c.rows.Next() {
		return nil, c.rows.Err()
	}
	if err := c.rows.Scan(c.holders...); err != nil {
		return nil, fmt.Errorf("read %s: %w", c.table.Name, err)
	}
	return rowOf(c.holders), nil
}

func (c *cursor) close() { _ = c.rows.Close() } // what was read is read

func (t Table) names() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// most is how many rows a statement carries: 21 columns of them stay under what
// SQLite takes of parameters (32,766).
const most = 500

// put writes rows over those of the same keys.
func (s *Side) put(ctx context.Context, t *sql.Tx, table Table, rows []row) error {
	names := table.names()
	var q strings.Builder
	q.WriteString("INSERT INTO " + table.Name + " (" + strings.Join(names, ", ") + ")")
	if table.Numbered {
		q.WriteString(s.Overriding)
	}
	q.WriteString(" VALUES ")
	args := s.tuples(&q, rows)
	q.WriteString(" ON CONFLICT (" + strings.Join(names[:table.Keys], ", ") + ") DO ")
	if table.Keys == len(names) {
		q.WriteString("NOTHING")
	} else {
		q.WriteString("UPDATE SET ")
		for i, name := range names[table.Keys:] {
			if i > 0 {
				q.WriteString(", ")
			}
			q.WriteString(name + " = excluded." + name)
		}
	}
	_, err := t.ExecContext(ctx, q.String(), args...)
	return err
}

// drop deletes the rows of these keys.
func (s *Side) drop(ctx context.Context, t *sql.Tx, table Table, rows []row) error {
	var q strings.Builder
	var args []any
	q.WriteString("DELETE FROM " + table.Name + " WHERE ")
	for i, r := range rows {
		if i > 0 {
			q.WriteString(" OR ")
		}
		for j, c := range table.Columns[:table.Keys] {
			args = append(args, r[j])
			q.WriteString(map[bool]string{true: "(", false: " AND "}[j == 0] + c.Name + " = " + s.Mark(len(args)))
		}
		q.WriteString(")")
	}
	_, err := t.ExecContext(ctx, q.String(), args...)
	return err
}

// tuples writes rows as parameters.
func (s *Side) tuples(q *strings.Builder, rows []row) []any {
	var args []any
	for i, r := range rows {
		q.WriteString(map[bool]string{true: "(", false: ", ("}[i == 0])
		for j, v := range r {
			if j > 0 {
				q.WriteString(", ")
			}
			args = append(args, v)
			q.WriteString(s.Mark(len(args)))
		}
		q.WriteString(")")
	}
	return args
}
