package words

import (
	"fmt"
	"strings"
	"time"
)

// names are those of months and days, January and Sunday first, in full and short.
type names struct {
	months, shortMonths, days, shortDays []string
}

// namesOf reads them of a language, where they stand apart by a comma.
func namesOf(sentences map[string]string) names {
	list := func(key string) []string {
		if sentences[key] == "" {
			return nil
		}
		return strings.Split(sentences[key], ",")
	}
	return names{list("names.months"), list("names.months.short"), list("names.days"), list("names.days.short")}
}

// check says which of them a language that has any has too few or too many of.
func (n names) check(tag string) []error {
	var faults []error
	for _, c := range []struct {
		what string
		have []string
		want int
	}{{"months", n.months, 12}, {"months.short", n.shortMonths, 12}, {"days", n.days, 7}, {"days.short", n.shortDays, 7}} {
		if len(n.months) > 0 && len(c.have) != c.want {
			faults = append(faults, fmt.Errorf("words of %s: names.%s has %d names and should have %d", tag, c.what, len(c.have), c.want))
		}
	}
	return faults
}

// Date says a point in time by the layout that a key names, which is package time's,
// with the language's own names of days and months. The zone is t's.
func (l *Language) Date(key string, t time.Time) string {
	var b strings.Builder
	for layout := l.Say(key); layout != ""; {
		plain, name, rest := l.names.next(layout, t)
		b.WriteString(t.Format(plain))
		b.WriteString(name)
		layout = rest
	}
	return b.String()
}

// next cuts a layout at the first name in it.
func (n names) next(layout string, t time.Time) (plain, name, rest string) {
	at := len(layout)
	for _, c := range []struct {
		word  string
		names []string
		i     int
	}{ // the long ones first, which begin as the short ones do
		{"January", n.months, int(t.Month()) - 1}, {"Monday", n.days, int(t.Weekday())},
		{"Jan", n.shortMonths, int(t.Month()) - 1}, {"Mon", n.shortDays, int(t.Weekday())},
	} {
		if i := strings.Index(layout, c.word); i >= 0 && i < at && c.i < len(c.names) {
			at, name, rest = i, c.names[c.i], layout[i+len(c.word):]
		}
	}
	return layout[:at], name, rest
}
