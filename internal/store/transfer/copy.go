// Package transfer copies a store to another engine, or another place, while it
// is in use.
//
// A copy makes the target equal to what the source was at one moment: both are
// read in the order of their keys, and what differs is written. So a copy that
// broke off is gone on with by making it again, and a second one only carries what
// has changed. The last one is made while nobody can write to the source: from the
// commit that fences it on, whatever instances try there fails, and none of it is
// acknowledged (P1).
//
// Each store carries a mark and a fence that keep everybody else out, until the
// copy is finished, from the target, and from then on from the source: instances
// that had it open before, too. Marks name the copy that put them there, so of two
// copies at once the earlier one breaks off.
package transfer

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Options of a copy.
type Options struct {
	// Finish fences the source, copies the rest and lets the target be used.
	Finish bool
	// Progress is told of each table when it was copied; nil for nobody.
	Progress func(Copied)
}

// Copied is what became of a table.
type Copied struct {
	Table string
	// Put and Dropped are how many rows of the target had to be written and deleted.
	Put, Dropped int64
	Digest
}

// Report is what became of a copy. Its digests are those of both stores.
type Report struct {
	Tables []Copied
	// Finished says that the target is in use from now on.
	Finished bool
}

// Copy makes to equal to from. It refuses a target that is in use, or that holds
// orgs which from does not have, and then changes nothing.
func Copy(ctx context.Context, from, to *Side, o Options) (Report, error) {
	source, target, err := mayCopy(ctx, from, to, o)
	if err != nil {
		return Report{}, err
	}
	id := rand.Text()
	c := &copying{from: from, to: to, mark: by(into, id)}
	if err := to.set(ctx, target, c.mark, true); err != nil {
		return Report{}, fmt.Errorf("mark %s: %w", to.Name, err)
	}
	if o.Finish {
		if err := from.set(ctx, source, by(moving, id), true); err != nil {
			return Report{}, fmt.Errorf("fence %s: %w", from.Name, err)
		}
	}
	r, err := c.once(ctx, o)
	if err != nil || !o.Finish {
		return r, err
	}
	// In this order: should it break off between, neither is in use, and both say so.
	if err := from.set(ctx, by(moving, id), moved, true); err != nil {
		return r, fmt.Errorf("mark %s: %w", from.Name, err)
	}
	if err := to.set(ctx, c.mark, "", false); err != nil {
		return r, fmt.Errorf("mark %s: %w", to.Name, err)
	}
	r.Finished = true
	return r, nil
}

// Cancel takes a fence back that Finish has put up, unless the other store is in
// use already. A copy that is under way breaks off.
func Cancel(ctx context.Context, from *Side) error {
	mark, err := from.mark(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", from.Name, err)
	}
	switch state(mark) {
	case "":
		return nil
	case moving:
		return from.set(ctx, mark, "", false)
	case moved:
		return fmt.Errorf("%s was moved, and what happened since is in the store that took its place: copy that one back", from.Name)
	}
	return fmt.Errorf("%s is a copy itself; there is nothing to cancel", from.Name)
}

// mayCopy gives the marks of both stores, if they allow a copy.
func mayCopy(ctx context.Context, from, to *Side, o Options) (source, target string, err error) {
	if source, err = from.mark(ctx); err != nil {
		return "", "", fmt.Errorf("read %s: %w", from.Name, err)
	}
	if target, err = to.mark(ctx); err != nil {
		return "", "", fmt.Errorf("read %s: %w", to.Name, err)
	}
	have, err := to.orgs(ctx)
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", to.Name, err)
	}
	known, err := from.orgs(ctx)
	if err != nil {
		return "", "", fmt.Errorf("read %s: %w", from.Name, err)
	}
	switch a, b := state(source), state(target); {
	case a == moved && b == into && o.Finish: // Finish broke off at its last step
	case a == moved:
		return "", "", fmt.Errorf("%s was moved, and what happened since is in the store that took its place: copy from that one", from.Name)
	case a == into:
		return "", "", fmt.Errorf("%s is a copy that was not finished: copy from the store that it is made from", from.Name)
	case a == moving && !o.Finish:
		return "", "", fmt.Errorf("%s is being moved: go on with --finish, or take that back with --cancel", from.Name)
	case b == moving:
		return "", "", fmt.Errorf("%s is being moved itself: finish that, or cancel it", to.Name)
	case b == "" && len(have) > 0:
		return "", "", fmt.Errorf("%s is in use, and a copy would overwrite it: copy to an empty place", to.Name)
	}
	for _, num := range slices.Sorted(maps.Keys(have)) {
		if known[num] != have[num] {
			return "", "", fmt.Errorf("%s has the org %s, which %s does not have as it is there: it belongs to another installation; copy to an empty place", to.Name, have[num], from.Name)
		}
	}
	return source, target, nil
}

// copying is one copy.
type copying struct {
	from, to *Side
	// mark is the target's while nobody else has begun a copy into it.
	mark   string
	moment *sql.Tx
}

