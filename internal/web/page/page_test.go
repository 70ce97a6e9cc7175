package page_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/web/page"
)

// TestWords finds keys without a sentence and sentences without a use.
func TestWords(t *testing.T) {
	words := newPages(t).Sentences()
	used := map[string]bool{}
	literal := regexp.MustCompile(`(?:\bt|[sS]ay\(|add\(.*?,) "([a-z_]+\.[a-z_.]+)"|(?:Say|Date)\("([a-z_]+\.[a-z_.]+)"|"((?:alert|form|notice)\.[a-z_.]+)"`)
	short := regexp.MustCompile(`(Notice|alert)\((?:in, )?"([a-z]+)"`)
	var files []string
	for _, pattern := range []string{"*.go", "templates/*.html", "../*.go"} {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range literal.FindAllStringSubmatch(string(b), -1) {
			key := m[1] + m[2] + m[3]
			if strings.HasSuffix(key, ".") {
				continue // a key that is put together
			}
			used[key] = true
			if words[key] == "" {
				t.Errorf("%s: no sentence for %q", file, key)
			}
		}
		for _, m := range short.FindAllStringSubmatch(string(b), -1) {
			prefix, suffix := "notice."+m[2], ".title"
			if m[1] == "alert" {
				prefix, suffix = "alert."+m[2], ""
			}
			used[prefix+suffix], used[prefix+".text"] = true, true
			if words[prefix+suffix] == "" || words[prefix+".text"] == "" {
				t.Errorf("%s: no sentences for %s %q", file, m[1], m[2])
			}
		}
	}
	for key := range words {
		built := key == "form.yes" || key == "form.no" || key == "format.decimal" || slices.ContainsFunc([]string{"ticket.", "fault.", "part.", "names."},
			func(prefix string) bool { return strings.HasPrefix(key, prefix) })
		if !used[key] && !built {
			t.Errorf("nothing says %q", key)
		}
	}
	for _, s := range []string{"title.registered", "title.waitlisted", "title.cancelled", "title.declined", "accepted", "delivered", "parked", "waitlisted", "cancelled", "declined"} {
		if words["ticket."+s] == "" {
			t.Errorf("no sentence for ticket.%s", s)
		}
	}
}

func TestPhaseIsOnThePage(t *testing.T) {
	e := event()
	e.Opens, e.Closes, e.Ends = noon, noon.AddDate(0, 0, 20), e.Starts.Add(time.Hour)
	for _, c := range []struct {
		at   time.Time
		want string
	}{
		{noon.Add(-time.Hour), `Registration opens on <time datetime="2027-02-01T13:00:00+01:00">1 February 2027, 13:00</time>, Vienna time (UTC+1)<span class="visitor" data-start="2027-02-01T13:00:00+01:00"`},
		{noon, ">Register</a>"},
		{noon.AddDate(0, 0, 21), "Registration is closed"},
		{noon.AddDate(0, 2, 0), "This event is over"},
	} {
		drawn, err := allPages(t, c.at).Event(org, e, nil)
		if err != nil || !strings.Contains(string(drawn.HTML), c.want) {
			t.Errorf("at %v: want %q on the page (%v)", c.at, c.want, err)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		zone       string
		start, end time.Time
		want       []string
	}{
		{"Asia/Kolkata", noon, noon.Add(time.Hour), []string{"Monday, 1 February 2027", "17:30 to 18:30", "Kolkata time (UTC&#43;5:30)"}},
		{"America/New_York", noon, noon.AddDate(0, 0, 2), []string{"Monday, 1 February 2027, 07:00 to Wednesday, 3 February 2027, 07:00", "New York time (UTC-5)"}},
		{"UTC", noon, time.Time{}, []string{"Monday, 1 February 2027<br>12:00", `<span class="zone">UTC</span>`}},
		{"Nowhere/Land", noon, time.Time{}, []string{`<span class="zone">UTC</span>`}},
	} {
		e := event()
		e.Zone, e.Starts, e.Ends = c.zone, c.start, c.end
		drawn, err := newPages(t).Event(org, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(drawn.HTML), want) {
				t.Errorf("%s: page lacks %q", c.zone, want)
			}
		}
	}
}

// TestOnlyAnotherLanguageIsMarked: a region or a script makes no other language.
func TestOnlyAnotherLanguageIsMarked(t *testing.T) {
	for language, want := range map[string]string{"": "<h1>", "en": "<h1>", "en-US": "<h1>", "EN_gb": "<h1>", "de": `<h1 lang="de">`, "zh-Hant": `<h1 lang="zh-Hant">`} {
		e := event()
		e.Language = language
		drawn, err := newPages(t).Event(org, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(drawn.HTML), want) {
			t.Errorf("%q: page lacks %q", language, want)
		}
	}
}

