package turnout

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Window is a span of every day, by an org's own clock: its night, in which it may
// be moved. Its text is like "01:00-05:00"; "22:00-04:00" goes on past midnight,
// and "00:00-24:00" is always.
type Window struct {
	// Opens and Closes are minutes since midnight, Closes up to 24*60. Where Closes
	// is not later than Opens it is the next day's.
	Opens, Closes int
}

const day = 24 * 60

// Night is the window where nobody says another one.
func Night() Window { return Window{Opens: 1 * 60, Closes: 5 * 60} }

// valid reports whether the window is one that can be read.
func (w Window) valid() bool {
	return w.Opens >= 0 && w.Opens < day && w.Closes >= 0 && w.Closes <= day && w.Opens != w.Closes
}

// MarshalText writes the window as it is read, or says that nobody could.
func (w Window) MarshalText() ([]byte, error) {
	if !w.valid() {
		return nil, Errorf(CodeInvalid, "write window", "a window opens and closes at two different times of a day")
	}
	return fmt.Appendf(nil, "%02d:%02d-%02d:%02d", w.Opens/60, w.Opens%60, w.Closes/60, w.Closes%60), nil
}

// UnmarshalText reads a window.
func (w *Window) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	opens, okFrom := minutes(from)
	closes, okTo := minutes(to)
	read := Window{opens, closes}
	if !ok || !okFrom || !okTo || !read.valid() {
		return Errorf(CodeInvalid, "read window", "use two different times of a day such as 01:00-05:00, or 00:00-24:00 for always")
	}
	*w = read
	return nil
}

// minutes reads a time of a day.
func minutes(text string) (int, bool) {
	h, m, ok := strings.Cut(strings.TrimSpace(text), ":")
	hours, errHours := strconv.Atoi(h)
	mins, errMins := strconv.Atoi(m)
	n := hours*60 + mins
	return n, ok && len(h) == 2 && len(m) == 2 && errHours == nil && errMins == nil && hours >= 0 && mins >= 0 && mins < 60 && n <= day
}

// Next is when the window is open next in zone: the opening and the end that come
// first after now, of which the opening has passed while it is open. Of a time that the
// clocks have twice it is either; a night that is too short for the window has none.
func (w Window) Next(now time.Time, zone *time.Location) (opens, closes time.Time) {
	local := now.In(zone)
	for back := -1; ; back++ {
		opens, closes = w.on(local.Year(), local.Month(), local.Day()+back, zone)
		if closes.After(now) && closes.After(opens) {
			return opens, closes
		}
	}
}

// on is the window that opens on a day.
func (w Window) on(year int, month time.Month, d int, zone *time.Location) (opens, closes time.Time) {
	opens = time.Date(year, month, d, 0, w.Opens, 0, 0, zone)
	if w.Closes <= w.Opens {
		d++
	}
	return opens, time.Date(year, month, d, 0, w.Closes, 0, 0, zone)
}

// Open reports whether the window is open in zone.
func (w Window) Open(now time.Time, zone *time.Location) bool {
	opens, _ := w.Next(now, zone)
	return !opens.After(now)
}
