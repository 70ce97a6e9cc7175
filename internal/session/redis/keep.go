package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/session"
)

// mostQueued is how many sessions wait to be written. One that finds no room is
// written with its next request.
const mostQueued = 1024

// mostPerPerson is how many sessions of one person are kept: whoever opens one
// link over and over fills nothing.
const mostPerPerson = 16

// scripts are what Redis does in one step.
type scripts struct{ keep, end, revoke, count *rueidis.Lua }

func newScripts() scripts {
	return scripts{
		keep: rueidis.NewLuaScript(keepScript), end: rueidis.NewLuaScript(endScript),
		revoke: rueidis.NewLuaScript(revokeScript), count: rueidis.NewLuaScript(countScript),
	}
}

// keepScript writes a session and lists it, unless it was ended: by itself, or by a
// mark. The server's clock says when it was seen. Of a person's sessions the
// oldest go when there are too many.
//
//	KEYS session, all, person, person's mark, org's mark
//	ARGV value, life in ms, began in s, idle in ms, most per person, skew in s
const keepScript = `
if string.sub(redis.call('GET', KEYS[1]) or '', 1, 1) == 'e' then return 0 end
for i = 4, 5 do
  local mark = tonumber(redis.call('GET', KEYS[i]) or '')
  if mark and tonumber(ARGV[3]) < mark + tonumber(ARGV[6]) then return 0 end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for i = 2, 3 do
  redis.call('ZADD', KEYS[i], now, KEYS[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now - ARGV[4])
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[5])
if over > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[3], 0, over - 1)) do
    redis.call('UNLINK', old)
    redis.call('ZREM', KEYS[2], old)
    redis.call('ZREM', KEYS[3], old)
  end
end
return 1`

// keeping is a session that is to be written.
type keeping struct{ keys, args []string }

// keep has a session written in the background. While Redis is away it is not.
func (e *Engine) keep(ring *seal.Ring, n names, s session.Session) {
	life := min(session.Idle, s.Began.Add(session.Longest).Sub(s.Seen))
	if life <= 0 || e.o.Server.Away() {
		return
	}
	k := keeping{
		keys: []string{n.session, n.org, n.person, n.personMark, n.orgMark},
		args: []string{
			n.seal(ring, s), milliseconds(life), strconv.FormatInt(s.Began.Unix(), 10), milliseconds(session.Idle),
			strconv.Itoa(mostPerPerson), strconv.Itoa(int(session.Skew / time.Second)),
		},
	}
	select {
	case e.queue <- k:
	default:
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// countEvery is how often sessions are counted.
const countEvery = 5 * time.Second

// Run writes what is to be kept and counts, until ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case k := <-e.queue:
			e.write(ctx, k)
		case <-tick.C:
			e.Count(ctx)
		}
	}
}

// write writes a session and those that wait behind it in one exchange.
func (e *Engine) write(ctx context.Context, first keeping) {
	batch := []rueidis.LuaExec{{Keys: first.keys, Args: first.args}}
	for len(batch) < cap(e.queue) {
		select {
		case k := <-e.queue:
			batch = append(batch, rueidis.LuaExec{Keys: k.keys, Args: k.args})
			continue
		default:
		}
		break
	}
	err := e.o.Server.Do(ctx, func(ctx context.Context, c rueidis.Client) error {
		for _, r := range e.scripts.keep.ExecMulti(ctx, c, batch...) {
			if err := r.Error(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && !e.o.Server.Away() { // else the server has said it
		e.o.Logger.Warn("sessions: Redis does not take them; they go on in their cookies", "error", err)
	}
}

// Settle does what Run would have done by now, for who has no Run beside it.
func (e *Engine) Settle() {
	for {
		select {
		case k := <-e.queue:
			e.write(context.Background(), k)
		default:
			return
		}
	}
}
