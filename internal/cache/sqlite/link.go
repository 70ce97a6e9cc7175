package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/turnout-events/turnout"
)

// chunkLinks is how many links one transaction writes at most. Links lie
// anywhere in the table, so a small transaction writes about a page for each:
// with half a million links, 20,000 at a time were 2.7 times as fast as 2,000.
// But the other writers of the file wait for as long.
const chunkLinks = 10_000

const putLink = `INSERT INTO link (key, person, changed, body) VALUES (?, ?, ?, ?)
	ON CONFLICT (key) DO UPDATE SET person = excluded.person, changed = excluded.changed, body = excluded.body
	WHERE excluded.changed > changed OR excluded.changed = changed AND length(body) > 0`

// dropLink leaves the row without a body and a person, so that it still says
// since when the link is gone.
const dropLink = `INSERT INTO link (key, person, changed, body) VALUES (?, ?, ?, x'')
	ON CONFLICT (key) DO UPDATE SET person = excluded.person, changed = excluded.changed, body = excluded.body
	WHERE excluded.changed >= changed`

// maxEventID is the longest id of an event, in bytes: expand.sql reads its
// length as a character. Salesforce's have 18.
const maxEventID = 127

// key is how an id of an org stands in the table.
func key(org int64, id [16]byte) []byte {
	k := make([]byte, 0, 20)
	return append(binary.BigEndian.AppendUint32(k, uint32(org)), id[:]...)
}

// pack is a link's row in one value: changed in 8 bytes, person in 16, the
// length of event in one, event, sealed.
func pack(l *turnout.AttendeeLink) []byte {
	b := make([]byte, 0, 25+len(l.Event)+len(l.Sealed))
	b = binary.BigEndian.AppendUint64(b, uint64(millis(l.Changed)))
	b = append(b, l.Person[:]...)
	b = append(b, byte(len(l.Event)))
	b = append(b, l.Event...)
	return append(b, l.Sealed...)
}

// unpack reverses pack. l keeps parts of body.
func unpack(body []byte, l *turnout.AttendeeLink) error {
	if len(body) < 25 || len(body) < 25+int(body[24]) {
		return fmt.Errorf("the row of link %s is too short", l.ID)
	}
	l.Changed = instant(int64(binary.BigEndian.Uint64(body)))
	l.Person = turnout.PersonID(body[8:24])
	event := 25 + int(body[24])
	l.Event, l.Sealed = turnout.EventID(body[25:event]), body[event:]
	return nil
}

// PutLinks stores links; one whose Changed is older than what is there is
// left out, and so is one that is no newer than its own removal. It is one
// transaction per 10,000 links: after an error, earlier ones may be stored.
func (c *Cache) PutLinks(ctx context.Context, links []turnout.AttendeeLink) error {
	return c.writeLinks(ctx, "store links", putLink, links, func(num int64, l *turnout.AttendeeLink) []any {
		return []any{key(num, l.ID), key(num, l.Person), millis(l.Changed), pack(l)}
	})
}

// DeleteLinks removes links as of their Changed; they need not be there. One
// that changed later stays. Only Org, ID and Changed count, and they are kept,
// so that a copy that was read before does not bring the link back.
func (c *Cache) DeleteLinks(ctx context.Context, links []turnout.AttendeeLink) error {
	return c.writeLinks(ctx, "remove links", dropLink, links, func(num int64, l *turnout.AttendeeLink) []any {
		return []any{key(num, l.ID), key(num, turnout.PersonID{}), millis(l.Changed)}
	})
}

func (c *Cache) writeLinks(ctx context.Context, op, query string, links []turnout.AttendeeLink, args func(num int64, l *turnout.AttendeeLink) []any) error {
	// In the order of the table's key, a chunk touches each page once.
	sorted := slices.SortedStableFunc(slices.Values(links), func(a, b turnout.AttendeeLink) int {
		return cmp.Or(cmp.Compare(a.Org, b.Org), bytes.Compare(a.ID[:], b.ID[:]))
	})
	f := c.file()
	for chunk := range slices.Chunk(sorted, chunkLinks) {
		nums, err := f.orgsOf(ctx, chunk)
		if err == nil {
			err = f.inTx(ctx, query, len(chunk), func(i int) []any { return args(nums[chunk[i].Org], &chunk[i]) })
		}
		if err != nil {
			return c.failed(f, op, err)
		}
	}
	return nil
}

// orgsOf are the numbers of the links' orgs.
func (f *file) orgsOf(ctx context.Context, links []turnout.AttendeeLink) (map[turnout.OrgID]int64, error) {
	nums := map[turnout.OrgID]int64{}
	for _, l := range links {
		if len(l.Event) > maxEventID {
			return nil, fmt.Errorf("link %s: the event's id has %d bytes", l.ID, len(l.Event))
		}
		if _, ok := nums[l.Org]; ok {
			continue
		}
		num, err := f.numbered(ctx, l.Org)
		if err != nil {
			return nil, err
		}
		nums[l.Org] = num
	}
	return nums, nil
}

// inTx runs one statement n times in one transaction.
func (f *file) inTx(ctx context.Context, query string, n int, args func(i int) []any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // see Link
	tx, err := f.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i := range n {
		if _, err := stmt.ExecContext(ctx, args(i)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Link returns one link, or CodeNotFound. It is one point query, the hottest
// of all, and takes microseconds: it runs without the caller's cancellation,
// for which the driver would start a goroutine per query.
func (c *Cache) Link(ctx context.Context, org turnout.OrgID, id turnout.LinkID) (turnout.AttendeeLink, error) {
	const op = "read link"
	if err := ctx.Err(); err != nil {
		return turnout.AttendeeLink{}, turnout.Wrap(turnout.CodeUnavailable, op, err)
	}
	ctx = context.WithoutCancel(ctx)
	f := c.hot()
	l, err := f.link(ctx, org, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return turnout.AttendeeLink{}, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	case err != nil:
		return turnout.AttendeeLink{}, c.failed(f, op, err)
	}
	return l, nil
}

func (f *file) link(ctx context.Context, org turnout.OrgID, id turnout.LinkID) (turnout.AttendeeLink, error) {
	l := turnout.AttendeeLink{ID: id, Org: org}
	num, err := f.number(ctx, org)
	if err != nil {
		return l, err
	}
	value, err := f.point.Row(ctx, 0, key(num, id))
	if err != nil {
		return l, err
	}
	body, _ := value.([]byte)
	if len(body) == 0 {
		return l, sql.ErrNoRows // it is gone
	}
	return l, unpack(body, &l)
}

// DeletePerson removes all links of a person (P8).
func (c *Cache) DeletePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error {
	f := c.file()
	num, err := f.number(ctx, org)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = f.write.ExecContext(ctx, "DELETE FROM link WHERE person = ?", key(num, person))
	}
	if err != nil {
		return c.failed(f, "remove links of a person", err)
	}
	return nil
}
