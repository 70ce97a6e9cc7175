package compact

// table is an index by open addressing with linear probing: 8 bytes a slot, of
// which at most four fifths are taken. Not safe for concurrent use.
type table struct {
	// slots hold a tag in the upper half and a place plus 1 in the lower; 0 is free.
	slots []uint64
	used  int
}

// firstSlots is the size of a table that holds something.
const firstSlots = 16

// home is where the search for a tag begins. Tags are hashes, so that they
// spread over any number of slots.
func (t *table) home(tag uint32) int {
	return int(uint64(tag) * uint64(len(t.slots)) >> 32)
}

func (t *table) next(i int) int {
	if i++; i == len(t.slots) {
		return 0
	}
	return i
}

// slot is where a tag is, or the free slot where its search ends.
func (t *table) slot(tag uint32) (i int, found bool) {
	for i = t.home(tag); t.slots[i] != 0; i = t.next(i) {
		if uint32(t.slots[i]>>32) == tag {
			return i, true
		}
	}
	return i, false
}

func (t *table) get(tag uint32) (place uint32, ok bool) {
	if t.used == 0 {
		return 0, false
	}
	i, ok := t.slot(tag)
	return uint32(t.slots[i]) - 1, ok
}

// put keeps the place, which must be less than the largest uint32, of a tag.
func (t *table) put(tag, place uint32) {
	if (t.used+1)*5 > len(t.slots)*4 {
		t.grow()
	}
	i, found := t.slot(tag)
	if !found {
		t.used++
	}
	t.slots[i] = uint64(tag)<<32 | uint64(place+1)
}

// grow is by a quarter: twice as many would be half empty most of the time.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]uint64, max(firstSlots, len(old)*5/4))
	for _, s := range old {
		if s != 0 {
			i, _ := t.slot(uint32(s >> 32))
			t.slots[i] = s
		}
	}
}

// remove takes a tag out, and moves back what stands behind it only because it
// was there.
func (t *table) remove(tag uint32) (place uint32, ok bool) {
	if place, ok = t.get(tag); !ok {
		return 0, false
	}
	hole, _ := t.slot(tag)
	for i := t.next(hole); t.slots[i] != 0; i = t.next(i) {
		home := t.home(uint32(t.slots[i] >> 32))
		if between(hole, home, i) {
			continue // its search does not come by the hole
		}
		t.slots[hole], hole = t.slots[i], i
	}
	t.slots[hole] = 0
	t.used--
	return place, true
}

// between reports whether home lies after hole and not after i, going round.
func between(hole, home, i int) bool {
	if hole <= i {
		return hole < home && home <= i
	}
	return hole < home || home <= i
}

func (t *table) clear() {
	t.slots, t.used = nil, 0
}

// stripes keep locks short: what grows or is emptied is one of so many parts.
const stripes = 64

// part is the stripe and the tag of a hash, which share no bits.
func part(hash uint64) (stripe int, tag uint32) {
	return int(hash >> 58), uint32(hash)
}