// TestSessionsNameTheirDay unless the event is on one day, which the page says anyway.
func TestSessionsNameTheirDay(t *testing.T) {
	morning := noon.Add(-3 * time.Hour)
	for name, c := range map[string]struct {
		ends   time.Time
		agenda []turnout.AgendaItem
		want   []string
		not    string
	}{
		"one day":                   {noon, []turnout.AgendaItem{{ID: "a", Name: "A", Starts: morning, Ends: noon}}, []string{">10:00–13:00</time>", "<h3>A</h3>"}, `class="day"`},
		"two days, sessions on one": {noon.AddDate(0, 0, 1), []turnout.AgendaItem{{ID: "a", Name: "A", Starts: noon.AddDate(0, 0, 1)}}, []string{`<h3 class="day">Tuesday, 2 February</h3>`, "<h4>A</h4>"}, ""},
		"past midnight":             {noon, []turnout.AgendaItem{{ID: "a", Name: "A", Starts: noon, Ends: noon.Add(14 * time.Hour)}}, []string{">13:00–03:00</time>"}, ""},
		"longer than a day":         {noon, []turnout.AgendaItem{{ID: "a", Name: "A", Starts: noon, Ends: noon.Add(26 * time.Hour)}}, []string{">13:00 to Tuesday, 2 February, 15:00</time>"}, ""},
		"at no time":                {noon, []turnout.AgendaItem{{ID: "a", Name: "A"}}, []string{"<h3>A</h3>"}, `class="day"`},
	} {
		e := event()
		e.Starts, e.Ends, e.Agenda = morning, c.ends, c.agenda
		drawn, err := newPages(t).Event(org, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(drawn.HTML), want) {
				t.Errorf("%s: page lacks %q", name, want)
			}
		}
		if c.not != "" && strings.Contains(string(drawn.HTML), c.not) {
			t.Errorf("%s: page has %q", name, c.not)
		}
	}
}

// Pages show what was made of a picture, in its widths, and nothing of where it came from.
func TestPictures(t *testing.T) {
	for name, c := range map[string]struct {
		image   string
		picture turnout.Picture
		want    string
	}{
		"ours": {"https://cdn.example.com/a.jpg", turnout.Picture{Name: "0123456789abcdef0123456789abcdef", Width: 1200, Height: 900, Widths: []int{480, 960, 1200}},
			`<img class="picture" src="/media/0123456789abcdef0123456789abcdef-960.jpg" srcset="/media/0123456789abcdef0123456789abcdef-480.jpg 480w, /media/0123456789abcdef0123456789abcdef-960.jpg 960w, /media/0123456789abcdef0123456789abcdef-1200.jpg 1200w"`},
		"small": {"https://cdn.example.com/a.jpg", turnout.Picture{Name: "0123456789abcdef0123456789abcdef", Width: 100, Height: 50, Widths: []int{100}},
			`src="/media/0123456789abcdef0123456789abcdef-100.jpg" srcset="/media/0123456789abcdef0123456789abcdef-100.jpg 100w"`},
		"not fetched yet": {"https://cdn.example.com/a.jpg", turnout.Picture{}, ""},
		"none":            {"", turnout.Picture{}, ""},
	} {
		e := event()
		e.Image, e.Picture = c.image, c.picture
		drawn, err := newPages(t).Event(org, e, nil)
		if err != nil {
			t.Fatal(err)
		}
		html := string(drawn.HTML)
		if strings.Contains(html, "<img") != (c.want != "") || !strings.Contains(html, c.want) || strings.Contains(html, "cdn.example.com") {
			t.Errorf("%s: the page lacks %q, or has a picture of somebody else's", name, c.want)
		}
		if preview := `property="og:image" content="` + allPages(t, noon).Origin(org) + c.picture.Path(1600); c.want != "" && !strings.Contains(html, preview) {
			t.Errorf("%s: the page lacks %s", name, preview)
		}
	}
}

var cssColour = regexp.MustCompile(`--([a-z-]+):\s*#([0-9a-fA-F]{3,6})`)

// sheet reads the colours of a stylesheet, light and dark.
func sheet(css string) (light, dark map[string]string) {
	light, dark = map[string]string{}, map[string]string{}
	lightText, rest, _ := strings.Cut(css, "prefers-color-scheme")
	rest, _, _ = strings.Cut(rest, "*, ::before")
	for text, into := range map[string]map[string]string{lightText: light, rest: dark} {
		for _, m := range cssColour.FindAllStringSubmatch(text, -1) {
			hex := strings.ToLower(m[2])
			if len(hex) == 3 {
				hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
			}
			into[m[1]] = hex
		}
	}
	return light, dark
}

