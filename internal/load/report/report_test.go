package report_test

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/turnout-events/turnout/internal/load/report"
	"github.com/turnout-events/turnout/internal/load/result"
)

func html(t *testing.T, run *result.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.HTML(&b, run); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func summary(t *testing.T, run *result.Run, width int) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Summary(&b, run, width); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSentence(t *testing.T) {
	met, missed := result.Verdict{Threshold: "a at most 1", Measured: "1", Met: true}, result.Verdict{Threshold: "b at most 2", Measured: "3"}
	right, wrong := result.Page{Method: "GET", Route: "/"}, result.Page{Method: "GET", Route: "/l/TOKEN", Fault: "status 500"}
	some := []result.Step{{Sent: 1}}
	for _, c := range []struct {
		run  result.Run
		want string
	}{
		{result.Run{}, "Nothing was measured, since no request was sent."},
		{result.Run{Steps: some}, "Finished: the scenario sets no threshold, so there was none to miss."},
		{result.Run{Verdicts: []result.Verdict{met}}, "Passed: the one threshold was met."},
		{result.Run{Verdicts: []result.Verdict{met, met}}, "Passed: both thresholds were met."},
		{result.Run{Verdicts: []result.Verdict{met, met, met}, Pages: []result.Page{right}}, "Passed: the one page is right, and all 3 thresholds were met."},
		{result.Run{Verdicts: []result.Verdict{met, missed}}, "Missed 1 of 2 thresholds: b at most 2 (measured: 3)."},
		{result.Run{Verdicts: []result.Verdict{missed, missed}}, "Missed 2 of 2 thresholds: b at most 2 (measured: 3); and b at most 2 (measured: 3)."},
		{result.Run{Pages: []result.Page{right, wrong}}, "Not right: 1 of 2 pages: GET /l/TOKEN (status 500)."},
		{result.Run{Pages: []result.Page{right, wrong}, Verdicts: []result.Verdict{missed}}, "Not right: 1 of 2 pages; missed: the one threshold: GET /l/TOKEN (status 500); and b at most 2 (measured: 3)."},
		{result.Run{Pages: []result.Page{wrong, wrong, wrong, wrong, wrong}}, "Not right: 5 of 5 pages: GET /l/TOKEN (status 500); GET /l/TOKEN (status 500); GET /l/TOKEN (status 500); and 2 more."},
		{result.Run{Interrupted: true, Seconds: 3.14, Verdicts: []result.Verdict{met}}, "Interrupted after 3.1 s, so there is no verdict."},
		{result.Run{Interrupted: true, Seconds: 130, Verdicts: []result.Verdict{missed}}, "Interrupted after 2 min 10 s; by then it had missed b at most 2 (measured: 3)."},
	} {
		if got := report.Sentence(&c.run); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		if page := html(t, &c.run); !strings.Contains(page, c.want) {
			t.Errorf("the page lacks %q", c.want)
		}
	}
}

// What was measured has its section, and what was not has none.
func TestSections(t *testing.T) {
	all := regexp.MustCompile(`<h2 id="([a-z]+)"`)
	for name, want := range map[string]string{
		"invite-storm": "latency rates errors seats salesforce steps thresholds notes",
		"onsale":       "latency rates seats salesforce steps thresholds",
		"pentest":      "latency rates errors steps thresholds notes",
		"soak":         "latency rates errors salesforce resources steps thresholds",
		"smoke":        "thresholds pages notes",
		"interrupted":  "latency rates salesforce steps notes",
		"empty":        "",
	} {
		var got []string
		for _, m := range all.FindAllStringSubmatch(html(t, fixtures()[name]), -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the sections %v, want %s", name, got, want)
		}
	}
}

// Every plot can be read by those who do not see it.
func TestPlotsHaveWordsAndTables(t *testing.T) {
	page := html(t, inviteStorm())
	plots := strings.Count(page, `<svg class="plot" role="img"`)
	for _, part := range []string{"<title id=", "<desc id=", "<details>", "</figure>"} {
		if n := strings.Count(page, part); n != plots || n < 8 {
			t.Errorf("%d plots and %d times %s", plots, n, part)
		}
	}
	if tables, captions := strings.Count(page, "<table"), strings.Count(page, "<caption>"); tables != captions {
		t.Errorf("%d tables have %d captions", tables, captions)
	}
	if strings.Contains(page, "<td></td>") || strings.Contains(page, "NaN") || strings.Contains(page, "ZgotmplZ") {
		t.Error("a figure is missing or is no number")
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements are called %s", m[1])
		}
		ids[m[1]] = true
	}
}

