package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

const readLink = "SELECT body FROM link WHERE key = ?"

// reader is one connection that does nothing but read links. It speaks to the
// driver without database/sql in between, which costs as much as the query.
type reader struct {
	conn *sql.Conn
	stmt querier
	args [1]driver.NamedValue
	row  [1]driver.Value
}

type querier interface {
	driver.Stmt
	driver.StmtQueryContext
}

// errEnded says that the file was closed while somebody waited for it.
var errEnded = errors.New("the cache file is closed")

func newReader(ctx context.Context, db *sql.DB) (*reader, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn}
	err = conn.Raw(func(c any) error {
		preparer, ok := c.(driver.ConnPrepareContext)
		if !ok {
			return fmt.Errorf("%T cannot prepare", c)
		}
		stmt, err := preparer.PrepareContext(ctx, readLink)
		if err != nil {
			return err
		}
		if r.stmt, ok = stmt.(querier); !ok {
			return fmt.Errorf("%T cannot query", stmt)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return r, nil
}

// link returns the row's body, or sql.ErrNoRows.
func (r *reader) link(ctx context.Context, key []byte) (body []byte, err error) {
	r.args[0] = driver.NamedValue{Ordinal: 1, Value: key}
	rows, err := r.stmt.QueryContext(ctx, r.args[:])
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	switch err := rows.Next(r.row[:]); {
	case errors.Is(err, io.EOF):
		return nil, sql.ErrNoRows
	case err != nil:
		return nil, err
	}
	body, _ = r.row[0].([]byte)
	return body, nil
}

// reader takes an idle reader, or waits for one. Whoever takes it puts it
// back into f.readers.
func (f *file) reader(ctx context.Context) (*reader, error) {
	select {
	case r := <-f.readers:
		return r, nil
	case <-f.ended:
		return nil, errEnded
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// openReaders fills f.readers.
func (f *file) openReaders(ctx context.Context, n int) error {
	readers := make(chan *reader, n)
	for range n {
		r, err := newReader(ctx, f.links)
		if err != nil {
			return err // closing f.links closes those there are
		}
		readers <- r
	}
	f.readers, f.ended = readers, make(chan struct{})
	return nil
}

// endReaders waits for busy readers and closes all.
func (f *file) endReaders() {
	if f.readers == nil {
		return
	}
	close(f.ended)
	for range cap(f.readers) {
		r := <-f.readers
		_ = r.stmt.Close()
		_ = r.conn.Close()
	}
}
