package report

import (
	"strconv"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

// bars are counts beside bars of their size: a table first.
type bars struct {
	Caption, Of string
	Rows        []bar
	Bad         bool
}

type bar struct{ What, Count, Share, Width string }

// addBars adds counts to a section unless there are none.
func (s *section) addBars(caption, of string, counts []result.Count, bad bool) {
	b := bars{Caption: caption, Of: of, Bad: bad}
	greatest, all := int64(0), total(counts)
	for _, c := range counts {
		greatest = max(greatest, c.Count)
	}
	for _, c := range counts {
		b.Rows = append(b.Rows, bar{c.What, plot.Group(c.Count), share(c.Count, all), part(c.Count, greatest)})
	}
	if greatest > 0 {
		s.Bars = append(s.Bars, b)
	}
}

// seatRow is what a run proved of one event's seats, written out and drawn.
type seatRow struct {
	What, Limit, Acknowledged, Recorded, Oversold, Lost, Twice string
	// AckWidth, RecWidth and LimitAt are percent of the row's bar.
	AckWidth, RecWidth, LimitAt string
	Wrong                       bool
}

func seatSection(run *result.Run) section {
	s := section{ID: "seats", Name: "Seats"}
	for _, e := range run.Seats {
		greatest := max(e.Limit, e.Acknowledged, e.Recorded)
		row := seatRow{
			What: e.What, Limit: "none", Acknowledged: plot.Group(e.Acknowledged), Recorded: "not asked",
			Oversold: plot.Group(e.Oversold), Lost: plot.Group(e.Lost), Twice: plot.Group(e.Twice),
			AckWidth: part(e.Acknowledged, greatest), RecWidth: part(e.Recorded, greatest),
			Wrong: e.Oversold+e.Lost+e.Twice > 0,
		}
		if e.Recorded >= 0 {
			row.Recorded = plot.Group(e.Recorded)
		}
		if e.Limit > 0 {
			row.Limit, row.LimitAt = plot.Group(e.Limit), part(e.Limit, greatest)
		}
		s.Seats = append(s.Seats, row)
	}
	return s
}

// part is a bar's width in percent of the widest.
func part(n, greatest int64) string {
	if n <= 0 || greatest <= 0 {
		return "0%"
	}
	return strconv.FormatFloat(100*float64(n)/float64(greatest), 'f', 1, 64) + "%"
}
