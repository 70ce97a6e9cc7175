package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// errOversells refuses a server under which two could have one seat.
var errOversells = errors.New("two connections took the same last seat, so this server would oversell: use PostgreSQL itself, one primary, and no pooler but in session mode")

// headStart is how long the one who was second gets to come before the first:
// under a lock that works it cannot.
const headStart = 50 * time.Millisecond

// lookAtSeat is how a racer looks at the seat that is left.
const lookAtSeat = "SELECT taken FROM %s FOR UPDATE"

// Race lets two connections take the last seat of a table that is made for it
// and goes with it: exactly one of them must. It fails where locks do not hold
// or the two do not work on the same data.
func Race(ctx context.Context, a, b *pgx.Conn) error { return race(ctx, a, b, lookAtSeat) }

func race(ctx context.Context, a, b *pgx.Conn, look string) (err error) {
	table := fmt.Sprintf("turnout_race_%d", time.Now().UnixNano())
	if _, err := a.Exec(ctx, "CREATE TABLE "+table+" (taken integer NOT NULL)"); err != nil {
		return err
	}
	defer func() {
		_, dropped := a.Exec(context.WithoutCancel(ctx), "DROP TABLE "+table)
		err = errors.Join(err, dropped)
	}()
	if _, err := a.Exec(ctx, "INSERT INTO "+table+" VALUES (0)"); err != nil {
		return err
	}
	for _, pair := range [][2]*pgx.Conn{{a, b}, {b, a}} {
		if _, err := a.Exec(ctx, "UPDATE "+table+" SET taken = 0"); err != nil {
			return err
		}
		winners, err := lastSeat(ctx, pair[0], pair[1], fmt.Sprintf(look, table), "UPDATE "+table+" SET taken = taken + 1")
		if err != nil {
			return fmt.Errorf("two connections do not see the same data: name one primary in the store's URL: %w", err)
		}
		if winners != 1 {
			return errOversells
		}
	}
	return nil
}

// lastSeat lets first hold the seat's row while second looks at it, and tells
// how many took the seat.
func lastSeat(ctx context.Context, first, second *pgx.Conn, look, take string) (winners int, err error) {
	looked, begun := make(chan struct{}), make(chan struct{})
	var won [2]bool
	var errs [2]error
	var racers sync.WaitGroup
	racers.Go(func() {
		won[0], errs[0] = takeSeat(ctx, first, look, take, func() {
			close(begun)
			select {
			case <-looked:
			case <-time.After(headStart):
			}
		})
	})
	racers.Go(func() {
		select {
		case <-begun:
		case <-ctx.Done():
		case <-time.After(lockPatience): // the first one failed
		}
		won[1], errs[1] = takeSeat(ctx, second, look, take, func() { close(looked) })
	})
	racers.Wait()
	for _, w := range won {
		if w {
			winners++
		}
	}
	return winners, errors.Join(errs[:]...)
}

// takeSeat takes the seat if it is free when it is looked at; then is called
// between the look and what follows from it.
func takeSeat(ctx context.Context, c *pgx.Conn, look, take string, then func()) (won bool, err error) {
	err = pgx.BeginFunc(ctx, c, func(t pgx.Tx) error {
		taken := 0
		if err := t.QueryRow(ctx, look).Scan(&taken); err != nil {
			return err
		}
		then()
		if taken > 0 {
			return nil
		}
		won = true
		_, err := t.Exec(ctx, take)
		return err
	})
	return won, err
}
