package room

import "math/bits"

// perBlock is how many numbers share a block.
const perBlock = 16

// The ring reaches as many blocks behind the watermark as ahead of it: few while
// nobody waits, since rooms are many, and most, 32,768 numbers each way, once
// there is a line. Who is further back is not counted until it is nearer.
const (
	few  = 32
	most = 2048
)

// block is all that is kept of sixteen numbers, a bit each.
type block struct {
	id           uint64 // of the block, plus one; 0 for none
	seen, before uint16 // looked in during this heartbeat, and the one before
	called       uint16 // was there when the watermark passed
	used         uint16 // was let in
	passed       int64  // when the watermark last moved in it, seconds of the room's; 0 for not yet
	since        int64  // earliest issue of a ticket seen in it, Unix seconds
}

func (b *block) present() uint16 { return b.seen | b.before }

// ring is the blocks around the watermark.
type ring struct{ blocks []block }

func newRing() ring { return ring{blocks: make([]block, 2*few)} }

// reach is how many blocks the ring has each way.
func (g *ring) reach() uint64 { return uint64(len(g.blocks) / 2) }

// resize makes the ring reach so many blocks each way from a watermark, and
// forgets what it does not reach.
func (g *ring) resize(reach, served uint64) {
	old := g.blocks
	g.blocks = make([]block, 2*reach)
	for i := range old {
		if old[i].id == 0 {
			continue
		}
		if b := g.block(old[i].id-1, served); b != nil {
			*b = old[i]
		}
	}
}

// split gives the block of a number and its bit.
func split(number uint64) (id uint64, bit uint16) {
	return (number - 1) / perBlock, 1 << ((number - 1) % perBlock)
}

// block finds a block by its id, nil for one out of the ring's reach.
func (g *ring) block(id, served uint64) *block {
	if front := served / perBlock; id+g.reach() <= front || id >= front+g.reach() {
		return nil
	}
	b := &g.blocks[id%uint64(len(g.blocks))]
	if b.id != id+1 {
		*b = block{id: id + 1}
	}
	return b
}

// of finds the block of a number and its bit in it, nil for one out of reach.
func (g *ring) of(number, served uint64) (*block, uint16) {
	id, bit := split(number)
	return g.block(id, served), bit
}

// upTo is the bits of a block's numbers up to and with number.
func upTo(id, number uint64) uint16 {
	switch first := id * perBlock; {
	case number <= first:
		return 0
	case number >= first+perBlock:
		return 0xffff
	default:
		return 1<<(number-first) - 1
	}
}

// pass marks the numbers from one watermark to the next as called.
func (g *ring) pass(from, to uint64, now int64) {
	from = max(from, to-min(to, g.reach()*perBlock))
	for id := from / perBlock; id*perBlock < to; id++ {
		mask := upTo(id, to) &^ upTo(id, from)
		if b := g.block(id, to); b != nil && mask != 0 {
			b.called |= b.present() & mask
			b.passed = now
		}
	}
}

// beat begins a new heartbeat: those not seen in the last two are absent.
func (g *ring) beat() {
	for i := range g.blocks {
		b := &g.blocks[i]
		b.before, b.seen = b.seen, 0
	}
}

// due counts those who were called, are there, and have not come yet.
func (g *ring) due(served uint64) (n int) {
	for i := range g.blocks {
		if b := &g.blocks[i]; b.id != 0 {
			n += bits.OnesCount16(b.present() &^ b.used & upTo(b.id-1, served))
		}
	}
	return n
}

// settle takes stock of blocks that were called before a time: how many were
// there then, and how many of those came.
func (g *ring) settle(before int64) (called, came int) {
	for i := range g.blocks {
		b := &g.blocks[i]
		if b.called == 0 || b.passed > before {
			continue
		}
		called += bits.OnesCount16(b.called)
		came += bits.OnesCount16(b.called & b.used)
		b.called = 0
	}
	return called, came
}

// oldest is the earliest issue among the first in line, 0 for nobody.
func (g *ring) oldest(served uint64) int64 {
	for id := served / perBlock; id < served/perBlock+g.reach(); id++ {
		b := &g.blocks[id%uint64(len(g.blocks))]
		if b.id == id+1 && b.present()&^upTo(id, served) != 0 {
			return b.since
		}
	}
	return 0
}
