package cut_test

import (
	"bytes"
	"html/template"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/cut"
)

const pageText = `<!doctype html><title>{{.A}}</title><p class="x {{.B}}">{{.A}}</p>
<input value="{{.B}}"><textarea>
{{.C}}</textarea>{{.Raw}}`

type page struct {
	A, B, C string
	Raw     template.HTML
}

func hostile() []string {
	return []string{
		"", "Ada", `"><script>alert(1)</script>`, "' onload='x", "a&amp;b", "1+1", "\x00", "\xff\xfe", "日本語 🎟",
		"</textarea></title>", "{{.A}}", "cut", "javascript:alert(1)", "\ufdd0\ufffe", "<!--", "]]>", "`${x}`", "\r\n\t",
	}
}

func templates(t testing.TB) (*template.Template, *cut.Template) {
	full, err := template.New("page").Parse(pageText)
	if err != nil {
		t.Fatal(err)
	}
	marks := cut.Marks(4)
	var b bytes.Buffer
	if err := full.Execute(&b, page{marks[0], marks[1], marks[2], template.HTML(marks[3])}); err != nil {
		t.Fatal(err)
	}
	return full, cut.New(b.Bytes(), marks)
}

func compare(t *testing.T, full *template.Template, fast *cut.Template, p page) {
	t.Helper()
	var want bytes.Buffer
	if err := full.Execute(&want, p); err != nil {
		t.Fatal(err)
	}
	got := fast.AppendTo(nil, cut.Text(p.A), cut.Text(p.B), cut.Text(p.C), cut.HTML(string(p.Raw)))
	if !bytes.Equal(got, want.Bytes()) {
		t.Fatalf("cut differs from the full rendering:\ngot  %q\nwant %q", got, want.Bytes())
	}
}

func TestEqualToFullRendering(t *testing.T) {
	full, fast := templates(t)
	for _, a := range hostile() {
		for _, b := range hostile() {
			compare(t, full, fast, page{A: a, B: b, C: a + b, Raw: "<b>fine</b>"})
		}
	}
}

func FuzzEqualToFullRendering(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s, s, s)
	}
	full, fast := templates(f)
	f.Fuzz(func(t *testing.T, a, b, c string) { compare(t, full, fast, page{A: a, B: b, C: c}) })
}

func TestMarksMayBeMissingOrRepeated(t *testing.T) {
	fast := cut.New([]byte("a ONE b ONE c"), []string{"ONE", "TWO"})
	if got := string(fast.AppendTo([]byte("> "), cut.Text("1"), cut.Text("2"))); got != "> a 1 b 1 c" {
		t.Errorf("got %q", got)
	}
	if got := string(fast.AppendTo(nil)); got != "a  b  c" {
		t.Errorf("values that are not given are empty, got %q", got)
	}
	if fast.Size() != len("a  b  c") {
		t.Errorf("size %d", fast.Size())
	}
}

func TestMarksDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range append(cut.Marks(50), cut.Marks(50)...) {
		if seen[m] || template.HTMLEscapeString(m) != m {
			t.Fatalf("mark %q is not unique or not plain", m)
		}
		seen[m] = true
	}
}

func TestTemplateKeepsItsOwnBytes(t *testing.T) {
	html := []byte("hello MARK")
	fast := cut.New(html, []string{"MARK"})
	copy(html, strings.Repeat("x", len(html)))
	if got := string(fast.AppendTo(nil, cut.Text("you"))); got != "hello you" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkCut(b *testing.B) {
	_, fast := templates(b)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		dst = fast.AppendTo(dst[:0], cut.Text("Ada <Lovelace>"), cut.Text("ada@example.com"), cut.Text("hello"), cut.HTML(""))
	}
}

func BenchmarkFull(b *testing.B) {
	full, _ := templates(b)
	var dst bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		dst.Reset()
		_ = full.Execute(&dst, page{A: "Ada <Lovelace>", B: "ada@example.com", C: "hello"})
	}
}
