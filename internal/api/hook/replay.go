package hook

import (
	"crypto/sha256"
	"hash/maphash"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

// digest stands for a signed hook: a hash of what was signed, not of a
// signature, so that the same hook under the org's other secret is the same.
type digest [sha256.Size]byte

func digestOf(stamp string, body []byte) digest {
	h := sha256.New()
	h.Write([]byte(stamp + "."))
	h.Write(body)
	return digest(h.Sum(nil))
}

// remember is how long a hook is remembered: as long as its signature can
// pass, which is Skew before its time until Skew after.
const remember = 2 * Skew

// pressedTwice is how long after a hook the same one may be another press of the button:
// stamps are whole seconds, and one of two hooks may be longer on its way.
const pressedTwice = 3 * time.Second

// perOrg bounds one generation of an org's memory: 40 bytes and some map, so
// at most about 1 MiB for an org. Only hooks that were signed get in. An org
// that sends more than that in ten minutes has its oldest ones forgotten early.
const perOrg = 8192

const shards = 16

// memory remembers which hooks came in to this instance. What came in to others
// Options.Ours tells; this spares the question for what is replayed here.
type memory struct {
	seed  maphash.Seed
	shard [shards]struct {
		sync.Mutex
		orgs map[turnout.OrgID]*generations
	}
}

// generations hold when an org's hooks came: the newer ones, and those of the period before.
type generations struct {
	since       time.Time
	now, before map[digest]int64 // in Unix nanoseconds
}

func newMemory() *memory { return &memory{seed: maphash.MakeSeed()} }

// add remembers a hook. One that is remembered already came so long ago; first says
// that it was not.
func (m *memory) add(org turnout.OrgID, d digest, now time.Time) (age time.Duration, first bool) {
	shard := &m.shard[maphash.String(m.seed, string(org))%shards]
	shard.Lock()
	defer shard.Unlock()
	g := shard.orgs[org]
	if g == nil {
		g = &generations{since: now, now: map[digest]int64{}}
		if shard.orgs == nil {
			shard.orgs = map[turnout.OrgID]*generations{}
		}
		shard.orgs[org] = g
	}
	if now.Sub(g.since) >= remember || len(g.now) >= perOrg {
		g.since, g.before, g.now = now, g.now, map[digest]int64{}
	}
	for _, some := range []map[digest]int64{g.now, g.before} {
		if at, again := some[d]; again {
			return now.Sub(time.Unix(0, at)), false
		}
	}
	g.now[d] = now.UnixNano()
	return 0, true
}

// drop forgets a hook that could not be taken, so that it may come again.
func (m *memory) drop(org turnout.OrgID, d digest) {
	shard := &m.shard[maphash.String(m.seed, string(org))%shards]
	shard.Lock()
	defer shard.Unlock()
	if g := shard.orgs[org]; g != nil {
		delete(g.now, d)
		delete(g.before, d)
	}
}
