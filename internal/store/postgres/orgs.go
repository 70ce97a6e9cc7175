package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/postgres/wire"
	"github.com/turnout-events/turnout/internal/store/settings"
)

// org is an org's short number; CodeNotFound for one that was never applied.
func (s *Store) org(ctx context.Context, id turnout.OrgID) (int64, error) {
	if n, ok := s.orgs.Load(id); ok {
		return n.(int64), nil
	}
	var num int64
	err := wire.QueryRow(ctx, s.pool, "SELECT num FROM orgs WHERE org = $1", []any{string(id)}, &num)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, unknownOrg("find org", id)
	}
	if err == nil {
		s.orgs.Store(id, num)
	}
	return num, err
}

// SetOrg adds or replaces an org (Org.Replaces). Its secrets come sealed.
func (s *Store) SetOrg(ctx context.Context, o turnout.Org, secrets []byte, now time.Time) error {
	return s.aside(ctx, "write org", func(t *tx) error {
		before, err := t.settings(o.ID)
		rest, err := settings.Replaced(o, before, err)
		if err != nil {
			return err
		}
		if err := t.Exec(`INSERT INTO orgs (org, settings, secrets, changed) VALUES ($1, $2, $3, $4)
			ON CONFLICT (org) DO UPDATE SET settings = $2, secrets = $3, changed = $4`, string(o.ID), rest, secrets, millis(now)); err != nil {
			return err
		}
		t.appendChange(turnout.Change{Kind: turnout.ChangeOrg, Org: o.ID, At: now})
		return nil
	})
}

// UpdateOrg replaces an org's settings by what change makes of them, in one step that
// no other change comes between; its secrets stay. CodeNotFound for an unknown org.
// change may be called again, so it does nothing but return; its error leaves the org
// as it is. Nobody is told of a change of the org's move alone.
func (s *Store) UpdateOrg(ctx context.Context, id turnout.OrgID, change func(turnout.Org) (turnout.Org, error), now time.Time) error {
	return s.aside(ctx, "change org", func(t *tx) error {
		before, err := t.settings(id)
		if err != nil {
			return err
		}
		rest, told, err := settings.Updated(before, change)
		if err != nil {
			return err
		}
		if err := t.Exec("UPDATE orgs SET settings = $2, changed = $3 WHERE org = $1", string(id), rest, millis(now)); err != nil {
			return err
		}
		if told {
			t.appendChange(turnout.Change{Kind: turnout.ChangeOrg, Org: id, At: now})
		}
		return nil
	})
}

// settings are an org's, without secrets, which nobody else changes before the
// transaction ends; CodeNotFound for an unknown org.
func (t *tx) settings(id turnout.OrgID) (o turnout.Org, err error) {
	var text string
	err = t.Row("SELECT settings FROM orgs WHERE org = $1 FOR UPDATE", []any{string(id)}, &text)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, unknownOrg("read org", id)
	}
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal([]byte(text), &o)
}

func unknownOrg(op string, id turnout.OrgID) error {
	return turnout.Errorf(turnout.CodeNotFound, op, "org %s is not set up; use turnout org apply", id)
}

// Orgs lists all orgs in order of their ids, without secrets.
func (s *Store) Orgs(ctx context.Context) ([]turnout.Org, error) {
	all, err := wire.Query(ctx, s.pool, func(row wire.Scanner) (o turnout.Org, err error) {
		var text string
		if err := row.Scan(&text); err != nil {
			return o, err
		}
		return o, json.Unmarshal([]byte(text), &o)
	}, "SELECT settings FROM orgs ORDER BY org")
	return all, wire.Wrap("list orgs", err)
}

// OrgSecrets reads an org's sealed secrets; CodeNotFound for an unknown org.
func (s *Store) OrgSecrets(ctx context.Context, org turnout.OrgID) ([]byte, error) {
	var sealed []byte
	err := wire.QueryRow(ctx, s.pool, "SELECT secrets FROM orgs WHERE org = $1", []any{string(org)}, &sealed)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, unknownOrg("read org secrets", org)
	}
	return sealed, wire.Wrap("read org secrets", err)
}

const selectOrgKeys = "SELECT scope, purpose, version, wrapped FROM org_keys WHERE scope = $1 ORDER BY purpose, version"

// OrgKeys implements seal.Shelf.
func (s *Store) OrgKeys(ctx context.Context, scope string) ([]seal.StoredKey, error) {
	keys, err := wire.Query(ctx, s.pool, scanOrgKey, selectOrgKeys, scope)
	return keys, wire.Wrap("read org keys", err)
}

func scanOrgKey(row wire.Scanner) (k seal.StoredKey, err error) {
	err = row.Scan(&k.Scope, &k.Purpose, &k.Version, &k.Wrapped)
	return k, err
}

// AddOrgKeys implements seal.Shelf: of two processes that make an org's first
// keys at once, both go on with those of the first.
func (s *Store) AddOrgKeys(ctx context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	var rest []seal.StoredKey
	err := s.aside(ctx, "add org keys", func(t *tx) (err error) {
		for _, k := range keys { // whoever adds the same waits here for the other's commit
			if err := t.Exec("INSERT INTO org_keys (scope, purpose, version, wrapped) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", k.Scope, k.Purpose, k.Version, k.Wrapped); err != nil {
				return err
			}
		}
		if rest, err = wire.Rows(t.Session, scanOrgKey, selectOrgKeys, keys[0].Scope); err != nil {
			return err
		}
		t.appendChange(turnout.Change{Kind: turnout.ChangeOrg, Org: turnout.OrgID(keys[0].Scope)})
		return nil
	})
	return rest, err
}

// ReplaceOrgKeys implements seal.Shelf.
func (s *Store) ReplaceOrgKeys(ctx context.Context, keys []seal.StoredKey) error {
	return s.aside(ctx, "replace org keys", func(t *tx) error {
		for _, k := range keys {
			if err := t.Exec("UPDATE org_keys SET wrapped = $1 WHERE scope = $2 AND purpose = $3 AND version = $4", k.Wrapped, k.Scope, k.Purpose, k.Version); err != nil {
				return err
			}
		}
		return nil
	})
}
