package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
)

// endScript ends one session: what is left says so for as long as a copy of its
// cookie could be brought.
//
//	KEYS session, all, person
//	ARGV life in ms
const endScript = `
redis.call('SET', KEYS[1], 'e', 'PX', ARGV[1])
redis.call('ZREM', KEYS[2], KEYS[1])
redis.call('ZREM', KEYS[3], KEYS[1])
return 1`

// revokeScript sets a mark and takes out some of what a list has. It answers how
// many those were.
//
//	KEYS mark, list, all
//	ARGV mark's time in s, life in ms, most
const revokeScript = `
local mark = tonumber(redis.call('GET', KEYS[1]) or '')
if not mark or mark < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
local some = redis.call('ZRANGE', KEYS[2], 0, ARGV[3] - 1)
for _, key in ipairs(some) do
  redis.call('UNLINK', key)
  redis.call('ZREM', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
end
return #some`

// atOnce is how many sessions one script takes out: the server does nothing else
// meanwhile.
const atOnce = 500

// End ends one session, so that a copy of its cookie is worth nothing any more.
func (e *Engine) End(ctx context.Context, b session.Binding, s session.Session) error {
	ring, err := e.o.Keyring.Ring(ctx, string(b.Org))
	if err != nil {
		return turnout.Wrap(turnout.CodeUnavailable, "end session", err)
	}
	n := namesOf(ring, b, s)
	return turnout.Wrap(turnout.CodeUnavailable, "end session", e.o.Server.Ask(ctx, func(ctx context.Context, c rueidis.Client) error {
		return e.scripts.end.Exec(ctx, c, []string{n.session, n.org, n.person}, []string{milliseconds(session.Longest)}).Error()
	}))
}

// RevokePerson ends a person's sessions on every instance. Its error says that
// Redis still has them: ask again.
func (e *Engine) RevokePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error {
	return e.revoke(ctx, org, person, func(ring *seal.Ring) (mark, list, all string) {
		n := personNames(ring, person)
		return n.personMark, n.person, n.org
	})
}

// RevokeOrg ends an org's sessions on every instance. Its error says that Redis
// still has them: ask again.
func (e *Engine) RevokeOrg(ctx context.Context, org turnout.OrgID) error {
	return e.revoke(ctx, org, turnout.PersonID{}, func(ring *seal.Ring) (mark, list, all string) {
		n := orgNames(ring)
		return n.orgMark, n.org, n.org
	})
}

func (e *Engine) revoke(ctx context.Context, org turnout.OrgID, person turnout.PersonID, named func(*seal.Ring) (mark, list, all string)) error {
	const op = "end sessions"
	now := e.o.Now()
	e.o.Cookies.Heard(org, person, now)
	ring, err := e.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return turnout.Wrap(turnout.CodeUnavailable, op, err)
	}
	mark, list, all := named(ring)
	args := []string{strconv.FormatInt(now.Unix(), 10), milliseconds(session.Longest + 2*session.Skew), strconv.Itoa(atOnce)}
	for {
		var some int64
		err := e.o.Server.Do(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
			some, err = e.scripts.revoke.Exec(ctx, c, []string{mark, list, all}, args).AsInt64()
			return err
		})
		if err != nil || some < atOnce {
			return turnout.Wrap(turnout.CodeUnavailable, op, err)
		}
	}
}

// Heard ends what another process ended at a time, as package cookie does.
func (e *Engine) Heard(org turnout.OrgID, person turnout.PersonID, at time.Time) {
	e.o.Cookies.Heard(org, person, at)
}
