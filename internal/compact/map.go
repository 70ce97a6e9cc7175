package compact

import "sync"

// Map holds values of one size by hash.
type Map struct {
	size  int
	limit int // values a stripe
	parts [stripes]cells
}

// cells is one stripe of a Map.
type cells struct {
	mu    sync.RWMutex
	table table
	slabs [][]byte
	// fresh is the first cell that was never used, free are those that were.
	fresh uint32
	free  []uint32
}

// slabBytes is how much memory is taken at a time. Pages of it that were never
// written cost nothing.
const slabBytes = 256 << 10

// NewMap makes a map of values of size bytes, at most about limit of them. It
// takes no memory yet; what it takes later it keeps until the process ends.
func NewMap(size, limit int) *Map {
	return &Map{size: size, limit: max(1, limit/stripes)}
}

// Get appends the value under hash to dst.
func (m *Map) Get(dst []byte, hash uint64) ([]byte, bool) {
	stripe, tag := part(hash)
	c := &m.parts[stripe]
	c.mu.RLock()
	defer c.mu.RUnlock()
	place, ok := c.table.get(tag)
	if !ok {
		return dst, false
	}
	return append(dst, m.cell(c, place)...), true
}

// Put keeps a value, which must be of the map's size, if still says so under the
// lock. Where a stripe is full it begins anew.
func (m *Map) Put(hash uint64, value []byte, still func() bool) {
	stripe, tag := part(hash)
	c := &m.parts[stripe]
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(value) != m.size || !still() {
		return
	}
	place, ok := c.table.get(tag)
	if !ok {
		if c.table.used >= m.limit {
			m.empty(c)
		}
		place = m.take(c)
		c.table.put(tag, place)
	}
	copy(m.cell(c, place), value)
}

func (m *Map) take(c *cells) uint32 {
	if n := len(c.free); n > 0 {
		place := c.free[n-1]
		c.free = c.free[:n-1]
		return place
	}
	if perSlab := m.perSlab(); int(c.fresh) == len(c.slabs)*perSlab {
		c.slabs = append(c.slabs, offHeap(perSlab*m.size))
	}
	c.fresh++
	return c.fresh - 1
}

func (m *Map) perSlab() int { return max(1, slabBytes/m.size) }

func (m *Map) cell(c *cells, place uint32) []byte {
	slab, at := int(place)/m.perSlab(), int(place)%m.perSlab()*m.size
	return c.slabs[slab][at : at+m.size : at+m.size]
}

// Remove overwrites the value under hash with zeros, if it is there.
func (m *Map) Remove(hash uint64) {
	stripe, tag := part(hash)
	c := &m.parts[stripe]
	c.mu.Lock()
	defer c.mu.Unlock()
	if place, ok := c.table.remove(tag); ok {
		clear(m.cell(c, place))
		c.free = append(c.free, place)
	}
}

// Clear overwrites every value with zeros.
func (m *Map) Clear() {
	for i := range m.parts {
		c := &m.parts[i]
		c.mu.Lock()
		m.empty(c)
		c.mu.Unlock()
	}
}

func (m *Map) empty(c *cells) {
	for place := range c.fresh {
		clear(m.cell(c, place))
	}
	c.table.clear()
	c.fresh, c.free = 0, nil
}

// Len is how many values are held.
func (m *Map) Len() (n int) {
	for i := range m.parts {
		c := &m.parts[i]
		c.mu.RLock()
		n += c.table.used
		c.mu.RUnlock()
	}
	return n
}
