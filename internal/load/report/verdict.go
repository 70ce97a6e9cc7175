package report

import (
	"fmt"
	"strings"

	"github.com/turnout-events/turnout/internal/load/result"
)

// Sentence is a run's verdict in one sentence: that it passed, or what it missed.
func Sentence(run *result.Run) string {
	missed, wrong := shortfalls(run)
	faults := append(wrong, missed...)
	switch {
	case run.Interrupted && len(faults) == 0:
		return "Interrupted after " + duration(run.Seconds) + ", so there is no verdict."
	case run.Interrupted:
		return "Interrupted after " + duration(run.Seconds) + "; by then it had missed " + listed(faults) + "."
	case len(faults) > 0:
		return counts(run, len(wrong), len(missed)) + listed(faults) + "."
	case len(run.Pages) > 0 && len(run.Verdicts) > 0:
		return "Passed: " + allOf(len(run.Pages), "page is right", "pages are right") + ", and " +
			allOf(len(run.Verdicts), "threshold was met", "thresholds were met") + "."
	case len(run.Pages) > 0:
		return "Passed: " + allOf(len(run.Pages), "page is right", "pages are right") + "."
	case len(run.Verdicts) > 0:
		return "Passed: " + allOf(len(run.Verdicts), "threshold was met", "thresholds were met") + "."
	case sent(run) == 0:
		return "Nothing was measured, since no request was sent."
	}
	return "Finished: the scenario sets no threshold, so there was none to miss."
}

// shortfalls are the thresholds that were missed and the pages that are wrong.
func shortfalls(run *result.Run) (missed, wrong []string) {
	for _, v := range run.Verdicts {
		if !v.Met {
			missed = append(missed, v.Threshold+measured(v))
		}
	}
	for _, p := range run.Pages {
		if p.Fault != "" {
			wrong = append(wrong, p.Method+" "+p.Route+" ("+p.Fault+")")
		}
	}
	return missed, wrong
}

func measured(v result.Verdict) string {
	if v.Measured == "" {
		return ""
	}
	return " (measured: " + v.Measured + ")"
}

// counts says how many of how many.
func counts(run *result.Run, wrong, missed int) string {
	pages, thresholds := outOf(wrong, len(run.Pages), "page"), outOf(missed, len(run.Verdicts), "threshold")
	switch {
	case missed == 0:
		return "Not right: " + pages + ": "
	case wrong == 0:
		return "Missed " + thresholds + ": "
	}
	return "Not right: " + pages + "; missed: " + thresholds + ": "
}

func outOf(n, all int, what string) string {
	if all == 1 {
		return "the one " + what
	}
	return fmt.Sprintf("%d of %d %ss", n, all, what)
}

func allOf(n int, one, many string) string {
	switch n {
	case 1:
		return "the one " + one
	case 2:
		return "both " + many
	}
	return fmt.Sprintf("all %d %s", n, many)
}

// listed joins a few of some faults; the tables have them all.
func listed(faults []string) string {
	const few = 3
	if len(faults) > few {
		faults = append(faults[:few:few], fmt.Sprintf("%d more", len(faults)-few))
	}
	if len(faults) < 2 {
		return strings.Join(faults, "")
	}
	return strings.Join(faults[:len(faults)-1], "; ") + "; and " + faults[len(faults)-1]
}

// tone is how a verdict is shown: "good", "bad", or "wait" where there is none.
func tone(run *result.Run) string {
	missed, wrong := shortfalls(run)
	switch {
	case len(missed)+len(wrong) > 0:
		return "bad"
	case run.Interrupted, len(run.Verdicts)+len(run.Pages) == 0:
		return "wait"
	}
	return "good"
}

func sent(run *result.Run) (n int64) {
	for _, s := range run.Steps {
		n += s.Sent
	}
	return n
}
