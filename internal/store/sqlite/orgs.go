package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/settings"
)

// orgNumbers remembers the short number of each org. Numbers never change.
type orgNumbers struct{ known sync.Map }

// org is an org's number; CodeNotFound for one that was never applied.
func (t *tx) org(id turnout.OrgID) (int64, error) {
	if n, ok := t.numbers.known.Load(id); ok {
		return n.(int64), nil
	}
	var num int64
	err := t.row("SELECT num FROM orgs WHERE org = ?", string(id)).Scan(&num)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, unknownOrg("find org", id)
	}
	if err != nil {
		return 0, fmt.Errorf("find org: %w", err)
	}
	// Remembered only once it is certain to be committed: from the next
	// transaction on, a number that this one added cannot be taken back.
	if !t.addedOrg {
		t.numbers.known.Store(id, num)
	}
	return num, nil
}

// orgNumber is an org's number for readers; sql.ErrNoRows for an unknown org.
func (s *Store) orgNumber(ctx context.Context, id turnout.OrgID) (int64, error) {
	if n, ok := s.orgs.known.Load(id); ok {
		return n.(int64), nil
	}
	var num int64
	err := s.reads.QueryRowContext(ctx, "SELECT num FROM orgs WHERE org = ?", string(id)).Scan(&num)
	if err == nil {
		s.orgs.known.Store(id, num)
	}
	return num, err
}

// SetOrg adds or replaces an org (Org.Replaces). Its secrets come sealed.
func (s *Store) SetOrg(ctx context.Context, o turnout.Org, secrets []byte, now time.Time) error {
	return s.do(ctx, "write org", func(t *tx) error {
		before, err := t.settings(o.ID)
		rest, err := settings.Replaced(o, before, err)
		if err != nil {
			return err
		}
		t.addedOrg = true
		if err := t.exec(`INSERT INTO orgs (org, settings, secrets, changed) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (org) DO UPDATE SET settings = ?2, secrets = ?3, changed = ?4`, string(o.ID), rest, secrets, millis(now)); err != nil {
			return err
		}
		return t.appendChange(turnout.Change{Kind: turnout.ChangeOrg, Org: o.ID, At: now})
	})
}

// UpdateOrg replaces an org's settings by what change makes of them, in one step that
// no other change comes between; its secrets stay. CodeNotFound for an unknown org.
// change may be called again, so it does nothing but return; its error leaves the org
// as it is. Nobody is told of a change of the org's move alone.
func (s *Store) UpdateOrg(ctx context.Context, id turnout.OrgID, change func(turnout.Org) (turnout.Org, error), now time.Time) error {
	return s.do(ctx, "change org", func(t *tx) error {
		before, err := t.settings(id)
		if err != nil {
			return err
		}
		rest, told, err := settings.Updated(before, change)
		if err != nil {
			return err
		}
		if err := t.exec("UPDATE orgs SET settings = ?2, changed = ?3 WHERE org = ?1", string(id), rest, millis(now)); err != nil {
			return err
		}
		if !told {
			return nil
		}
		return t.appendChange(turnout.Change{Kind: turnout.ChangeOrg, Org: id, At: now})
	})
}

// settings are an org's, without secrets; CodeNotFound for an unknown org.
func (t *tx) settings(id turnout.OrgID) (o turnout.Org, err error) {
	var text []byte
	err = t.row("SELECT settings FROM orgs WHERE org = ?", string(id)).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return o, unknownOrg("read org", id)
	}
	if err != nil {
		return o, fmt.Errorf("read org: %w", err)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("read org: %w", err)
	}
	return o, nil
}

func unknownOrg(op string, id turnout.OrgID) error {
	return turnout.Errorf(turnout.CodeNotFound, op, "org %s is not set up; use turnout org apply", id)
}

// Orgs lists all orgs in order of their ids, without secrets.
func (s *Store) Orgs(ctx context.Context) ([]turnout.Org, error) {
	rows, err := s.reads.QueryContext(ctx, "SELECT settings FROM orgs ORDER BY org")
	if err != nil {
		return nil, wrap("list orgs", err)
	}
	defer rows.Close()
	var all []turnout.Org
	for rows.Next() {
		var text []byte
		var o turnout.Org
		if err := rows.Scan(&text); err != nil {
			return nil, wrap("list orgs", err)
		}
		if err := json.Unmarshal(text, &o); err != nil {
			return nil, wrap("list orgs", err)
		}
		all = append(all, o)
	}
	return all, wrap("list orgs", rows.Err())
}

// OrgSecrets reads an org's sealed secrets; CodeNotFound for an unknown org.
func (s *Store) OrgSecrets(ctx context.Context, org turnout.OrgID) ([]byte, error) {
	var sealed []byte
	err := s.reads.QueryRowContext(ctx, "SELECT secrets FROM orgs WHERE org = ?", string(org)).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, unknownOrg("read org secrets", org)
	}
	return sealed, wrap("read org secrets", err)
}

// OrgKeys implements seal.Shelf.
func (s *Store) OrgKeys(ctx context.Context, scope string) ([]seal.StoredKey, error) {
	rows, err := s.reads.QueryContext(ctx, selectOrgKeys, scope)
	return collectOrgKeys(rows, err)
}

const selectOrgKeys = "SELECT scope, purpose, version, wrapped FROM org_keys WHERE scope = ? ORDER BY purpose, version"

func collectOrgKeys(rows *sql.Rows, err error) ([]seal.StoredKey, error) {
	if err != nil {
		return nil, wrap("read org keys", err)
	}
	defer rows.Close()
	var keys []seal.StoredKey
	for rows.Next() {
		var k seal.StoredKey
		if err := rows.Scan(&k.Scope, &k.Purpose, &k.Version, &k.Wrapped); err != nil {
			return nil, wrap("read org keys", err)
		}
		keys = append(keys, k)
	}
	return keys, wrap("read org keys", rows.Err())
}

// AddOrgKeys implements seal.Shelf: of two processes that make an org's first
// keys at once, both go on with those of the first.
func (s *Store) AddOrgKeys(ctx context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	var rest []seal.StoredKey
	err := s.do(ctx, "add org keys", func(t *tx) error {
		for _, k := range keys {
			if err := t.exec("INSERT INTO org_keys (scope, purpose, version, wrapped) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", k.Scope, k.Purpose, k.Version, k.Wrapped); err != nil {
				return err
			}
		}
		rows, err := t.rows(selectOrgKeys, keys[0].Scope)
		rest, err = collectOrgKeys(rows, err)
		if err != nil {
			return err
		}
		return t.appendChange(turnout.Change{Kind: turnout.ChangeOrg, Org: turnout.OrgID(keys[0].Scope)})
	})
	return rest, err
}

// ReplaceOrgKeys implements seal.Shelf.
func (s *Store) ReplaceOrgKeys(ctx context.Context, keys []seal.StoredKey) error {
	return s.do(ctx, "replace org keys", func(t *tx) error {
		for _, k := range keys {
			if err := t.exec("UPDATE org_keys SET wrapped = ? WHERE scope = ? AND purpose = ? AND version = ?", k.Wrapped, k.Scope, k.Purpose, k.Version); err != nil {
				return err
			}
		}
		return nil
	})
}
