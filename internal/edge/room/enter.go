package room

import (
	"context"
	"net/netip"
	"time"
)

// Enter is called for everybody without a session: on coming, and on every
// refresh. ticket is what the browser sent, worth nothing until its seal is
// checked. identity is a hash of an AttendeeLink's token, nil for none; it may be
// made up, so it buys a kept place and not one more than others. client is the
// address that new tickets are counted against. ctx bounds a call to the ledger,
// which one newcomer in many makes.
func (r *Room) Enter(ctx context.Context, now time.Time, ticket string, identity []byte, client netip.Addr) Place {
	t, held := r.seal.open(ticket, now)
	shown := held // their place, before
	r.mu.Lock()
	if r.started.IsZero() {
		defer r.mu.Unlock()
		return r.later(ticket, held)
	}
	if kept, ok := r.kept(identity, now); ok && (!held || kept.Number < t.Number) {
		t, held = kept, true
	}
	if held && r.good(t.Number, now) {
		defer r.mu.Unlock()
		p := r.place(t, identity, now)
		p.Near = shown && !p.Admitted && r.near(p)
		return p
	}
	if len(identity) > 0 {
		r.identities.drop(identity)
	}
	if r.open() {
		r.passed++
		r.o.Admit(now)
		r.mu.Unlock()
		return Place{Admitted: true}
	}
	r.mu.Unlock()
	return r.newcomer(ctx, identity, client, now)
}

// later is for when nobody knows where the line is: come back, and keep what
// you have.
func (r *Room) later(ticket string, held bool) Place {
	p := Place{Refresh: r.spread(r.soon())}
	if held {
		p.Ticket = ticket
	}
	return p
}

// kept finds the ticket of an identity, if there is one that is still good.
func (r *Room) kept(identity []byte, now time.Time) (Ticket, bool) {
	if len(identity) == 0 {
		return Ticket{}, false
	}
	t, ok := r.identities.find(identity)
	return t, ok && r.good(t.Number, now)
}

// good reports whether a number may still let somebody in. One that was used is
// not, nor one that was called so long ago, or before this edge started, that we
// cannot know whether it was, nor one that no ledger of ours can have given yet.
func (r *Room) good(number uint64, now time.Time) bool {
	b, bit := r.ring.of(number, r.mark.Served)
	if number > r.mark.Served {
		if number > r.mark.Issued+1<<secondBits {
			return false
		}
		return b == nil || b.used&bit == 0 // nil: far back in line
	}
	return b != nil && b.used&bit == 0 && b.passed > 0 && r.seconds(now)-b.passed <= int64(r.o.Grace/time.Second)
}

// seconds is the room's own time, from 1, which no setting of a clock changes.
func (r *Room) seconds(now time.Time) int64 { return 1 + int64(now.Sub(r.started)/time.Second) }

// newcomer gives a number, if the client may have one.
func (r *Room) newcomer(ctx context.Context, identity []byte, client netip.Addr, now time.Time) Place {
	if v := r.ration(identity, client, now); !v.OK {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.refused++
		return Place{Refused: true, RetryAfter: v.RetryAfter, Refresh: max(v.RetryAfter, r.o.Heartbeat)}
	}
	number, err := r.number(ctx, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		return r.later("", false)
	}
	return r.place(Ticket{Number: number, Issued: now}, identity, now)
}

// place lets the holder of a number in, or says where it stands.
func (r *Room) place(t Ticket, identity []byte, now time.Time) Place {
	b, bit := r.ring.of(t.Number, r.mark.Served)
	called := t.Number <= r.mark.Served
	if called && b != nil && r.free(0) {
		b.used |= bit
		r.o.Admit(now)
		r.coming = max(0, r.coming-1)
		r.recent.add(t.Number, now)
		r.admitted++
		if len(identity) > 0 {
			r.identities.drop(identity)
		}
		return Place{Admitted: true}
	}
	if b != nil {
		b.seen |= bit
		if issued := t.Issued.Unix(); b.since == 0 || issued < b.since {
			b.since = issued
		}
	}
	if len(identity) > 0 {
		r.identities.put(identity, t, now, now.Add(-r.o.Lifetime))
	}
	t.Expires = now.Add(r.o.Lifetime)
	p := Place{Ticket: r.seal.text(t), Position: 1, Refresh: r.spread(r.soon())}
	if !called {
		p.Position = r.line.position(&r.ring, t.Number, r.mark.Served)
		p.Wait = r.line.wait(p.Position)
		p.Refresh = r.spread(r.refresh(p))
	}
	return p
}

// refresh is when somebody at a place is to look in again: in a heartbeat, or
// well before their turn is expected.
func (r *Room) refresh(p Place) time.Duration {
	return min(max(expected(p)/3, r.soon()), r.o.Heartbeat)
}

// expected is the estimate, or a guess to begin with: twenty a second.
func expected(p Place) time.Duration {
	if p.Wait == 0 {
		return time.Duration(p.Position) * time.Second / 20
	}
	return p.Wait
}

// near reports whether somebody is called, or likely to be within half a
// heartbeat.
func (r *Room) near(p Place) bool { return expected(p) <= r.o.Heartbeat/2 }

// spread shortens a time by up to a quarter.
func (r *Room) spread(d time.Duration) time.Duration {
	return d - time.Duration(r.o.Random()*float64(d)/4)
}

// soon is for those who may be let in any moment.
func (r *Room) soon() time.Duration { return r.o.Heartbeat / 8 }
