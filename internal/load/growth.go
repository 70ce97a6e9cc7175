package load

import (
	"fmt"
	"slices"

	"github.com/turnout-events/turnout/internal/load/result"
	"github.com/turnout-events/turnout/internal/load/scenario"
)

// fewestLooks is how many looks at a process a quarter of a run needs before growth
// says something.
const fewestLooks = 5

// growth compares what processes held in the last quarter of a run with what they
// held in its second: the first is for filling caches.
func (j judging) growth(t scenario.Threshold) {
	if t.Growth == 0 || j.run.Interrupted {
		return
	}
	if len(j.run.Usage) == 0 {
		j.note("What the processes hold was not watched: say where metrics are (--metrics).")
		return
	}
	end := j.run.Usage[len(j.run.Usage)-1].Second
	for _, process := range processes(j.run.Usage) {
		for _, x := range []struct {
			what string
			of   func(result.Usage) int64
			// slack is growth that means nothing.
			slack float64
		}{
			{"memory", func(u result.Usage) int64 { return u.Memory }, 32 << 20},
			{"goroutines", func(u result.Usage) int64 { return u.Goroutines }, 100},
			{"file handles", func(u result.Usage) int64 { return u.Files }, 100},
		} {
			early, n := average(j.run.Usage, process, end/4, end/2, x.of)
			late, m := average(j.run.Usage, process, end*3/4, end+1, x.of)
			if n < fewestLooks || m < fewestLooks {
				j.note("The run was too short to tell whether %s of %s grows.", x.what, process)
				continue
			}
			if early == 0 {
				continue
			}
			met := late <= early*t.Growth || late-early <= x.slack
			j.say(fmt.Sprintf("%s of %s grows to at most %g times", x.what, process, t.Growth), fmt.Sprintf("%.2f times", late/early), met)
		}
	}
}

// processes are their names, each once.
func processes(usage []result.Usage) (names []string) {
	for _, u := range usage {
		if !slices.Contains(names, u.Process) {
			names = append(names, u.Process)
		}
	}
	return names
}

// average of what a process held from one second to another, and of how many looks.
func average(usage []result.Usage, process string, from, to int, of func(result.Usage) int64) (mean float64, looks int) {
	for _, u := range usage {
		if u.Process == process && u.Second >= from && u.Second < to {
			mean += float64(of(u))
			looks++
		}
	}
	return mean / float64(max(1, looks)), looks
}
