package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/turnout-events/turnout"
)

// pageOfLinks goes along the table's key. Its end is the last id of the same org.
const pageOfLinks = "SELECT key, body FROM link WHERE key > ? AND key <= ? AND length(body) > 0 ORDER BY key LIMIT ?"

// LinksAfter returns up to limit links of an org in order of id, from the one
// after; the zero id is before all. Fewer are the last.
func (c *Cache) LinksAfter(ctx context.Context, org turnout.OrgID, after turnout.LinkID, limit int) ([]turnout.AttendeeLink, error) {
	f := c.file()
	links, err := f.linksAfter(ctx, org, after, limit)
	if err != nil {
		return nil, c.failed(f, "read links in order", err)
	}
	return links, nil
}

func (f *file) linksAfter(ctx context.Context, org turnout.OrgID, after turnout.LinkID, limit int) ([]turnout.AttendeeLink, error) {
	num, err := f.number(ctx, org)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var last turnout.LinkID
	for i := range last {
		last[i] = 0xff
	}
	rows, err := f.pass.QueryContext(ctx, pageOfLinks, key(num, after), key(num, last), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	links := make([]turnout.AttendeeLink, 0, limit)
	for rows.Next() {
		var at, body []byte
		if err := rows.Scan(&at, &body); err != nil {
			return nil, err
		}
		l := turnout.AttendeeLink{Org: org}
		if len(at) != 4+len(l.ID) {
			return nil, fmt.Errorf("a link's key has %d bytes", len(at))
		}
		l.ID = turnout.LinkID(at[4:])
		if err := unpack(body, &l); err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, rows.Err()
}
