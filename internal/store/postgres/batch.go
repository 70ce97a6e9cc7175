package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout"
)

type (
	keyKey struct {
		org int64
		key turnout.Key
	}
	linkKey struct {
		org  int64
		link turnout.LinkID
	}
	personKey struct {
		org    int64
		person turnout.PersonID
	}
	holderKey struct {
		lane   int64
		person turnout.PersonID
	}
)

// reads are what a batch of acceptances must know, read in one exchange after
// the lanes were locked, and kept up while the batch is decided.
type reads struct {
	wanted []*acceptance
	// early says that they came with the locks.
	early   bool
	keys    map[keyKey]*turnout.Registration
	links   map[linkKey][]*turnout.Registration // oldest first
	people  map[personKey][]byte
	holders map[holderKey][]turnout.Key
}

func newReads(jobs []*job) *reads {
	r := &reads{
		keys: map[keyKey]*turnout.Registration{}, links: map[linkKey][]*turnout.Registration{},
		people: map[personKey][]byte{}, holders: map[holderKey][]turnout.Key{},
	}
	for _, j := range jobs {
		if j.accept != nil {
			r.wanted = append(r.wanted, j.accept)
		}
	}
	return r
}

// The rows of people are locked so that nobody is forgotten between this look
// and the commit of what was sealed with their key (P8).
const (
	readKeys = selectRegistration + ` JOIN unnest($1::bigint[], $2::text[]) AS w (org, key) ON w.org = r.org AND w.key = r.key`
	// One link may be used at two events at once, whose lanes are no common lock.
	// A connection's share of the server's table of locks holds a batch's links.
	lockLinks = `SELECT count(pg_advisory_xact_lock(l)) FROM (SELECT unnest($1::bigint[]) AS l) links`
	// The status is asked for here, so that a link's old cancellations stay unread.
	readLinks = selectRegistration + ` JOIN (SELECT DISTINCT * FROM unnest($1::bigint[], $2::bytea[]) AS v (org, link)) w ON w.org = r.org AND w.link = r.link
		WHERE r.link IS NOT NULL AND r.status <> 'cancelled' ORDER BY r.id`
	readPeople = `SELECT p.org, p.person, p.wrapped FROM people p
		WHERE (p.org, p.person) IN (SELECT * FROM unnest($1::bigint[], $2::bytea[])) ORDER BY p.org, p.person FOR KEY SHARE OF p`
	readHolders = `SELECT r.lane, r.person, r.key FROM registrations r
		WHERE (r.org, r.person) IN (SELECT * FROM unnest($1::bigint[], $2::bytea[])) AND r.status IN ('registered', 'waitlisted')`
)

// queue asks for all of it.
func (r *reads) queue(b *pgx.Batch) {
	if len(r.wanted) == 0 {
		return
	}
	var orgs, linkOrgs, onceOrgs []int64
	var keys []string
	var people, links, once [][]byte
	for _, a := range r.wanted {
		orgs, keys, people = append(orgs, a.org), append(keys, string(a.Key)), append(people, a.DataKey.Person[:])
		if !a.Link.IsZero() {
			linkOrgs, links = append(linkOrgs, a.org), append(links, a.Link[:])
		}
		if a.OncePerPerson {
			onceOrgs, once = append(onceOrgs, a.org), append(once, a.DataKey.Person[:])
		}
	}
	if len(links) > 0 {
		b.Queue(lockLinks, linkLocks(linkOrgs, links))
	}
	b.Queue(readKeys, orgs, keys).Query(r.foundRegistrations(false))
	b.Queue(readPeople, orgs, people).Query(r.foundPeople)
	if len(links) > 0 {
		b.Queue(readLinks, linkOrgs, links).Query(r.foundRegistrations(true))
	}
	if len(once) > 0 {
		b.Queue(readHolders, onceOrgs, once).Query(r.foundHolders)
	}
}

// linkLocks are the numbers of links' locks, in the one order in which they are
// taken. Two links of one number wait for each other, and that is all.
func linkLocks(orgs []int64, links [][]byte) []int64 {
	locks := make([]int64, len(links))
	for i, link := range links {
		locks[i] = int64(binary.BigEndian.Uint64(link)) + orgs[i] //nolint:gosec // any number will do
	}
	slices.Sort(locks)
	return slices.Compact(locks)
}

