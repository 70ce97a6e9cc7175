package report

import (
	"encoding/json"
	"io"

	"github.com/turnout-events/turnout/internal/load/result"
)

// Format is the version of what JSON writes. A field that is added leaves it
// as it is; one that goes away or means something else raises it.
const Format = 1

// file is what JSON writes: a run's own fields and what follows from them.
type file struct {
	Format  int    `json:"format"`
	Passed  bool   `json:"passed"`
	Verdict string `json:"verdict"`
	result.Run
}

// JSON writes a run as one indented object: "format" (see Format), "passed",
// "verdict" (a sentence), and then the fields of result.Run, always all of them
// and in that order. An empty list is [], never null; "salesforce" alone is
// null where it is not known. Times are RFC 3339 in UTC; latencies are
// milliseconds, other times seconds. A figure that is no number, since there
// was nothing to divide by, is 0.
func JSON(w io.Writer, run *result.Run) error {
	clean := tidied(run, asIs, numeric)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(file{Format: Format, Passed: run.Passed(), Verdict: Sentence(run), Run: *clean})
}
