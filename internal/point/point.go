// Package point reads single rows from SQLite by prepared queries, without
// database/sql in between, which costs about as much as such a query itself.
package point

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrClosed answers whoever asks a pool that was closed.
var ErrClosed = errors.New("the pool of readers is closed")

// Pool is a number of connections that do nothing but run its queries. All
// methods are safe for concurrent use.
type Pool struct {
	idle  chan *reader
	ended chan struct{}
	once  sync.Once
}

// reader is one connection with its prepared queries.
type reader struct {
	conn  *sql.Conn
	stmts []querier
	args  []driver.NamedValue
	row   []driver.Value
}

type querier interface {
	driver.Stmt
	driver.StmtQueryContext
}

// Open takes n connections of db for good and prepares the queries on each.
func Open(ctx context.Context, db *sql.DB, n int, queries ...string) (*Pool, error) {
	p := &Pool{idle: make(chan *reader, n), ended: make(chan struct{})}
	for opened := range n {
		r, err := open(ctx, db, queries)
		if err != nil {
			for range opened {
				(<-p.idle).close()
			}
			return nil, err
		}
		p.idle <- r
	}
	return p, nil
}

func open(ctx context.Context, db *sql.DB, queries []string) (*reader, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn}
	if err := conn.Raw(func(c any) error { return r.prepare(ctx, c, queries) }); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *reader) prepare(ctx context.Context, conn any, queries []string) error {
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return fmt.Errorf("%T cannot prepare", conn)
	}
	for _, query := range queries {
		stmt, err := preparer.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		q, ok := stmt.(querier)
		if !ok {
			return errors.Join(fmt.Errorf("%T cannot query", stmt), stmt.Close())
		}
		r.stmts = append(r.stmts, q)
	}
	return nil
}

// Row runs query number q (from 0, as given to Open) and returns the first
// column of its first row, or sql.ErrNoRows. Arguments are what a driver
// takes: int64, float64, bool, []byte, string. It waits for an idle connection
// as long as ctx lasts; the query itself takes microseconds and is not
// interrupted, since the driver would start a goroutine for that.
func (p *Pool) Row(ctx context.Context, q int, args ...driver.Value) (driver.Value, error) {
	select {
	case <-p.ended: // of two that are ready, select takes either
		return nil, ErrClosed
	default:
	}
	select {
	case r := <-p.idle:
		defer func() { p.idle <- r }()
		return r.query(r.stmts[q], args)
	case <-p.ended:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (r *reader) query(stmt querier, args []driver.Value) (value driver.Value, err error) {
	r.args = r.args[:0]
	for i, a := range args {
		r.args = append(r.args, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	defer clear(r.args) // nothing of the caller's is kept
	rows, err := stmt.QueryContext(context.Background(), r.args)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if n := len(rows.Columns()); len(r.row) < n {
		r.row = make([]driver.Value, n)
	}
	row := r.row[:len(rows.Columns())]
	defer clear(row)
	switch err := rows.Next(row); {
	case errors.Is(err, io.EOF):
		return nil, sql.ErrNoRows
	case err != nil:
		return nil, err
	}
	return row[0], nil
}

func (r *reader) close() {
	for _, stmt := range r.stmts {
		_ = stmt.Close()
	}
	_ = r.conn.Close()
}

// Close waits for queries under way and gives the connections back. It may be
// called twice.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.once.Do(func() {
		close(p.ended)
		for range cap(p.idle) {
			(<-p.idle).close()
		}
	})
}
