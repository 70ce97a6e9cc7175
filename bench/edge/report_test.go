package edge

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// table is what a benchmark found, a row for each peer.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func newTable(title string, head ...string) *table { return &table{title: title, head: head} }

func (t *table) row(cells ...any) {
	var row []string
	for _, c := range cells {
		row = append(row, cell(c))
	}
	t.rows = append(t.rows, row)
}

// cell is a value as a table shows it.
func cell(v any) string {
	switch v := v.(type) {
	case float64:
		switch {
		case v >= 1000:
			return fmt.Sprintf("%.0f", v)
		case v >= 10:
			return fmt.Sprintf("%.1f", v)
		}
		return fmt.Sprintf("%.2f", v)
	case time.Duration:
		return fmt.Sprintf("%.1f ms", float64(v)/float64(time.Millisecond))
	}
	return fmt.Sprint(v)
}

// report writes the table to the output, and to the file of -into.
func (t *table) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(0, "ns/op")
	t.write(os.Stdout)
	if *into == "" {
		return
	}
	f, err := os.OpenFile(*into, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	t.write(f)
}

func (t *table) write(w io.Writer) {
	row := func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }
	text := "\n" + t.title + "\n\n" + row(t.head) + "|" + strings.Repeat("---|", len(t.head)) + "\n"
	for _, r := range t.rows {
		text += row(r)
	}
	fmt.Fprintln(w, text)
}

func median[T int | int64 | float64 | time.Duration](v []T) T { return part(v, 0.5) }

// part is the value that a part of all is at most as large as.
func part[T int | int64 | float64 | time.Duration](v []T, of float64) T {
	if len(v) == 0 {
		var none T
		return none
	}
	v = slices.Clone(v)
	slices.Sort(v)
	return v[min(len(v)-1, int(of*float64(len(v))))]
}

// against is the median ratio of two series that were measured in turn.
func against(ours, theirs []float64) float64 {
	var all []float64
	for i := range min(len(ours), len(theirs)) {
		all = append(all, ours[i]/theirs[i])
	}
	return median(all)
}