// once brings the target to one moment of the source, and compares the two.
func (c *copying) once(ctx context.Context, o Options) (Report, error) {
	from, to := c.from, c.to
	moment, err := from.DB.BeginTx(ctx, &from.Snapshot)
	if err != nil {
		return Report{}, fmt.Errorf("read %s: %w", from.Name, err)
	}
	defer func() { _ = moment.Rollback() }() // it only reads
	c.moment = moment
	all := Tables()
	done := make([]Copied, len(all))
	for i := len(all) - 1; i >= 0; i-- { // what refers to others goes first
		done[i].Table = all[i].Name
		if done[i].Dropped, err = c.sync(ctx, all[i], true, nil); err != nil {
			return Report{}, fmt.Errorf("copy %s: %w", all[i].Name, err)
		}
	}
	for i, table := range all {
		d := newDigester()
		if done[i].Put, err = c.sync(ctx, table, false, d); err != nil {
			return Report{}, fmt.Errorf("copy %s: %w", table.Name, err)
		}
		done[i].Digest = d.digest()
		if o.Progress != nil {
			o.Progress(done[i])
		}
	}
	if err := to.Written(ctx, to.DB); err != nil {
		return Report{}, fmt.Errorf("write %s: %w", to.Name, err)
	}
	return Report{Tables: done}, to.verify(ctx, done)
}

// verify compares what is in a store with what should be.
func (s *Side) verify(ctx context.Context, want []Copied) error {
	moment, err := s.DB.BeginTx(ctx, &s.Snapshot)
	if err != nil {
		return err
	}
	defer func() { _ = moment.Rollback() }() // it only reads
	for i, table := range Tables() {
		got, err := s.digest(ctx, moment, table)
		if err != nil {
			return err
		}
		if got != want[i].Digest {
			return fmt.Errorf("%s of %s has %d rows and another digest than the %d rows that were copied: somebody else writes to it; copy again", table.Name, s.Name, got.Rows, want[i].Rows)
		}
	}
	return nil
}

func (s *Side) digest(ctx context.Context, t *sql.Tx, table Table) (Digest, error) {
	c, err := s.rows(ctx, t, table)
	if err != nil {
		return Digest{}, err
	}
	defer c.close()
	d := newDigester()
	for {
		r, err := c.next()
		if r == nil || err != nil {
			return d.digest(), err
		}
		d.add(r)
	}
}

// sync drops the target's rows that the source does not have, or puts those that
// it has otherwise; d, if any, is given all of the source's. It returns how many
// it wrote.
func (c *copying) sync(ctx context.Context, table Table, drop bool, d *digester) (n int64, err error) {
	before, err := c.to.DB.BeginTx(ctx, &c.to.Snapshot)
	if err != nil {
		return 0, err
	}
	defer func() { _ = before.Rollback() }() // it only reads
	source, err := c.from.rows(ctx, c.moment, table)
	if err != nil {
		return 0, err
	}
	defer source.close()
	target, err := c.to.rows(ctx, before, table)
	if err != nil {
		return 0, err
	}
	defer target.close()
	var batch []row
	flush := func() error {
		rows := batch
		batch, n = batch[:0], n+int64(len(rows))
		return c.write(ctx, table, rows, drop)
	}
	err = merge(table, source, target, func(theirs, ours row) error {
		if theirs != nil && d != nil {
			d.add(theirs)
		}
		if (drop && theirs == nil) || (!drop && theirs != nil && !equal(theirs, ours)) {
			batch = append(batch, map[bool]row{true: ours, false: theirs}[drop])
		}
		if len(batch) < most {
			return nil
		}
		return flush()
	})
	if err != nil {
		return n, err
	}
	return n, flush()
}

// write changes rows of the target, as long as that is this copy's.
func (c *copying) write(ctx context.Context, table Table, rows []row, drop bool) error {
	if len(rows) == 0 {
		return nil
	}
	return c.to.change(ctx, func(t *sql.Tx) error {
		if err := c.to.holds(ctx, t, c.mark); err != nil {
			return err
		}
		pass, closed := c.to.Pass(table.Name)
		if err := run(ctx, t, pass); err != nil {
			return err
		}
		if drop {
			if err := c.to.drop(ctx, t, table, rows); err != nil {
				return err
			}
			return run(ctx, t, closed)
		}
		if err := c.to.put(ctx, t, table, rows); err != nil {
			return err
		}
		if text := c.to.Renumber(table.Name); table.Numbered && text != "" {
			closed = append(closed, text)
		}
		return run(ctx, t, closed)
	})
}

// merge goes through two tables at once and tells of each key what each has of
// it, nil for nothing.
func merge(table Table, a, b *cursor, tell func(a, b row) error) error {
	ra, err := a.next()
	rb, errB := b.next()
	for err = errors.Join(err, errB); err == nil && (ra != nil || rb != nil); {
		order := 0
		switch {
		case ra == nil:
			order = 1
		case rb == nil:
			order = -1
		default:
			order = table.compare(ra, rb)
		}
		switch {
		case order < 0:
			if err = tell(ra, nil); err == nil {
				ra, err = a.next()
			}
		case order > 0:
			if err = tell(nil, rb); err == nil {
				rb, err = b.next()
			}
		default:
			if err = tell(ra, rb); err == nil {
				ra, err = a.next()
				rb, errB = b.next()
				err = errors.Join(err, errB)
			}
		}
	}
	return err
}
