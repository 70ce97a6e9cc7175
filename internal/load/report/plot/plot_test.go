package plot

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		scale  Scale
		values []float64
		want   string
	}{
		{Linear, []float64{0}, "0 0.2 0.4 0.6 0.8 1"},
		{Linear, []float64{0.7}, "0 0.2 0.4 0.6 0.8"},
		{Linear, []float64{9}, "0 2 4 6 8 10"},
		{Linear, []float64{10}, "0 2 4 6 8 10"},
		{Linear, []float64{12034}, "0 5,000 10,000 15,000"},
		{Whole, []float64{1}, "0 1"},
		{Whole, []float64{3}, "0 1 2 3"},
		{Decades, []float64{3, 40}, "0 10 20 30 40"},
		{Decades, []float64{0, 1.5, 80}, "1 2 5 10 20 50 100"},
		{Decades, []float64{1.5, 4211}, "1 10 100 1,000"},
		{Bytes, []float64{3 << 20}, "0 1,048,576 2,097,152 3,145,728"},
		{Clock, []float64{0}, "0 1"},
		{Clock, []float64{22}, "0 5 10 15 20"},
		{Clock, []float64{184}, "0:00 0:30 1:00 1:30 2:00 2:30 3:00"},
		{Clock, []float64{10799}, "0:00 0:30 1:00 1:30 2:00 2:30"},
		{Share, []float64{0.5}, "50 % 90 % 99 %"},
		{Share, []float64{0.9995}, "50 % 90 % 99 % 99.9 % 99.99 %"},
		{Share, []float64{0.99999999}, "50 % 90 % 99 % 99.9 % 99.99 % 99.999 %"},
	} {
		r := newRuler(Axis{Scale: c.scale}, c.values)
		var got []string
		for _, v := range r.ticks {
			got = append(got, r.label(v))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("scale %d of %v has the ticks %v, want %s", c.scale, c.values, got, c.want)
		}
	}
}

func TestGroup(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := Group(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
}

// Hours in a few hundred points still show their one slow second.
func TestThinningKeepsMaxima(t *testing.T) {
	points := make([]Point, 10800)
	for i := range points {
		points[i] = At(float64(i), 2)
	}
	points[7321].Y, points[7321].High = 4211, 4211
	points[100] = At(100, Gap())
	for _, keep := range []Keep{Largest, Mean} {
		thin := Thin(points, 240, keep)
		if len(thin) > 240 || len(thin) < 200 {
			t.Errorf("%d points", len(thin))
		}
		peak := slices.MaxFunc(thin, func(a, b Point) int { return int(a.High - b.High) })
		if peak.High != 4211 || math.Abs(peak.X-7321) > 45 {
			t.Errorf("the peak is %+v", peak)
		}
		if (keep == Largest) != (peak.Y == 4211) {
			t.Errorf("keep %d draws %v", keep, peak.Y)
		}
		if slices.ContainsFunc(thin, func(p Point) bool { return !finite(p.Y) }) {
			t.Error("one gap among 45 seconds hides them")
		}
	}
	if same := Thin(points[:240], 240, Mean); len(same) != 240 {
		t.Errorf("a short line is thinned to %d", len(same))
	}
}

func TestGapsPartALine(t *testing.T) {
	d, ok := Draw("x", Chart{X: Axis{Scale: Clock}, Lines: []Line{{Points: []Point{At(0, 1), At(1, 2), At(2, Gap()), At(3, 1), At(4, math.Inf(1)), At(5, 4)}}}})
	if !ok || strings.Count(d.Lines[0].Path, "M") != 1 || len(d.Lines[0].Alone) != 2 || d.Lines[0].Alone[1].X != "100%" {
		t.Errorf("got %+v", d)
	}
	if got := d.Table.Rows[2]; got[1] != "–" {
		t.Errorf("a gap is written %v", got)
	}
	if _, ok := Draw("x", Chart{Lines: []Line{{Points: []Point{At(0, Gap())}}}}); ok {
		t.Error("a chart without a value is drawn")
	}
}

// The table of a distribution has the figures of its curve, between points too,
// and none beyond its end.
func TestShares(t *testing.T) {
	d, _ := Draw("x", Chart{X: Axis{Scale: Share}, Rows: []float64{0.5, 0.9, 0.99, 0.999}, Lines: []Line{{Points: []Point{At(0.5, 1), At(0.9, 2), At(0.998, 10)}}}})
	var got []string
	for _, row := range d.Table.Rows {
		got = append(got, row[1])
	}
	if got[0] != "1" || got[1] != "2" || got[3] != "–" {
		t.Errorf("got %v", got)
	}
	if v, err := strconv.ParseFloat(got[2], 64); err != nil || v <= 2 || v >= 10 {
		t.Errorf("between 2 and 10 lies %v", got[2])
	}
	if n := len(d.Lines[0].Marks); n != 3 {
		t.Errorf("%d marks", n)
	}
	far, _ := Draw("x", Chart{X: Axis{Scale: Share}, Lines: []Line{{Points: []Point{At(0.5, 1), At(0.99999, 2), At(0.99999999, 3)}}}})
	if strings.Count(far.Lines[0].Path, "L") != 1 {
		t.Errorf("past the last nine the line goes on: %s", far.Lines[0].Path)
	}
}

func FuzzDrawing(f *testing.F) {
	for _, v := range []float64{0, -1, 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, math.SmallestNonzeroFloat64, 1e15, 0.999999} {
		for scale := Linear; scale <= Share; scale++ {
			f.Add(v, 3.0, 2500.0, byte(scale))
		}
	}
	number := regexp.MustCompile(`[ML]([^ ]+) ([^MLZh]+)`)
	f.Fuzz(func(t *testing.T, a, b, c float64, s byte) {
		scale := Scale(s % 6)
		points := []Point{{X: a, Y: b, Low: c, High: a}, At(b, c), At(c, a), At(1, a), At(2, b)}
		for _, chart := range []Chart{
			{X: Axis{Scale: scale}, Y: Axis{Scale: Decades}, Lines: []Line{{Points: points}}},
			{X: Axis{Scale: Clock}, Y: Axis{Scale: scale}, Lines: []Line{{Points: Thin(points, 3, Mean)}}},
		} {
			d, ok := Draw("x", chart)
			if !ok {
				continue
			}
			for _, m := range number.FindAllStringSubmatch(d.Lines[0].Path+d.Lines[0].Band, -1) {
				inside(t, m[1], Width)
				inside(t, m[2], Height)
			}
			for _, tick := range d.XTicks {
				inside(t, strings.TrimSuffix(tick.At, "%"), 100)
			}
			for _, tick := range d.YTicks {
				inside(t, tick.At, Height)
			}
			if len(d.XTicks) > 12 || len(d.YTicks) > 12 || len(d.YTicks) == 0 {
				t.Errorf("%d and %d ticks: %v", len(d.XTicks), len(d.YTicks), d)
			}
			if text := fmt.Sprint(d.XTicks, d.YTicks); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("a tick is no number: %s", text)
			}
		}
	})
}

func inside(t *testing.T, text string, most float64) {
	t.Helper()
	if v, err := strconv.ParseFloat(text, 64); err != nil || !(v >= 0 && v <= most) {
		t.Fatalf("%q is not from 0 to %v", text, most)
	}
}
