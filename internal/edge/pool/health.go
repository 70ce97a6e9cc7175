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
	counted [slots]count
}

// count is what was answered in one slot of time.
type count struct {
	slot, all, failed int64
	// good and bad are whose requests were answered well and badly.
	good, bad whose
}

// whose is one org, or several.
type whose struct {
	org     uint64 // 0 for nobody yet
	several bool
}

func (w *whose) add(org uint64) {
	switch {
	case org == 0 || w.org == 0:
		w.several = w.several || org == 0
		w.org = max(w.org, org)
	case w.org != org:
		w.several = true
	}
}

func (w *whose) join(o whose) {
	if o.org != 0 {
		w.add(o.org)
	}
	w.several = w.several || o.several
}

// answered counts one answer to an org's request (0: it says something of the
// upstream whoever asked), and reports whether it got the upstream ejected.
func (h *health) answered(org uint64, failed bool, now time.Time) bool {
	slot := now.UnixNano() / int64(window/slots)
	c := &h.counted[slot%slots]
	if c.slot != slot {
		*c = count{slot: slot}
	}
	c.all++
	if !failed {
		h.row = 0
		c.good.add(org)
		return false
	}
	c.failed++
	c.bad.add(org)
	h.row++
	if now.Before(h.ejected) || !h.failing(slot) {
		return false
	}
	h.eject(now)
	return true
}

// failing reports whether too many of the answers of the last second failed,
// and not one org's alone while others' went well: what fails there is the org's.
func (h *health) failing(slot int64) bool {
	var all, failed int64
	var good, bad whose
	for _, c := range h.counted {
		if slot-c.slot < slots {
			all += c.all
			failed += c.failed
			good.join(c.good)
			bad.join(c.bad)
		}
	}
	if !bad.several && (good.several || (good.org != 0 && good.org != bad.org)) {
		return false
	}
	if h.row >= inARow {
		return true
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
	h.counted = [slots]count{}
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
			h.counted = [slots]count{}
			came = true
		}
	}
	return went, came
}
