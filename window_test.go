package turnout_test

import (
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func window(t *testing.T, text string) (w turnout.Window) {
	t.Helper()
	if err := w.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return w
}

// P9: an org's night is by its own clock, whatever that does to it.
func TestP9TheNextNight(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		window      string
		zone        *time.Location
		now         string
		open        bool
		opens, ends string
	}{
		{"01:00-05:00", time.UTC, "2026-11-27T00:59:59Z", false, "2026-11-27T01:00:00Z", "2026-11-27T05:00:00Z"},
		{"01:00-05:00", time.UTC, "2026-11-27T01:00:00Z", true, "2026-11-27T01:00:00Z", "2026-11-27T05:00:00Z"},
		{"01:00-05:00", time.UTC, "2026-11-27T05:00:00Z", false, "2026-11-28T01:00:00Z", "2026-11-28T05:00:00Z"},
		{"01:00-05:00", tokyo, "2026-11-27T16:30:00Z", true, "2026-11-27T16:00:00Z", "2026-11-27T20:00:00Z"},
		{"01:00-05:00", tokyo, "2026-12-31T20:00:00Z", false, "2027-01-01T16:00:00Z", "2027-01-01T20:00:00Z"},
		{"22:00-04:00", vienna, "2026-11-27T01:00:00Z", true, "2026-11-26T21:00:00Z", "2026-11-27T03:00:00Z"},
		{"22:00-04:00", vienna, "2026-11-27T20:59:00Z", false, "2026-11-27T21:00:00Z", "2026-11-28T03:00:00Z"},
		{"00:00-24:00", time.UTC, "2026-11-27T12:00:00Z", true, "2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z"},
		{"05:00-04:59", time.UTC, "2026-11-27T04:58:00Z", true, "2026-11-26T05:00:00Z", "2026-11-27T04:59:00Z"},
		// The clocks go from 2:00 to 3:00, and from 3:00 back to 2:00.
		{"01:00-05:00", vienna, "2027-03-28T00:30:00Z", true, "2027-03-28T00:00:00Z", "2027-03-28T03:00:00Z"},
		{"01:00-05:00", vienna, "2026-10-25T03:30:00Z", true, "2026-10-24T23:00:00Z", "2026-10-25T04:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		w := window(t, c.window)
		opens, ends := w.Next(now, c.zone)
		if got := opens.UTC().Format(time.RFC3339); got != c.opens || ends.UTC().Format(time.RFC3339) != c.ends {
			t.Errorf("%s in %v at %s: from %s to %s, want %s to %s", c.window, c.zone, c.now, got, ends.UTC().Format(time.RFC3339), c.opens, c.ends)
		}
		if w.Open(now, c.zone) != c.open {
			t.Errorf("%s in %v at %s: open is %t", c.window, c.zone, c.now, !c.open)
		}
	}
}

// P9: a night that the clocks leave out is skipped, and the one after it is found.
func TestP9ANightThatIsLeftOut(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	w := window(t, "02:30-03:00")
	for now := time.Date(2027, 3, 27, 12, 0, 0, 0, time.UTC); now.Day() < 30; now = now.Add(7 * time.Minute) {
		opens, closes := w.Next(now, vienna)
		if !closes.After(now) || !closes.After(opens) || closes.Sub(opens) > time.Hour || opens.Sub(now) > 48*time.Hour {
			t.Fatalf("at %v: from %v to %v", now, opens, closes)
		}
	}
}

func FuzzWindow(f *testing.F) {
	for _, text := range []string{"01:00-05:00", "22:00-04:00", "00:00-24:00", "24:00-01:00", "1:00-2:00", "01:00", "01:60-02:00", "05:00-05:00", "-1:00-02:00", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var w, again turnout.Window
		if err := w.UnmarshalText([]byte(text)); err != nil {
			if turnout.CodeOf(err) != turnout.CodeInvalid {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		written, _ := w.MarshalText()
		if err := again.UnmarshalText(written); err != nil || again != w {
			t.Errorf("%q becomes %q, which is %v, %v", text, written, again, err)
		}
		now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
		if opens, closes := w.Next(now, time.UTC); !closes.After(now) || !closes.After(opens) || closes.Sub(opens) > 24*time.Hour {
			t.Errorf("%q: from %v to %v", text, opens, closes)
		}
	})
}
