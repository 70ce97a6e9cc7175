package sqlite

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/compact"
)

// answered knows of most links that no registration came through them, without
// a query. It asks the file instead whether anything was committed since it last
// read, by any process: SQLite begins the shared memory beside a file in WAL mode
// with a header of 48 bytes, twice, which every commit changes before it returns
// (https://www.sqlite.org/walformat.html, section 2). As long as it is the same,
// what was read before is all there is.
//
// It errs on one side only: where it cannot tell, the query is asked.
type answered struct {
	seed   maphash.Seed
	shm    int // descriptor of the shared memory's file; -1 for none
	closed atomic.Bool

	// seen is the header before everything was read; nil while there is more to
	// read. Nobody waits for whoever reads on.
	seen  atomic.Pointer[header]
	links compact.Set

	reading sync.Mutex
	// last is the id of the newest registration that was read. Registrations are
	// never deleted, ids grow, and a link is only ever taken away from one.
	last int64
}

// header is both copies of the wal-index header.
type header [2 * 48]byte

// walVersion begins a header of the format that is understood here.
const walVersion = 3007000

// answeredPage is how many registrations are read at a time: one visitor waits
// for as many, while all others ask the query.
const answeredPage = 500

const registrationsAfter = "SELECT id, org, link FROM registrations WHERE id > ? ORDER BY id LIMIT ?"

// openAnswered needs a connection to be open, which makes the shared memory. Its
// descriptor is never closed: a process that closes any descriptor of a file loses
// all its POSIX locks on it, and SQLite's other connections hold theirs on this one.
func openAnswered(path string) *answered {
	a := &answered{seed: maphash.MakeSeed(), shm: -1}
	if fd, err := syscall.Open(path+"-shm", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err == nil {
		a.shm = fd
	}
	return a
}

// header reads the header, unless it cannot be relied on now.
func (a *answered) header() (h header, ok bool) {
	if a.shm < 0 || a.closed.Load() {
		return h, false
	}
	n, err := syscall.Pread(a.shm, h[:], 0)
	if err != nil {
		return h, false
	}
	return soundHeader(h[:n])
}

// soundHeader takes a header that is whole, of a format that is understood, and
// not being written.
func soundHeader(b []byte) (h header, ok bool) {
	if len(b) < len(h) {
		return h, false
	}
	h = header(b)
	return h, [48]byte(h[:48]) == [48]byte(h[48:]) && binary.NativeEndian.Uint32(h[:]) == walVersion && h[12] == 1 // isInit
}

func (a *answered) hash(org int64, link turnout.LinkID) uint64 {
	return maphash.Comparable(a.seed, struct {
		org  int64
		link turnout.LinkID
	}{org, link})
}

// mayBeAnswered is false for a link of which it is certain that no registration
// that was committed when it was called came through it.
func (s *Store) mayBeAnswered(ctx context.Context, org int64, link turnout.LinkID) bool {
	a := s.hot.answered
	now, ok := a.header()
	if !ok {
		return true
	}
	seen := a.seen.Load()
	current := seen != nil && *seen == now
	return !current && !s.catchUp(ctx, now) || a.links.Has(a.hash(org, link))
}

// catchUp reads which links were answered since it last did. It reports false
// if somebody else is at it, or there is more to read.
func (s *Store) catchUp(ctx context.Context, now header) bool {
	a := s.hot.answered
	if !a.reading.TryLock() {
		return false
	}
	defer a.reading.Unlock()
	rows, err := s.hot.after.QueryContext(context.WithoutCancel(ctx), a.last, answeredPage)
	if err != nil {
		return false // the query will say why
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var org int64
		var link []byte
		if rows.Scan(&a.last, &org, &link) != nil {
			return false
		}
		if len(link) == len(turnout.LinkID{}) {
			a.links.Add(a.hash(org, turnout.LinkID(link)))
		}
	}
	if rows.Err() != nil || n == answeredPage {
		return false
	}
	a.seen.Store(&now)
	return true
}