func (r *reads) foundRegistrations(byLink bool) func(pgx.Rows) error {
	return func(found pgx.Rows) error {
		nums := map[turnout.OrgID]int64{}
		for _, a := range r.wanted {
			nums[a.Org] = a.org
		}
		for found.Next() {
			one, err := scanRegistration(found)
			if err != nil {
				return fmt.Errorf("find first registration: %w", err)
			}
			if byLink {
				key := linkKey{nums[one.Org], one.Link}
				r.links[key] = append(r.links[key], &one)
			} else {
				r.keys[keyKey{nums[one.Org], one.Key}] = &one
			}
		}
		return found.Err()
	}
}

func (r *reads) foundPeople(found pgx.Rows) error {
	for found.Next() {
		var org int64
		var person, wrapped []byte
		if err := found.Scan(&org, &person, &wrapped); err != nil {
			return fmt.Errorf("read data keys: %w", err)
		}
		r.people[personKey{org, turnout.PersonID(person)}] = wrapped
	}
	return found.Err()
}

func (r *reads) foundHolders(found pgx.Rows) error {
	for found.Next() {
		var h holderKey
		var person []byte
		var key turnout.Key
		if err := found.Scan(&h.lane, &person, &key); err != nil {
			return fmt.Errorf("read who holds seats: %w", err)
		}
		h.person = turnout.PersonID(person)
		r.holders[h] = append(r.holders[h], key)
	}
	return found.Err()
}

// holds tells whether the person holds a place by another key.
func (r *reads) holds(a *acceptance, lane int64) bool {
	return slices.ContainsFunc(r.holders[holderKey{lane, a.DataKey.Person}], func(k turnout.Key) bool { return k != a.Key })
}

// add lets the rest of the batch see what was just accepted.
func (r *reads) add(a *acceptance, lane int64) {
	one := a.out.Registration
	r.keys[keyKey{a.org, a.Key}] = &one
	if !a.Link.IsZero() {
		key := linkKey{a.org, a.Link}
		r.links[key] = append(r.links[key], &one)
	}
	if one.Status.Holds() {
		h := holderKey{lane, a.DataKey.Person}
		r.holders[h] = append(r.holders[h], a.Key)
	}
}

// writes are what a batch of acceptances inserts.
type writes struct {
	people        []*acceptance
	registrations []entry
}

type entry struct {
	*acceptance
	lane   int64
	status turnout.Status
}

// queue inserts all of it. What another process inserted since the look violates
// a unique index, and the batch starts anew. People go in order of their index, so
// that two processes wait for each other in one direction; registrations go in
// the order in which they were decided, which is the waitlist's.
func (w *writes) queue(b *pgx.Batch) {
	if len(w.people) > 0 {
		slices.SortFunc(w.people, func(x, y *acceptance) int { return bytes.Compare(x.DataKey.Person[:], y.DataKey.Person[:]) })
		var orgs []int64
		var people, wrapped [][]byte
		for _, a := range w.people {
			orgs, people, wrapped = append(orgs, a.org), append(people, a.DataKey.Person[:]), append(wrapped, a.DataKey.Wrapped)
		}
		b.Queue("INSERT INTO people (org, person, wrapped) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])", orgs, people, wrapped)
	}
	w.queueRegistrations(b)
	*w = writes{}
}

func (w *writes) queueRegistrations(b *pgx.Batch) {
	if len(w.registrations) == 0 {
		return
	}
	n := len(w.registrations)
	orgs, lanes, ats := make([]int64, n), make([]int64, n), make([]int64, n)
	keys, status, claims := make([]string, n), make([]string, n), make([]string, n)
	fingerprints, people, links, sealed := make([][]byte, n), make([][]byte, n), make([][]byte, n), make([][]byte, n)
	for i, e := range w.registrations {
		orgs[i], lanes[i], ats[i] = e.org, e.lane, millis(e.At)
		keys[i], status[i], claims[i] = string(e.Key), string(e.status), e.claims
		fingerprints[i], people[i], sealed[i] = e.Fingerprint[:], e.DataKey.Person[:], e.Sealed
		if !e.Link.IsZero() {
			links[i] = e.Link[:]
		}
	}
	b.Queue(`INSERT INTO registrations
		(org, lane, key, fingerprint, person, link, status, claims, sealed, revision, delivered, due_at, accepted_at, changed_at)
		SELECT org, lane, key, fingerprint, person, link, status, claims, sealed, 1, 0, at, at, at
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[], $8::text[], $9::bytea[], $10::bigint[])
		WITH ORDINALITY AS n (org, lane, key, fingerprint, person, link, status, claims, sealed, at, place) ORDER BY place`,
		orgs, lanes, keys, fingerprints, people, links, status, claims, sealed, ats)
}
