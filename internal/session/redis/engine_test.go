package redis

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/conformance/gotest"
	server "github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/redis/redistest"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
	"github.com/turnout-events/turnout/internal/session/cookie"
	"github.com/turnout-events/turnout/internal/session/sessiontest"
)

func open(t testing.TB, r *redistest.Server, log *bytes.Buffer) *server.Server {
	t.Helper()
	if log == nil {
		log = new(bytes.Buffer)
	}
	// Two cores run all of this: a moment is not to be taken for an outage here.
	s, err := server.Open(t.Context(), server.Options{URL: r.URL(), Use: "sessions", Patience: 5 * time.Second, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	r := redistest.New(t)
	sessiontest.Run(gotest.New(t), func(t conformance.T) func(sessiontest.Instance) sessiontest.Made {
		return func(i sessiontest.Instance) sessiontest.Made {
			e := New(Options{Server: open(gotest.Of(t), r, nil), Cookies: cookie.New(cookie.Options{Keyring: i.Keyring, Now: i.Now}), Keyring: i.Keyring, Now: i.Now})
			return sessiontest.Made{Engine: e, Settle: e.Settle, Shared: true}
		}
	})
}

// bench is an engine with its server and its keys.
type bench struct {
	*testing.T
	*Engine
	r    *redistest.Server
	keys *seal.Keyring
	log  bytes.Buffer
}

func newBench(t *testing.T, flags ...string) *bench {
	t.Helper()
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, r: redistest.New(t, flags...), keys: seal.NewKeyring(sessiontest.NewShelf(), func() (seal.Master, error) { return master, nil })}
	b.Engine = b.instance()
	return b
}

func (b *bench) instance() *Engine {
	b.Helper()
	return New(Options{
		Server: open(b, b.r, &b.log), Cookies: cookie.New(cookie.Options{Keyring: b.keys}), Keyring: b.keys,
		Orgs: func() []turnout.OrgID { return []turnout.OrgID{"acme", "other"} }, Logger: slog.New(slog.NewTextHandler(&b.log, nil)),
	})
}

var home = session.Binding{Org: "acme", Host: "events.acme.example", Stack: "blue"}

func begun(person byte, token string) session.Session {
	return session.Begin(turnout.PersonID{person}, time.Now()).With(session.Link{Event: "a0B000000000001AAA", Token: token})
}

// kept is a session's cookie, which its browser sent back.
func (b *bench) kept(s session.Session) string {
	b.Helper()
	value, err := b.Seal(b.Context(), home, s)
	if err != nil {
		b.Fatal(err)
	}
	if _, ok := b.Open(b.Context(), home, value); !ok {
		b.Fatal("it does not open")
	}
	b.Settle()
	return value
}

func (b *bench) ask(do func(context.Context, rueidis.Client) error) {
	b.Helper()
	if err := b.o.Server.Do(b.Context(), do); err != nil {
		b.Fatal(err)
	}
}

// keys are all that Redis has.
func (b *bench) all() (keys []string) {
	b.Helper()
	b.ask(func(ctx context.Context, c rueidis.Client) (err error) {
		keys, err = c.Do(ctx, c.B().Keys().Pattern("turnout:{*").Build()).AsStrSlice()
		return err
	})
	return keys
}

func (b *bench) names(s session.Session) names {
	b.Helper()
	ring, err := b.keys.Ring(b.Context(), string(home.Org))
	if err != nil {
		b.Fatal(err)
	}
	return namesOf(ring, home, s)
}

// P12: what is made for a link that a scanner opens stays out of Redis until its
// browser sends the cookie back.
func TestP12AFirstVisitWritesNothing(t *testing.T) {
	b := newBench(t)
	for i := range 100 {
		if _, err := b.Seal(t.Context(), home, begun(byte(i), "token-0001")); err != nil {
			t.Fatal(err)
		}
	}
	b.Settle()
	if keys := b.all(); len(keys) != 0 {
		t.Fatalf("P12: Redis has %v", keys)
	}
	b.kept(begun(1, "token-0001"))
	if len(b.all()) != 3 { // the session and its two lists
		t.Errorf("Redis has %v", b.all())
	}
}

// P8: nothing that rests in Redis says who, where or through what.
func TestP8NothingReadableInRedis(t *testing.T) {
	b := newBench(t)
	s := begun(0xad, "token-of-a-link")
	b.kept(s)
	var dump strings.Builder
	b.ask(func(ctx context.Context, c rueidis.Client) error {
		for _, key := range b.all() {
			raw, err := c.Do(ctx, c.B().Dump().Key(key).Build()).ToString()
			if err != nil {
				return err
			}
			ttl, err := c.Do(ctx, c.B().Pttl().Key(key).Build()).AsInt64()
			if err != nil || ttl <= 0 || ttl > session.Idle.Milliseconds() {
				t.Errorf("%s lives for %d ms, %v", key, ttl, err)
			}
			dump.WriteString(key + raw)
		}
		return nil
	})
	for _, word := range []string{"token-of-a-link", "acme", "events.", "blue", "a0B0", s.Person.String(), string(s.Person[:]), string(s.ID[:]), s.ID.String(), base64.RawURLEncoding.EncodeToString(s.ID[:])} {
		if strings.Contains(dump.String(), word) {
			t.Errorf("P8: %q is readable", word)
		}
	}
}

// P6: a value that somebody puts under another name is not believed.
func TestP6MovedValues(t *testing.T) {
	b := newBench(t)
	hers, his := begun(0xad, "token-of-ada"), begun(0xb0, "token-of-bob")
	b.kept(hers)
	value := b.kept(his)
	stranger := newBench(t)
	stranger.kept(hers)
	foreign := ""
	stranger.ask(func(ctx context.Context, c rueidis.Client) (err error) {
		foreign, err = c.Do(ctx, c.B().Get().Key(stranger.names(hers).session).Build()).ToString()
		return err
	})
	own := ""
	b.ask(func(ctx context.Context, c rueidis.Client) (err error) {
		own, err = c.Do(ctx, c.B().Get().Key(b.names(hers).session).Build()).ToString()
		return err
	})
	for what, put := range map[string]string{"hers": own, "another deployment's": foreign, "cut": own[:len(own)/2], "made up": "s" + strings.Repeat("x", 200), "other": "?", "zero": "\x00"} {
		b.ask(func(ctx context.Context, c rueidis.Client) error {
			return c.Do(ctx, c.B().Set().Key(b.names(his).session).Value(put).Build()).Error()
		})
		other := b.instance() // which has nothing cached
		s, ok := other.Open(t.Context(), home, value)
		if l, _ := s.Link("a0B000000000001AAA"); !ok || s.Person != his.Person || l.Token != "token-of-bob" {
			t.Errorf("P6: under a value that is %s he has %+v, %v", what, s, ok)
		}
	}
}

// P6: one session sealed for two hosts is two sessions: what rests of one is not
// believed under the other's name.
func TestP6MovedBetweenHosts(t *testing.T) {
	b := newBench(t)
	s := begun(1, "token-0001")
	s.Seen = s.Seen.Add(-30 * time.Second)
	value := b.kept(s)
	ring, err := b.keys.Ring(t.Context(), string(home.Org))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := namesOf(ring, session.Binding{Org: home.Org, Host: "www.acme.example", Stack: home.Stack}, s)
	moved := elsewhere.seal(ring, s.With(session.Link{Event: "a0B000000000001AAA", Token: "token-elsewhere"}).Touched(time.Now()))
	b.ask(func(ctx context.Context, c rueidis.Client) error {
		return c.Do(ctx, c.B().Set().Key(b.names(s).session).Value(moved).Build()).Error()
	})
	got, ok := b.instance().Open(t.Context(), home, value)
	if l, _ := got.Link("a0B000000000001AAA"); !ok || l.Token != "token-0001" {
		t.Errorf("P6: it has %+v, %v", got, ok)
	}
}

// P6: what was ended while it waited to be written stays ended.
func TestP6EndedBeforeItWasWritten(t *testing.T) {
	b := newBench(t)
	s := begun(1, "token-0001")
	value, _ := b.Seal(t.Context(), home, s)
	if _, ok := b.Open(t.Context(), home, value); !ok {
		t.Fatal("it does not open")
	}
	if err := b.End(t.Context(), home, s); err != nil {
		t.Fatal(err)
	}
	b.Settle()
	if _, ok := b.instance().Open(t.Context(), home, value); ok {
		t.Error("P6: it opens")
	}
}

// What a browser's other window added is there in this one too.
func TestWindowsOfOneBrowser(t *testing.T) {
	b := newBench(t)
	s := begun(1, "token-0001")
	s.Seen = s.Seen.Add(-30 * time.Second)
	value, _ := b.Seal(t.Context(), home, s)
	b.kept(s.With(session.Link{Event: "a0B000000000002AAA", Token: "token-0002"}).Touched(time.Now()))
	got, ok := b.Open(t.Context(), home, value)
	if _, has := got.Link("a0B000000000002AAA"); !ok || !has {
		t.Errorf("it has %+v", got)
	}
}

// Redis dies, hangs, and comes back empty: nobody is logged out, and what is known
// to be revoked stays so.
func TestRedisAway(t *testing.T) {
	b := newBench(t)
	hers, his := b.kept(begun(0xad, "token-of-ada")), b.kept(begun(0xb0, "token-of-bob"))
	if err := b.RevokePerson(t.Context(), home.Org, turnout.PersonID{0xad}); err != nil {
		t.Fatal(err)
	}
	other := b.instance()
	if _, ok := other.Open(t.Context(), home, hers); ok {
		t.Fatal("P6: it opens elsewhere")
	}
	b.r.Kill()
	if _, ok := other.Open(t.Context(), home, hers); ok {
		t.Error("P6: who was told by Redis forgot it with Redis")
	}
	for range 200 {
		if _, ok := b.Open(t.Context(), home, his); !ok {
			t.Fatal("he is logged out")
		}
		if _, ok := b.Open(t.Context(), home, hers); ok {
			t.Fatal("P6: she is back")
		}
	}
	if turnout.CodeOf(b.RevokeOrg(t.Context(), "other")) != turnout.CodeUnavailable || b.Active() != nil {
		t.Error("it pretends to have reached Redis")
	}
	if err := b.r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := b.instance() // another process, which was told nothing
	if _, ok := again.Open(t.Context(), home, his); !ok {
		t.Error("he is logged out by an empty Redis")
	}
	if said := strings.Count(b.log.String(), "Redis does not answer"); said != 1 {
		t.Errorf("it was said %d times:\n%s", said, b.log.String())
	}
}

// A Redis that has no room is as good as away, and says why.
func TestRedisFull(t *testing.T) {
	b := newBench(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	value, _ := b.Seal(t.Context(), home, begun(1, "token-0001"))
	for range 3 {
		if _, ok := b.Open(t.Context(), home, value); !ok {
			t.Fatal("logged out")
		}
		b.Settle()
	}
	if !strings.Contains(b.log.String(), "OOM") || !b.o.Server.Away() {
		t.Errorf("away %v:\n%s", b.o.Server.Away(), b.log.String())
	}
}

// Whoever opens one link over and over fills nothing.
func TestSessionsOfAPersonAreFew(t *testing.T) {
	b := newBench(t)
	for range mostPerPerson + 20 {
		b.kept(begun(1, "token-0001"))
	}
	if keys := b.all(); len(keys) != mostPerPerson+2 {
		t.Errorf("Redis has %d keys", len(keys))
	}
	b.Count(t.Context())
	if n := b.Active()["acme"]; n != mostPerPerson {
		t.Errorf("%d are counted", n)
	}
}

// All of an org's sessions go, however many, and are counted no more; what was
// waiting to be written does not bring them back.
func TestManyAreRevoked(t *testing.T) {
	b := newBench(t)
	n := 2*atOnce + 100
	for i := range n {
		value, _ := b.Seal(t.Context(), home, session.Begin(turnout.PersonID{1, byte(i), byte(i >> 8)}, time.Now()))
		b.Open(t.Context(), home, value)
		if i%256 == 0 {
			b.Settle()
		}
	}
	b.Settle()
	b.Count(t.Context())
	if got := b.Active(); got["acme"] != n || got["other"] != 0 {
		t.Errorf("counted %v, want %d", got, n)
	}
	late, _ := b.Seal(t.Context(), home, begun(9, "token-0009"))
	b.Open(t.Context(), home, late) // waits to be written
	if err := b.RevokeOrg(t.Context(), home.Org); err != nil {
		t.Fatal(err)
	}
	b.Settle()
	for _, key := range b.all() {
		if strings.Contains(key, ":session:") {
			t.Fatalf("%s is left", key)
		}
	}
	b.Count(t.Context())
	if got := b.Active()["acme"]; got != 0 {
		t.Errorf("%d are counted", got)
	}
}

// One command a minute is what a session costs that goes from page to page.
func TestReadingIsCached(t *testing.T) {
	b := newBench(t)
	value := b.kept(begun(1, "token-0001"))
	b.Open(t.Context(), home, value)
	before := b.commands()
	for range 1000 {
		b.Open(t.Context(), home, value)
	}
	if asked := b.commands() - before; asked > 20 {
		t.Errorf("1000 requests took %d commands", asked)
	}
}

func (b *bench) commands() (n int) {
	b.Helper()
	b.ask(func(ctx context.Context, c rueidis.Client) error {
		text, err := c.Do(ctx, c.B().Info().Section("stats").Build()).ToString()
		_, rest, _ := strings.Cut(text, "total_commands_processed:")
		_, _ = fmt.Sscan(rest, &n)
		return err
	})
	return n
}

func BenchmarkOpen(b *testing.B) {
	master, err := seal.ParseMaster(seal.NewMasterLine())
	if err != nil {
		b.Fatal(err)
	}
	keys := seal.NewKeyring(sessiontest.NewShelf(), func() (seal.Master, error) { return master, nil })
	cookies := cookie.New(cookie.Options{Keyring: keys})
	e := New(Options{Server: open(b, redistest.New(b), nil), Cookies: cookies, Keyring: keys})
	value, _ := e.Seal(b.Context(), home, begun(1, "token-0001"))
	e.Open(b.Context(), home, value)
	e.Settle()
	for name, open := range map[string]func(context.Context, session.Binding, string) (session.Session, bool){"cookie": cookies.Open, "redis": e.Open} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				open(b.Context(), home, value)
			}
		})
	}
}

// Each org has its own count, however many are counted in one exchange.
func TestCountsOfManyOrgs(t *testing.T) {
	b := newBench(t)
	var orgs []turnout.OrgID
	for i := range countAtOnce + 3 {
		orgs = append(orgs, turnout.OrgID(fmt.Sprintf("org-%d", i)))
	}
	b.o.Orgs = func() []turnout.OrgID { return orgs }
	want := map[turnout.OrgID]int{orgs[1]: 2, orgs[countAtOnce-1]: 1, orgs[countAtOnce]: 3, orgs[countAtOnce+2]: 1}
	for org, n := range want {
		for i := range n {
			at := session.Binding{Org: org, Host: "events.acme.example", Stack: "blue"}
			value, err := b.Seal(t.Context(), at, begun(byte(i+1), "token-0001"))
			if err != nil {
				t.Fatal(err)
			}
			b.Open(t.Context(), at, value)
		}
	}
	b.Settle()
	b.Count(t.Context())
	got := b.Active()
	for _, org := range orgs {
		if got[org] != want[org] {
			t.Errorf("%s has %d, not %d", org, got[org], want[org])
		}
	}
	if len(got) != len(orgs) {
		t.Errorf("%d of %d orgs are counted", len(got), len(orgs))
	}
}
