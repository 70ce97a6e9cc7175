package wire

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Whoever does not answer for so long, such as a host behind a dead network, is
// given up and dialled anew. Patience bounds each exchange of a transaction, and
// is longer than the server waits for a lock; LookPatience is for single rows,
// which pages wait for.
const (
	Patience     = 15 * time.Second
	LookPatience = 5 * time.Second
)

// Session is a connection within a transaction. One goroutine uses it. A
// transaction that is half done is not worth interrupting, so its statements
// run under a bound of their own and not under a caller's context.
type Session struct{ Conn *pgx.Conn }

// Exec runs a statement.
func (s Session) Exec(query string, args ...any) error {
	_, err := s.ExecN(query, args...)
	return err
}

// ExecN returns the number of rows that changed.
func (s Session) ExecN(query string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	tag, err := s.Conn.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

// Row reads one row into dest; pgx.ErrNoRows for none.
func (s Session) Row(query string, args []any, dest ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return s.Conn.QueryRow(ctx, query, args...).Scan(dest...)
}

// Send makes several statements one exchange. Their results go to the functions
// that the batch's statements were given.
func (s Session) Send(b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	return s.Conn.SendBatch(ctx, b).Close()
}

// Rows reads them all, each by scan.
func Rows[T any](s Session, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	found, err := s.Conn.Query(ctx, query, args...)
	return Collect(found, err, scan)
}
