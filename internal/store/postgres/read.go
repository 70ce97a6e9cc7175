package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
)

type scanner interface{ Scan(...any) error }

// collect reads all of an answer.
func collect[T any](found pgx.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, found.Err()
}

// query reads rows beside the writer, each by scan.
func query[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	found, err := s.pool.Query(ctx, text, args...)
	return collect(found, err, scan)
}

// readRow reads one row beside the writer into dest; pgx.ErrNoRows for none.
func (s *Store) readRow(ctx context.Context, text string, args []any, dest ...any) error {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	return s.pool.QueryRow(ctx, text, args...).Scan(dest...)
}

// readRegistration reads one beside the writer; pgx.ErrNoRows for none.
func (s *Store) readRegistration(ctx context.Context, where string, args ...any) (turnout.Registration, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	return scanRegistration(s.pool.QueryRow(ctx, selectRegistration+where, args...))
}

// millis and timeOf are how times rest: milliseconds since 1970, 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