func checkContrast(t *testing.T, name string, colours map[string]string, pairs [][2]string, want float64) {
	t.Helper()
	for _, p := range pairs {
		a, b := colours[p[0]], colours[p[1]]
		if a == "" || b == "" {
			t.Fatalf("%s: no colour for %v", name, p)
		}
		if got := page.Contrast(a, b); got < want {
			t.Errorf("%s: %s on %s has a contrast of %.2f, want %.1f", name, p[0], p[1], got, want)
		}
	}
}

// TestContrast holds WCAG 2.2's 1.4.3 (text) and 1.4.11 (controls).
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("assets/site.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark := sheet(string(css))
	text := [][2]string{{"text", "page"}, {"text", "card"}, {"soft", "page"}, {"soft", "card"}, {"soft", "off-soft"}, {"ink", "page"}, {"ink", "card"},
		{"on-accent", "accent"}, {"bad", "card"}, {"bad", "bad-soft"}, {"bad", "page"}, {"good", "good-soft"}, {"good", "card"}, {"good", "page"},
		{"wait", "wait-soft"}, {"text", "good-soft"}, {"text", "wait-soft"}, {"text", "bad-soft"}, {"text", "off-soft"}, {"card", "bad"}}
	controls := [][2]string{{"field", "card"}, {"field", "page"}, {"focus", "page"}, {"focus", "card"}, {"ink", "card"}}
	for name, colours := range map[string]map[string]string{"light": light, "dark": dark} {
		checkContrast(t, name, colours, text, 4.5)
		checkContrast(t, name, colours, controls, 3)
		checkContrast(t, name, colours, [][2]string{{"accent", "page"}, {"accent", "card"}}, 3)
	}
	if got := []string{light["page"], light["card"]}; got[0] != page.LightGrounds()[0] || got[1] != page.LightGrounds()[1] {
		t.Errorf("grounds in colour.go are not those of site.css: %v", got)
	}
	if got := []string{dark["page"], dark["card"]}; got[0] != page.DarkGrounds()[0] || got[1] != page.DarkGrounds()[1] {
		t.Errorf("dark grounds in colour.go are not those of site.css: %v", got)
	}
}

// FuzzAccent gives organisers any colour they like; texts stay readable.
func FuzzAccent(f *testing.F) {
	for _, n := range []uint32{0, 0xffffff, 0x777777, 0xffd166, 0x0b6e4f, 0xff0000, 0x0000ff, 0x767676, 0x949494, 0x9495f4} {
		f.Add(n)
	}
	f.Fuzz(func(t *testing.T, n uint32) {
		hex := strconv.FormatUint(uint64(n&0xffffff)|1<<24, 16)[1:]
		css, ok := page.AccentCSS(hex)
		if !ok {
			t.Fatalf("%s is refused", hex)
		}
		light, dark := sheet(string(css))
		for name, c := range map[string]map[string]string{"light": light, "dark": dark} {
			checkContrast(t, name+" "+hex, c, [][2]string{{"on-accent", "accent"}}, 4.5)
			grounds := page.LightGrounds()
			if name == "dark" {
				grounds = page.DarkGrounds()
			}
			for _, g := range grounds {
				if got := page.Contrast(c["accent"], g); name == "dark" && got < 3 {
					t.Errorf("a button of %s on %s has %.2f", c["accent"], g, got)
				}
				if got := page.Contrast(c["ink"], g); got < 4.5 {
					t.Errorf("%s: ink %s on %s has %.2f", name, c["ink"], g, got)
				}
			}
		}
	})
}

func TestAccentIsAColour(t *testing.T) {
	for _, bad := range []string{"", "fff", "#0b6e4f", "0B6E4F", "0b6e4g", "+b6e4f", "0b6e4f}body{}", "0b_6e4"} {
		if _, ok := page.AccentCSS(bad); ok {
			t.Errorf("%q is taken as a colour", bad)
		}
	}
}

// FuzzQRCode draws every key that there can be.
func FuzzQRCode(f *testing.F) {
	f.Add(string(turnout.NewKey(noon)))
	f.Add("a_b")
	f.Add(strings.Repeat("z", 64))
	f.Fuzz(func(t *testing.T, s string) {
		key := turnout.Key(s)
		if !key.Valid() {
			return
		}
		svg, err := page.QRCode(key)
		if err != nil || !strings.HasPrefix(svg, "<svg ") || len(svg) > 16<<10 {
			t.Errorf("%v, %d bytes", err, len(svg))
		}
	})
}
