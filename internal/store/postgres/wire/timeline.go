package wire

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
)

// timeline remembers the newest of PostgreSQL's timelines that a server was
// connected to on. A standby that is promoted begins a new one, so a server on an
// older one is a primary of before: whatever it takes is lost when it is made a
// standby.
type timeline struct {
	newest atomic.Int64
	// then is what else a connection must satisfy.
	then pgconn.ValidateConnectFunc
}

// errOutdated makes the driver try the next host.
var errOutdated = errors.New("it was the primary before a failover: make it a standby of the new one")

// The timeline is the first eight digits of the name of the file that is written to.
const currentTimeline = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"

// validate refuses a server on an older timeline than was seen.
func (t *timeline) validate(ctx context.Context, conn *pgconn.PgConn) error {
	if err := t.then(ctx, conn); err != nil {
		return err
	}
	result := conn.ExecParams(ctx, currentTimeline, nil, nil, nil, nil).Read()
	if Refused(result.Err) {
		return nil // some who offer PostgreSQL as a service do not tell
	}
	if result.Err != nil {
		return result.Err
	}
	var now int64
	if len(result.Rows) == 1 && len(result.Rows[0]) == 1 {
		now, _ = strconv.ParseInt(string(result.Rows[0][0]), 16, 64) // 0 for what is no number
	}
	for {
		newest := t.newest.Load()
		if now < newest {
			return errOutdated
		}
		if t.newest.CompareAndSwap(newest, now) {
			return nil
		}
	}
}
