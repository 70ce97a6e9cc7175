package report_test

import (
	"bytes"
	"testing"

	"github.com/turnout-events/turnout/internal/load/report"
)

func TestEveryRunIsWritten(t *testing.T) {
	runs := fixtures()
	runs["hostile"] = hostile()
	for name, run := range runs {
		var page, file, text bytes.Buffer
		if err := report.HTML(&page, run); err != nil {
			t.Errorf("%s as HTML: %v", name, err)
		}
		if err := report.JSON(&file, run); err != nil {
			t.Errorf("%s as JSON: %v", name, err)
		}
		if err := report.Summary(&text, run, 80); err != nil {
			t.Errorf("%s as text: %v", name, err)
		}
		t.Logf("%s: %d, %d\n%s", name, page.Len(), file.Len(), text.String())
	}
}
