package edge

import (
	"hash/maphash"
	"net/http"
	"sync"

	"github.com/turnout-events/turnout"
)

// eventHeader is how an instance says which event the form of a personal link is
// for, by its slug. It is for the edge and goes no further.
const eventHeader = "Turnout-Event"

// links remembers which event a personal link is for, as far as a table of fixed
// size can, for events that have a limit of their own: what is forgotten an
// instance says again. It keeps a hash of a token and never the token. The zero
// value takes no memory until there is something to remember. Safe for
// concurrent use.
type links struct {
	mu    sync.Mutex
	seed  maphash.Seed
	slots []link
}

type link struct {
	hash uint64
	slug string // of the table of routes
}

// mostLinks are remembered at once, 24 bytes each.
const mostLinks = 1 << 16

// slot is where a link is remembered. The caller has the lock.
func (t *links) slot(org turnout.OrgID, token string) (*link, uint64) {
	var h maphash.Hash
	h.SetSeed(t.seed)
	_, _ = h.WriteString(string(org)) // never fails
	_ = h.WriteByte(0)
	_, _ = h.WriteString(token)
	sum := h.Sum64() | 1
	return &t.slots[(sum>>1)%uint64(len(t.slots))], sum
}

// event is the slug of a link's event, empty for not known.
func (t *links) event(org turnout.OrgID, token string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == nil {
		return ""
	}
	if l, hash := t.slot(org, token); l.hash == hash {
		return l.slug
	}
	return ""
}

func (t *links) learn(org turnout.OrgID, token, slug string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.slots == nil {
		t.seed, t.slots = maphash.MakeSeed(), make([]link, mostLinks)
	}
	l, hash := t.slot(org, token)
	*l = link{hash, slug}
}

// inSomeEvent reports whether the visitor was let in to an event's forms. Whose
// link's event has been forgotten is not to be held up before the org's for it.
func (e *Edge) inSomeEvent(v *visit) bool {
	for slug, l := range v.site.lobbies {
		if slug == "" {
			continue
		}
		if _, ok := e.holdsPass(v, l); ok {
			return true
		}
	}
	return false
}

// belongs takes note of the event that an answer to a personal link is for. If
// that has a limit of its own the visitor is counted there, and not with the org.
// It reports false when they have been given a place in that event's line instead
// of the answer: nothing of it has gone out.
func (e *Edge) belongs(v *visit, answer *http.Response) bool {
	slug := answer.Header.Get(eventHeader)
	if slug == "" {
		return true
	}
	delete(answer.Header, eventHeader)
	l, identity := e.gate(v)
	own := v.site.lobbies[slug]
	if identity == nil || own == nil || own == l || answer.StatusCode != http.StatusOK {
		return true
	}
	e.lines.links.learn(v.site.tenant.org, tokenOf(v.r.URL.Path), own.event)
	if n := v.entry; n != nil { // it was not the org's place that they took
		v.entry, v.pass, v.passName = nil, "", ""
		if n.session.Upstream == countedPass {
			n.lobby.in.Remove(n.at)
		}
	}
	return e.enter(v, own, identity)
}
