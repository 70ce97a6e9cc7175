package modulation

import (
	"encoding/binary"
	"math"
)

// id names a holder to other edges: the start of a keyed hash.
type id uint64

// An edge's report: a version, then each holder that is asked for, as its id and
// what is wanted (a 32-bit float).
const (
	reportVersion = 1
	reportEntry   = 8 + 4
)

// mostWanted bounds what is believed: no edge serves more requests a second.
const mostWanted = 1e9

func encode(wants map[id]float64) []byte {
	b := make([]byte, 0, 1+reportEntry*len(wants))
	b = append(b, reportVersion)
	for holder, w := range wants {
		b = binary.BigEndian.AppendUint64(b, uint64(holder))
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(float32(w)))
	}
	return b
}

// decode reads what another edge reports; nothing of what cannot be read.
func decode(b []byte) map[id]float64 {
	if len(b) == 0 || b[0] != reportVersion || (len(b)-1)%reportEntry != 0 {
		return nil
	}
	wants := make(map[id]float64, len(b)/reportEntry)
	for b = b[1:]; len(b) > 0; b = b[reportEntry:] {
		w := float64(math.Float32frombits(binary.BigEndian.Uint32(b[8:])))
		if w >= 0 && w <= mostWanted { // not so for what is no number
			wants[id(binary.BigEndian.Uint64(b))] = w
		}
	}
	return wants
}
