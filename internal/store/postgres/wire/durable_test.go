package wire

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout/internal/store/pgtest"
)

func started(t *testing.T, settings map[string]string) *pgtest.Cluster {
	t.Helper()
	c, err := pgtest.StartWith(t.Context(), settings)
	pgtest.Need(t, err)
	t.Cleanup(func() { _ = c.Stop(context.Background()) })
	return c
}

// A server whose commits may be lost is refused, and the line names the setting (P1).
func TestP1WeakServersAreRefused(t *testing.T) {
	for setting := range wanted() {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			_, err := reach(t, started(t, map[string]string{setting: "off"}).URL())
			if err == nil || !strings.Contains(err.Error(), setting+"=off, with which registrations can be lost") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Two connections take the last seat: exactly one wins, or the server is refused.
func TestP2RaceBeforeTheFirstTable(t *testing.T) {
	c := started(t, nil)
	var conns []*pgx.Conn
	for range 2 {
		conn, err := reach(t, c.URL())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	if err := Race(t.Context(), conns[0], conns[1]); err != nil {
		t.Errorf("PostgreSQL: %v", err)
	}
	// A server that does not lock is this one when it is not asked to.
	if err := race(t.Context(), conns[0], conns[1], "SELECT taken FROM %s"); !errors.Is(err, errOversells) {
		t.Errorf("without locks: %v", err)
	}
	var tables int
	if err := conns[0].QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'turnout_race%'").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables are left, %v", tables, err)
	}
	elsewhere, err := reach(t, started(t, nil).URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := Race(t.Context(), conns[0], elsewhere); err == nil || !strings.Contains(err.Error(), "do not see the same data") {
		t.Errorf("two servers behind one name: %v", err)
	}
}
