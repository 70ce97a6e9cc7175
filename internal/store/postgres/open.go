// Package postgres is the store for more than one machine: the truth about
// registrations, seats, deliveries, orgs and keys, in a PostgreSQL database
// that many instances share.
//
// What it promises: an acknowledged change is where synchronous_commit=on puts
// it, on the primary's disk and on that of a synchronous standby where there is
// one; weaker settings are refused at start (P1). Seats and registration change
// in one transaction under the event's row lock (P2). One writer goroutine a
// process commits concurrent callers together. A commit of which nobody can say
// whether it is there answers CodeUnknown, and the same key may be sent again.
// What is personal comes in sealed; the store never sees a key. Outside of this
// machine the wire is TLS 1.2 or newer.
//
// A destroyed key is gone from the table with its commit. Its bytes stay in dead
// row versions until VACUUM, in the write-ahead log until that is recycled, and
// in whatever base backups hold: docs/decisions/0016-postgresql.md says how an
// operator bounds each.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/turnout-events/turnout/internal/groupcommit"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
)

// Options of a store.
type Options struct {
	// URL is postgres://user@host,host/database?sslmode=verify-full. Several hosts
	// are tried in their order for the one that takes writes. A search_path in it
	// puts the tables into a schema of their own, which must be there.
	URL    string
	Logger *slog.Logger
	// BatchCap bounds a commit; 0 means groupcommit.DefaultCap.
	BatchCap int
	// Existing opens a store that is there, for commands that only look: it makes
	// and upgrades nothing, and schema.ErrNothing says that there is none.
	Existing bool
	// Ours is shown the wrapped keys of orgs that rest in the store before
	// anything is written; its error refuses a store of another deployment. Nil
	// takes any.
	Ours func(ctx context.Context, keys []seal.StoredKey) error

	// step is called at each step of a commit, for tests that break the connection there.
	step func(name string)
	// now is this process's clock; nil means time.Now.
	now func() time.Time
}

// asides is the number of connections besides the writer's: for reads, and for
// changes that are too seldom to go through the writer.
const asides = 8

// Store is the PostgreSQL engine. Safe for concurrent use.
type Store struct {
	log    *slog.Logger
	config *pgx.ConnConfig
	pool   *pgxpool.Pool
	writer *groupcommit.Writer[*job]
	step   func(name string)
	clock  *wire.Clock

	// conn is the writer goroutine's own; nil after it broke, and not dialled again
	// before pausing.
	conn    *pgx.Conn
	pausing time.Time
	orgs    sync.Map // numbers by turnout.OrgID; they never change
	once    sync.Once
}

// Open connects to the store, makes or upgrades its schema, and starts its
// writer, which works until Close. A server that promises too little, that lets
// two take one seat, a URL without TLS, a store of another deployment and a schema
// from which a newer version has taken away what this one needs are errors of one
// line that says what to do, and leave everything as it is.
func Open(ctx context.Context, o Options) (*Store, error) {
	cfg, err := wire.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.step == nil {
		o.step = func(string) {}
	}
	s := &Store{log: o.Logger, config: cfg, step: o.step, clock: wire.NewClock(o.now)}
	if err := s.open(ctx, o); err != nil {
		s.closeConns()
		return nil, fmt.Errorf("open store at %s: %w", cfg.Host, err)
	}
	s.writer = groupcommit.New(s.commit, groupcommit.Options{Cap: o.BatchCap})
	go s.writer.Run()
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) (err error) {
	if s.conn, err = wire.Connect(ctx, wire.ForWriter(s.config)); err != nil {
		return err
	}
	if err := s.prepare(ctx, o); err != nil {
		return err
	}
	if err := usable(ctx, s.conn); err != nil {
		return err
	}
	s.clock.Measure(ctx, s.conn)
	pool, err := pgxpool.ParseConfig("")
	if err != nil {
		return err
	}
	pool.ConnConfig, pool.MaxConns, pool.AfterConnect = s.config.Copy(), asides, wire.Verify
	askIdle(pool, func() { s.pool.Reset() })
	s.pool, err = pgxpool.NewWithConfig(ctx, pool)
	return err
}

// prepare looks at what is there before it makes anything.
func (s *Store) prepare(ctx context.Context, o Options) error {
	known, err := knownSchema()
	if err != nil {
		return err
	}
	have, from, err := schemaVersion(ctx, s.conn)
	if err != nil {
		return err
	}
	if err := known.Opens(have, from, o.Existing); err != nil {
		return err
	}
	if have == 0 {
		err = race(ctx, s.config, s.conn)
	} else {
		err = s.ours(ctx, o)
	}
	if err != nil || o.Existing {
		return err
	}
	return migrate(ctx, s.conn, known)
}

// race tries a server out before it gets its first table.
func race(ctx context.Context, cfg *pgx.ConnConfig, conn *pgx.Conn) error {
	other, err := wire.Connect(ctx, cfg)
	if err != nil {
		return err
	}
	defer other.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was only tried
	return mayNot(wire.Race(ctx, conn, other))
}

// ours asks whether the store is this deployment's.
func (s *Store) ours(ctx context.Context, o Options) error {
	if o.Ours == nil {
		return nil
	}
	found, err := s.conn.Query(ctx, "SELECT scope, purpose, version, wrapped FROM org_keys ORDER BY scope, purpose, version")
	keys, err := wire.Collect(found, err, scanOrgKey)
	if err != nil {
		return fmt.Errorf("read org keys: %w", err)
	}
	return o.Ours(ctx, keys)
}

// Close finishes what was handed in and closes the connections. It may be called twice.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.writer.Close()
		s.closeConns()
	})
	return nil
}

// closeConns says goodbye; whether the server hears it does not matter.
func (s *Store) closeConns() {
	if s.conn != nil {
		_ = s.conn.Close(context.Background())
	}
	if s.pool != nil {
		s.pool.Close()
	}
}

// Now is the database's time, one clock for all instances.
func (s *Store) Now() time.Time { return s.clock.Now() }

// pause is how long nobody dials after it was in vain: what waits meanwhile is
// answered at once.
const pause = 500 * time.Millisecond

// reconnect opens the writer's connection anew.
func (s *Store) reconnect() error {
	if time.Now().Before(s.pausing) {
		return errAway
	}
	ctx, cancel := context.WithTimeout(context.Background(), wire.Patience)
	defer cancel()
	conn, err := wire.Connect(ctx, wire.ForWriter(s.config))
	if err != nil {
		s.pausing = time.Now().Add(pause)
		return fmt.Errorf("%w: %w", errAway, err)
	}
	s.conn = conn
	s.clock.Measure(ctx, conn) // another server may have another clock
	return nil
}

// errAway says that there is no server that takes writes now.
var errAway = errors.New("the database cannot be reached")
