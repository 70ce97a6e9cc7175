package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Whoever does not answer for so long, such as a host behind a dead network, is
// given up and dialled anew. patience bounds each exchange of a transaction, and
// is longer than the server waits for a lock; lookPatience is for single rows,
// which pages wait for.
const (
	patience     = 15 * time.Second
	lookPatience = 5 * time.Second
)

// session is a connection within a transaction. One goroutine uses it. A
// transaction that is half done is not worth interrupting, so its statements
// run under a bound of their own and not under a caller's context.
type session struct{ conn *pgx.Conn }

func (s session) exec(query string, args ...any) error {
	_, err := s.execN(query, args...)
	return err
}

// execN returns the number of rows that changed.
func (s session) execN(query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tag, err := s.conn.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

// row reads one row into dest; pgx.ErrNoRows for none.
func (s session) row(query string, args []any, dest ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.conn.QueryRow(ctx, query, args...).Scan(dest...)
}

// send makes several statements one exchange. Their results go to the functions
// that the batch's statements were given.
func (s session) send(b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.conn.SendBatch(ctx, b).Close()
}

// rows reads them all, each by scan.
func rows[T any](s session, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	found, err := s.conn.Query(ctx, query, args...)
	return collect(found, err, scan)
}
