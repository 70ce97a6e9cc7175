package pool

import (
	"time"
)

// Bounds of judging an upstream.
const (
	// window is how long what an upstream answered counts, in slots.
	window = time.Second
	slots  = 10
	// fewest answers in a window say something about an upstream.
	fewest = 5
	// mostFailing is the part of answers that may be failures.
	mostFailing = 0.3
	// inARow failures eject, however few answers there are.
	inARow = 5
	// shortest is the first ejection; each further one doubles it up to longest.
	shortest = 2 * time.Second
	longest  = 2 * time.Minute
	// calm without an ejection halves the next one: a flapping upstream is kept
	// out longer each time, and a mended one is trusted again by and by.
	calm = time.Minute
	// rise is how many probes in a row bring back one that was down.
	rise = 2
)

// health is what is known of one upstream. Not safe for concurrent use.
type health struct {
	// down: the last probe found nobody there.
	down  bool
	risen int // probes in a row that found it there again
	// ejected is until when it gets no new work though it answers.
	ejected   time.Time
	ejections int       // that count for the length of the next one
	judged    time.Time // when ejections last changed

	row     int // failures in a row
	counted [slots]struct{ slot, all, failed int64 }
}

// answered counts one answer, and reports whether it got the upstream ejected.
func (h *health) answered(failed bool, now time.Time) bool {
	slot := now.UnixNano() / int64(window/slots)
	c := &h.counted[slot%slots]
	if c.slot != slot {
		c.slot, c.all, c.failed = slot, 0, 0
	}
	c.all++
	if !failed {
		h.row = 0
		return false
	}
	c.failed++
	h.row++
	if now.Before(h.ejected) || !h.failing(slot) {
		return false
	}
	h.eject(now)
	return true
}

// failing reports whether too many of the answers of the last second failed.
func (h *health) failing(slot int64) bool {
	if h.row >= inARow {
		return true
	}
	var all, failed int64
	for _, c := range h.counted {
		if slot-c.slot < slots {
			all += c.all
			failed += c.failed
		}
	}
	return all >= fewest && float64(failed) > mostFailing*float64(all)
}

// eject keeps the upstream out for a while, longer each time.
func (h *health) eject(now time.Time) {
	h.ejections -= min(h.ejections, int(now.Sub(h.judged)/calm))
	length := longest
	if h.ejections < 6 {
		length = min(longest, shortest<<h.ejections)
	}
	h.ejections++
	h.judged = now
	h.ejected = now.Add(length)
	h.row = 0
	h.counted = [slots]struct{ slot, all, failed int64 }{}
}

// probed counts a probe, and reports whether the upstream went down or came
// back by it.
func (h *health) probed(there bool) (went, came bool) {
	switch {
	case !there:
		h.risen = 0
		went = !h.down
		h.down = true
	case h.down:
		if h.risen++; h.risen >= rise {
			h.down, h.risen = false, 0
			// What failed was that nobody was there. Whoever is there now has
			// failed nothing yet, and its sessions need not leave.
			h.ejected, h.row = time.Time{}, 0
			h.counted = [slots]struct{ slot, all, failed int64 }{}
			came = true
		}
	}
	return went, came
}
