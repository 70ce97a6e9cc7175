package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/turnout-events/turnout/internal/load/report/plot"
	"github.com/turnout-events/turnout/internal/load/result"
)

// Summary writes a run as plain text for a terminal of so many columns (0 means
// 80, and fewer than 60 are taken for 60): the verdict, the key figures, the
// steps, the pages, the thresholds and the notes. It writes no control
// characters but line ends, whatever a target answered.
func Summary(w io.Writer, run *result.Run, width int) error {
	if width <= 0 {
		width = 80
	}
	run = tidied(run, legible, asIs)
	s := &summary{width: max(60, width)}
	s.head(run)
	s.figures(figures(run))
	s.steps(run.Steps)
	s.pages(run.Pages)
	s.verdicts(run.Verdicts)
	s.notes(run.Notes)
	_, err := io.WriteString(w, s.text.String())
	return err
}

type summary struct {
	text  strings.Builder
	width int
}

func (s *summary) line(format string, args ...any) {
	s.text.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (s *summary) head(run *result.Run) {
	s.wrap("", fmt.Sprintf("%s against %s, seed %d, %s", run.Scenario, run.Target, run.Seed, duration(run.Seconds)))
	s.line("")
	s.wrap("", Sentence(run))
}

func (s *summary) figures(all []figure) {
	if len(all) > 0 {
		s.line("")
	}
	for _, f := range all {
		s.wrap(strings.Repeat(" ", 34), fmt.Sprintf("  %-17s  %12s  %s", f.Name, f.Value, f.Also))
	}
}

func (s *summary) steps(steps []result.Step) {
	if len(steps) == 0 {
		return
	}
	const columns = " %9s %8s %8s %8s %8s"
	name := s.width - 2 - 46
	s.line("\n%s"+columns, pad("Steps (ms)", name+2), "sent", "errors", "p50", "p99", "max")
	for _, step := range steps {
		l := step.Latency
		label := stepName(step)
		if utf8.RuneCountInString(label) > name {
			s.line("  %s", cut(label, s.width-2))
			label = ""
		}
		s.line("  %s"+columns, pad(label, name), plot.Group(step.Sent), plot.Group(total(step.Errors)), bare(l.P50), bare(l.P99), bare(l.Max))
	}
}

func (s *summary) pages(pages []result.Page) {
	if len(pages) == 0 {
		return
	}
	s.line("\nPages")
	for _, p := range pages {
		s.line("  %-6s %s%5d%12s", okOr(p.Fault == "", "wrong"), pad(p.Method+" "+p.Route, s.width-26), p.Status, milliseconds(p.Milliseconds))
		if p.Fault != "" {
			s.wrap(strings.Repeat(" ", 9), strings.Repeat(" ", 9)+p.Fault)
		}
	}
}

func (s *summary) verdicts(verdicts []result.Verdict) {
	if len(verdicts) == 0 {
		return
	}
	s.line("\nThresholds")
	for _, v := range verdicts {
		head := fmt.Sprintf("  %-6s ", metOr(v.Met))
		room := s.width - len(head) - 2 - utf8.RuneCountInString(v.Measured)
		if utf8.RuneCountInString(v.Threshold) <= room {
			s.line("%s%s  %s", head, pad(v.Threshold, room), v.Measured)
			continue
		}
		s.wrap(strings.Repeat(" ", len(head)), head+v.Threshold+": "+v.Measured)
	}
}

func (s *summary) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	s.line("\nNotes")
	for _, n := range notes {
		s.wrap("    ", "  - "+n)
	}
}

func metOr(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

func okOr(ok bool, other string) string {
	if ok {
		return "right"
	}
	return strings.ToUpper(other)
}

// wrap writes words in lines of the width, all but the first indented.
func (s *summary) wrap(indent, text string) {
	runes := []rune(text)
	for len(runes) > s.width {
		at := s.width
		for at > len(indent)+1 && runes[at] != ' ' {
			at--
		}
		if runes[at] != ' ' || strings.TrimSpace(string(runes[:at])) == "" {
			at = s.width // one word that is longer than a line
		}
		s.line("%s", string(runes[:at]))
		runes = append([]rune(indent), []rune(strings.TrimLeft(string(runes[at:]), " "))...)
	}
	s.line("%s", string(runes))
}

// pad makes text exactly so wide.
func pad(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

func cut(text string, width int) string {
	if runes := []rune(text); len(runes) > width {
		return string(runes[:max(0, width-1)]) + "…"
	}
	return text
}
