package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// merge is what a restored store gets of several keyrings.
type merge struct {
	// backup is its StoreFile, whose orgs are those that are restored.
	backup keyring
	// rings are today's sources: the backup's own KeysFile first, since its keys
	// seal what is restored, the store that is there last.
	rings []keyring
	// present is the path of the store that is there, or empty.
	present string
	// master unwraps org keys; nil checks none.
	master  func() (seal.Master, error)
	masters *seal.Keyring
	orgKeys map[orgKeyName]*orgKey
}

type orgKeyName struct {
	scope, purpose string
	version        uint32
}

// orgKey is one org key, which may rest in several files under other master keys.
type orgKey struct {
	stored      seal.StoredKey
	from        string
	fingerprint []byte
	// err is why it does not unwrap.
	err error
}

// agree refuses what cannot be put together, before anything is changed.
func (m *merge) agree(ctx context.Context, keepOrgs bool) error {
	if err := m.sameOrgs(ctx, keepOrgs); err != nil {
		return err
	}
	m.orgKeys = map[orgKeyName]*orgKey{}
	if m.master != nil {
		m.masters = seal.NewKeyring(nil, m.master)
	}
	for _, k := range append([]keyring{m.backup}, m.rings...) {
		stored, err := k.orgKeys(ctx)
		if err != nil {
			return err
		}
		for _, s := range stored {
			if err := m.addOrgKey(ctx, k, s); err != nil {
				return err
			}
		}
	}
	for _, k := range m.orgKeys {
		if k.err != nil {
			return lockedOut(k)
		}
	}
	return nil
}

// lockedOut says which master key is missing.
func lockedOut(k *orgKey) error {
	advice := "restore again when it is right"
	if id := seal.MasterOf(k.stored.Wrapped); id != "" {
		advice = fmt.Sprintf("put master key %s into the master key file, as a line of its own if others are in it, and restore again", id)
	}
	return turnout.Errorf(turnout.CodeMisconfigured, "restore", "nothing of org %s could be read: %v; nothing was changed; %s", k.stored.Scope, k.err, advice)
}

// addOrgKey remembers a key in its newest wrapping.
func (m *merge) addOrgKey(ctx context.Context, from keyring, s seal.StoredKey) error {
	next := &orgKey{stored: s, from: from.path}
	name := orgKeyName{s.Scope, s.Purpose, s.Version}
	before := m.orgKeys[name]
	if before != nil && bytes.Equal(before.stored.Wrapped, s.Wrapped) {
		return nil
	}
	if m.masters != nil {
		next.fingerprint, next.err = m.masters.Fingerprint(ctx, s)
		if turnout.CodeOf(next.err) == turnout.CodeUnavailable {
			return turnout.Errorf(turnout.CodeUnavailable, "restore", "nothing of org %s can be read now: %v; nothing was changed, restore again when the service answers", s.Scope, next.err)
		}
	}
	if before != nil && before.err == nil && next.err == nil && !bytes.Equal(before.fingerprint, next.fingerprint) {
		return turnout.Errorf(turnout.CodeConflict, "restore", "org %s has other keys in %s than in %s: it was set up anew, and neither opens what the other sealed; move the store that is there out of the data directory and restore again, then forget again whoever was forgotten in it", s.Scope, from.path, before.from)
	}
	// A backup's own wrapping may be of a master key that was retired since. That
	// of the store that is there must open: its tombstones are worth nothing else.
	if before != nil && before.err == nil && next.err != nil && from.path != m.present {
		return nil
	}
	m.orgKeys[name] = next
	return nil
}

// sameOrgs refuses a store of orgs that the backup does not know: they would
// lose their registrations, or meet another org under their own host.
func (m *merge) sameOrgs(ctx context.Context, keep bool) error {
	restored, err := m.backup.orgs(ctx)
	if err != nil {
		return err
	}
	known, hosts := map[turnout.OrgID]bool{}, map[string]turnout.OrgID{}
	for _, o := range restored {
		known[o.ID] = true
		for _, h := range o.Hosts {
			hosts[strings.ToLower(h)] = o.ID
		}
	}
	for _, k := range m.rings {
		there, err := k.orgs(ctx)
		if err != nil {
			return err
		}
		for _, o := range there {
			if known[o.ID] {
				continue
			}
			if err := strange(k, o, hosts, keep); err != nil {
				return err
			}
		}
	}
	return nil
}

// strange says what keeps an org that the backup does not know from staying.
func strange(k keyring, o turnout.Org, hosts map[string]turnout.OrgID, keep bool) error {
	for _, h := range o.Hosts {
		if other, taken := hosts[strings.ToLower(h)]; taken {
			return turnout.Errorf(turnout.CodeConflict, "restore", "host %s is org %s in %s and org %s in the backup: this is the backup of another installation, or the host has moved; restore into another data directory, or give one of them another host with turnout org apply first", h, o.ID, k.path, other)
		}
	}
	if !keep {
		return turnout.Errorf(turnout.CodeConflict, "restore", "the backup does not know org %s, which is in %s: its registrations would not be in the restored store; restore into another data directory, or keep the org without its registrations with --keep-orgs", o.ID, k.path)
	}
	return nil
}

// write takes all keyrings over into the copy of the backup.
func (m *merge) write(ctx context.Context, t *tx) error {
	t.addedOrg = true
	for _, k := range m.orgKeys {
		s := k.stored
		if err := t.exec("INSERT OR REPLACE INTO org_keys (scope, purpose, version, wrapped) VALUES (?, ?, ?, ?)", s.Scope, s.Purpose, int64(s.Version), s.Wrapped); err != nil {
			return err
		}
	}
	nums := make([]map[int64]int64, len(m.rings))
	for i, k := range m.rings {
		var err error
		if nums[i], err = k.addOrgs(ctx, t); err != nil {
			return err
		}
		if err := k.addTombstones(ctx, t, nums[i]); err != nil {
			return err
		}
	}
	for i, k := range m.rings {
		if err := k.addPeople(ctx, t, nums[i]); err != nil {
			return err
		}
		if err := k.addErrands(ctx, t, nums[i]); err != nil {
			return err
		}
		if err := k.jump(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// unreadable counts the registrations of s whose person's key is missing or does
// not unwrap. Whoever was forgotten has none left here.
func (m *merge) unreadable(ctx context.Context, s *Store) (int, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT o.org, r.person, p.wrapped, count(*) FROM registrations r
		JOIN orgs o ON o.num = r.org LEFT JOIN people p ON p.org = r.org AND p.person = r.person
		WHERE r.sealed IS NOT NULL GROUP BY r.org, r.person`)
	if err != nil {
		return 0, fmt.Errorf("count unreadable: %w", err)
	}
	defer rows.Close()
	total, keys := 0, seal.NewKeyring(s, m.master)
	for rows.Next() {
		var org string
		var person, wrapped []byte
		var n int
		if err := rows.Scan(&org, &person, &wrapped, &n); err != nil {
			return 0, fmt.Errorf("count unreadable: %w", err)
		}
		if wrapped == nil || (m.master != nil && !opens(ctx, keys, org, person, wrapped)) {
			total += n
		}
	}
	return total, rows.Err()
}

func opens(ctx context.Context, keys *seal.Keyring, org string, person, wrapped []byte) bool {
	if len(person) != len(seal.Subject{}) {
		return false
	}
	_, err := keys.DataKey(ctx, org, seal.Subject(person), wrapped)
	return err == nil
}
