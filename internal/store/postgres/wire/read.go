package wire

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Scanner is a row.
type Scanner interface{ Scan(...any) error }

// Collect reads all of an answer.
func Collect[T any](found pgx.Rows, err error, scan func(Scanner) (T, error)) ([]T, error) {
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

// Query reads rows by a connection of the pool, each by scan.
func Query[T any](ctx context.Context, pool *pgxpool.Pool, scan func(Scanner) (T, error), text string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	found, err := pool.Query(ctx, text, args...)
	return Collect(found, err, scan)
}

// QueryRow reads one row by a connection of the pool into dest; pgx.ErrNoRows for none.
func QueryRow(ctx context.Context, pool *pgxpool.Pool, text string, args []any, dest ...any) error {
	ctx, cancel := context.WithTimeout(ctx, LookPatience)
	defer cancel()
	return pool.QueryRow(ctx, text, args...).Scan(dest...)
}
