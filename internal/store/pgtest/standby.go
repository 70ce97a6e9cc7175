package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// Standby makes and starts a server that follows c, and has c's commits wait
// until it has them on its disk.
func (c *Cluster) Standby(ctx context.Context) (*Cluster, error) {
	s, err := prepare()
	if err != nil {
		return nil, err
	}
	if err := s.run(ctx, "pg_basebackup", "-D", s.data(), "-h", c.dir, "-R", "-X", "stream", "-c", "fast", "--no-sync"); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if err := s.Restart(ctx); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	// Set once the copy is made: the copy itself is to wait for nobody.
	for _, text := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()", waitForStandby} {
		if err := c.SQL(ctx, text); err != nil {
			return nil, errors.Join(err, s.Stop(ctx))
		}
	}
	return s, nil
}

const waitForStandby = `DO $$ BEGIN
	FOR i IN 1..500 LOOP
		IF EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync') THEN RETURN; END IF;
		PERFORM pg_sleep(0.02), pg_stat_clear_snapshot();
	END LOOP;
	RAISE 'the standby does not follow';
END $$`

// Promote makes a standby the server that takes writes.
func (c *Cluster) Promote(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := c.run(ctx, "pg_ctl", "-D", c.data(), "-w", "promote"); err != nil {
		return fmt.Errorf("promote: %w", err)
	}
	return nil
}