// A page asks nobody for anything, and nothing in it runs.
func TestPageStandsAlone(t *testing.T) {
	for name, run := range fixtures() {
		page := html(t, run)
		for _, never := range []string{"<script", "http-equiv=\"refresh", "@import", "url(", "src=", "<link rel=\"stylesheet"} {
			if strings.Contains(page, never) {
				t.Errorf("%s has %s", name, never)
			}
		}
	}
}

// Whatever a target answers or an author writes is text.
func TestHostileWords(t *testing.T) {
	run := hostile()
	page := html(t, run)
	if strings.Contains(strings.ToLower(page), "<script") || strings.Count(page, "</style>") != 1 || regexp.MustCompile(`<[^>]*\sonload=[^>]*>`).MatchString(strings.ReplaceAll(page, "&#34;", "")) {
		t.Error("markup of a field is markup of the page")
	}
	for n := 1; n <= 16; n++ {
		if !strings.Contains(page, "alert("+strconv.Itoa(n)+")") {
			t.Errorf("field %d is not shown", n)
		}
	}
	for _, text := range []string{page, summary(t, run, 80)} {
		for _, r := range text {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Fatalf("the control character %U is written", r)
			}
		}
	}
	var file bytes.Buffer
	if err := report.JSON(&file, run); err != nil || !json.Valid(file.Bytes()) {
		t.Errorf("the JSON is not: %v", err)
	}
}

func TestJSON(t *testing.T) {
	run := inviteStorm()
	run.Timeline[0].OldestAge = math.NaN()
	run.Usage = nil
	before := *run
	var file bytes.Buffer
	if err := report.JSON(&file, run); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before.Steps, run.Steps) || !math.IsNaN(run.Timeline[0].OldestAge) || run.Usage != nil {
		t.Error("the run was changed")
	}
	var read struct {
		Format  int
		Passed  bool
		Verdict string
		Usage   []result.Usage
	}
	if err := json.Unmarshal(file.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if read.Format != report.Format || read.Passed || read.Verdict != report.Sentence(run) || read.Usage == nil {
		t.Errorf("got %+v", read)
	}
	var again result.Run
	if err := json.Unmarshal(file.Bytes(), &again); err != nil {
		t.Fatal(err)
	}
	run.Timeline[0].OldestAge = 0
	if !reflect.DeepEqual(again.Timeline, run.Timeline) || !reflect.DeepEqual(again.Salesforce, run.Salesforce) || !again.Began.Equal(run.Began) {
		t.Error("what was written is not what was measured")
	}
	if strings.Contains(file.String(), ": null") {
		t.Error("a list is null")
	}
}

func TestSummaryFits(t *testing.T) {
	runs := fixtures()
	runs["hostile"] = hostile()
	for name, run := range runs {
		for _, width := range []int{0, 20, 60, 80, 132} {
			text := summary(t, run, width)
			most := max(60, width)
			if width == 0 {
				most = 80
			}
			for line := range strings.Lines(text) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > most {
					t.Errorf("%s at %d has a line of %d: %s", name, width, n, line)
				}
			}
			if !strings.Contains(strings.Join(strings.Fields(text), ""), strings.Join(strings.Fields(report.Sentence(run)), "")) && name != "hostile" {
				t.Errorf("%s lacks its verdict:\n%s", name, text)
			}
		}
	}
}

func TestSummaryHasTheFigures(t *testing.T) {
	text := strings.Join(strings.Fields(summary(t, onsale(), 80)), " ")
	for _, want := range []string{
		"onsale against http://127.0.0.1:8080, seed 20260512, 21.7 s", "Oversold 1 ", "1 recorded twice",
		"submit", "5,000", "MISSED nothing oversold", "met p99 of submit at most 500 ms", "All in Salesforce not yet",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

// The plot of shares has the same figures as the table of steps.
func TestSharesAgreeWithSteps(t *testing.T) {
	run := onsale()
	page := html(t, run)
	_, plot, _ := strings.Cut(page, `id="latency-by-share-t"`)
	plot, _, _ = strings.Cut(plot, "</figure>")
	for _, row := range []string{
		`<tr><th scope="row" class="n">50 %</th><td class="n">10 ms</td><td class="n">34 ms</td></tr>`,
		`<tr><th scope="row" class="n">99 %</th><td class="n">31 ms</td><td class="n">95 ms</td></tr>`,
	} {
		if !strings.Contains(plot, row) {
			t.Errorf("the plot's table lacks %s", row)
		}
	}
	if n := strings.Count(plot, `class="mark"`); n != 2*4 {
		t.Errorf("%d marks", n)
	}
}
