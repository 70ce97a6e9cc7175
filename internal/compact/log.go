package compact

import (
	"encoding/binary"
	"hash/crc32"
	"sync"
)

// Log holds values of any size by hash, one behind the other on a paper. A value
// that is put again or removed leaves its old bytes there; when the paper is
// full, the log begins anew.
type Log struct {
	paper Paper
	limit int64

	mu  sync.Mutex // guards end
	end int64

	parts [stripes]struct {
		mu    sync.RWMutex
		table table
	}
}

// Entry is a value to be put.
type Entry struct {
	Hash  uint64
	Value []byte
}

const (
	// A record is its checksum, its hash, the length of its value in 2 bytes, and
	// the value. The checksum is over all the rest.
	recordHead = 4 + 8 + 2
	// MaxValue is the longest value that a Log takes, in bytes.
	MaxValue = 1<<16 - 1
	// places are multiples of unit, so that 32 bits are enough for 32 GiB.
	unit = 8
	// guess is how much one read takes; most records are shorter.
	guess = 448
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewLog makes an empty log on the first limit bytes of a paper.
func NewLog(paper Paper, limit int64) *Log {
	return &Log{paper: paper, limit: min(limit, unit*(1<<32-2))}
}

// Get appends the value under hash to dst. What does not check is not there.
func (l *Log) Get(dst []byte, hash uint64) ([]byte, bool) {
	stripe, tag := part(hash)
	p := &l.parts[stripe]
	p.mu.RLock()
	place, ok := p.table.get(tag)
	p.mu.RUnlock()
	if !ok {
		return dst, false
	}
	return l.read(dst, int64(place)*unit, hash)
}

func (l *Log) read(dst []byte, at int64, hash uint64) ([]byte, bool) {
	start := len(dst)
	dst = append(dst, make([]byte, guess)...)
	n, _ := l.paper.ReadAt(dst[start:], at) // the end of the paper may come first
	want := recordHead
	if n >= recordHead {
		want += int(binary.LittleEndian.Uint16(dst[start+12:]))
	}
	if want > guess {
		dst = append(dst, make([]byte, want-guess)...)
		more, _ := l.paper.ReadAt(dst[start+guess:], at+guess)
		n += more
	}
	if n < want || !checks(dst[start:start+want], hash) {
		return dst[:start], false
	}
	return append(dst[:start], dst[start+recordHead:start+want]...), true
}

// checks reports whether record is whole and what was put under hash.
func checks(record []byte, hash uint64) bool {
	return binary.LittleEndian.Uint32(record) == crc32.Checksum(record[4:], castagnoli) &&
		binary.LittleEndian.Uint64(record[4:]) == hash
}

// Put keeps values, each if still says so under its lock. A value that is too
// long, and all of them after an error of the paper's, are not there.
func (l *Log) Put(entries []Entry, still func() bool) error {
	var pad []byte
	at := make([]int, len(entries))
	for i, e := range entries {
		at[i] = len(pad)
		pad = appendRecord(pad, e)
	}
	start := l.reserve(int64(len(pad)))
	if start < 0 {
		return nil
	}
	if _, err := l.paper.WriteAt(pad, start); err != nil {
		return err
	}
	for i, e := range entries {
		if len(e.Value) <= MaxValue {
			l.index(e.Hash, (start+int64(at[i]))/unit, still)
		}
	}
	return nil
}

func appendRecord(pad []byte, e Entry) []byte {
	if len(e.Value) > MaxValue {
		return pad
	}
	start := len(pad)
	pad = append(pad, 0, 0, 0, 0)
	pad = binary.LittleEndian.AppendUint64(pad, e.Hash)
	pad = binary.LittleEndian.AppendUint16(pad, uint16(len(e.Value)))
	pad = append(pad, e.Value...)
	binary.LittleEndian.PutUint32(pad[start:], crc32.Checksum(pad[start+4:], castagnoli))
	for len(pad)%unit != 0 {
		pad = append(pad, 0)
	}
	return pad
}

// reserve finds room for n bytes, -1 where there is none even on an empty paper.
// Who still writes to or reads from a paper that began anew meanwhile finds
// bytes that do not check.
func (l *Log) reserve(n int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end+n > l.limit {
		l.forget()
		l.end = 0
	}
	if n > l.limit {
		return -1
	}
	l.end += n
	return l.end - n
}

func (l *Log) index(hash uint64, place int64, still func() bool) {
	stripe, tag := part(hash)
	p := &l.parts[stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	if still() {
		p.table.put(tag, uint32(place))
	}
}

// Remove makes the value under hash unknown. Its bytes stay on the paper until
// others take their place.
func (l *Log) Remove(hash uint64) {
	stripe, tag := part(hash)
	p := &l.parts[stripe]
	p.mu.Lock()
	defer p.mu.Unlock()
	p.table.remove(tag)
}

// Clear makes every value unknown.
func (l *Log) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget()
	l.end = 0
}

func (l *Log) forget() {
	for i := range l.parts {
		p := &l.parts[i]
		p.mu.Lock()
		p.table.clear()
		p.mu.Unlock()
	}
}

// Size is how many values are known, and how many bytes of the paper are used.
func (l *Log) Size() (values int, bytes int64) {
	for i := range l.parts {
		p := &l.parts[i]
		p.mu.RLock()
		values += p.table.used
		p.mu.RUnlock()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return values, l.end
}

// Full reports whether at least three quarters of the paper are used: who fills
// it ahead of need stops then.
func (l *Log) Full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end > l.limit/4*3
}
