package words_test

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/turnout-events/turnout/internal/words"
)

const english = `{"hello": "Hello %s, you are number %d", "day": "Monday, 2 January 2006 at 15:04", "short": "Mon 2 Jan", "share": "%v of it, or 5 %%",
 "format.decimal": ".",
 "names.months": "January,February,March,April,May,June,July,August,September,October,November,December",
 "names.months.short": "Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec",
 "names.days": "Sunday,Monday,Tuesday,Wednesday,Thursday,Friday,Saturday", "names.days.short": "Sun,Mon,Tue,Wed,Thu,Fri,Sat"}`

const german = `{"hello": "Nummer %[2]d: %[1]s", "day": "Monday, 2. January 2006, 15:04 Uhr", "short": "Mon 2. Jan", "share": "%v davon, oder 5 %%",
 "format.decimal": ",", "city.Europe/Vienna": "Wien", "rule": "Nein",
 "names.months": "Jänner,Februar,März,April,Mai,Juni,Juli,August,September,Oktober,November,Dezember",
 "names.months.short": "Jän,Feb,Mär,Apr,Mai,Jun,Jul,Aug,Sep,Okt,Nov,Dez",
 "names.days": "Sonntag,Montag,Dienstag,Mittwoch,Donnerstag,Freitag,Samstag", "names.days.short": "So,Mo,Di,Mi,Do,Fr,Sa"}`

func read(files map[string]string) (*words.Languages, error) {
	dir := fstest.MapFS{}
	for name, text := range files {
		dir["words/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return words.Read(dir, "words", map[string]string{"rule": "No"})
}

func both(t testing.TB) *words.Languages {
	t.Helper()
	all, err := read(map[string]string{"en.json": english, "de.json": german})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheLanguageAskedFor(t *testing.T) {
	all := both(t)
	for tags, want := range map[string]string{
		"de": "de", "de-AT": "de", "DE_ch": "de", "de-Latn-DE": "de", "en-US": "en", "fr": "en", "": "en", "fr,de": "de", "-": "en", "d": "en", "deutsch": "en",
	} {
		if got := all.Of(strings.Split(tags, ",")...).Tag; got != want {
			t.Errorf("%q is answered in %s, want %s", tags, got, want)
		}
	}
	if got := strings.Join(all.Tags(), " "); got != "de en" {
		t.Errorf("languages %s", got)
	}
}

func TestWhatABrowserLikesBest(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "de": "de", "de-AT,de;q=0.9,en;q=0.8": "de-AT de en", " fr ; q=1": "fr", "*": "*", ",de": "de", ";;": "", "de;q=0,nl": "nl",
		"en;q=0.1,fr;q=0.9": "fr en", "zh-CN,zh;q=0.9,de;q=0.8": "zh-CN zh de", "de;q=x,nl;q=-1,it;q=nan": "",
	} {
		if got := strings.Join(words.Accepted(header), " "); got != want {
			t.Errorf("%q accepts %q, want %q", header, got, want)
		}
	}
	if n := len(words.Accepted(strings.Repeat("de,", 10_000))); n > 16 {
		t.Errorf("%d languages were read of a long header", n)
	}
}

func TestSentences(t *testing.T) {
	en, de := both(t).Of("en"), both(t).Of("de")
	at := time.Date(2027, time.March, 4, 18, 5, 0, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{en.Say("hello", "Ada", 3), "Hello Ada, you are number 3"},
		{de.Say("hello", "Ada", 3), "Nummer 3: Ada"},
		{en.Say("share", 1.5), "1.5 of it, or 5 %"},
		{de.Say("share", 1234567.5), "1234567,5 davon, oder 5 %"},
		{de.Say("share", -2.0), "-2 davon, oder 5 %"},
		{en.Say("rule"), "No"}, {de.Say("rule"), "Nein"},
		{de.Say("no such key"), "no such key"},
		{en.Date("day", at), "Thursday, 4 March 2027 at 18:05"},
		{de.Date("day", at), "Donnerstag, 4. März 2027, 18:05 Uhr"},
		{de.Date("short", at), "Do 4. Mär"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if !de.Has("city.Europe/Vienna") || en.Has("city.Europe/Vienna") {
		t.Error("a city's own name is lost, or English")
	}
}

// Every month and day has its own name, and no digit of a layout is lost.
func TestEveryDayOfAYear(t *testing.T) {
	en := both(t).Of("en")
	for day := time.Date(2027, 1, 1, 9, 30, 0, 0, time.UTC); day.Year() == 2027; day = day.AddDate(0, 0, 1) {
		if got, want := en.Date("day", day), day.Format("Monday, 2 January 2006 at 15:04"); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if got, want := en.Date("short", day), day.Format("Mon 2 Jan"); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

// What a language lacks, has beyond English or fills in otherwise is found when it is
// read, all at once.
func TestWrongWords(t *testing.T) {
	broken := strings.NewReplacer(
		`"Nummer %[2]d: %[1]s"`, `"Nummer %d: %s"`, `"short": "Mon 2. Jan", `, `"short": " ", "shorter": "x", `, `"rule": "Nein",`, ``, "Jänner,", "", "So,", "",
	).Replace(german)
	_, err := read(map[string]string{"en.json": english, "de.json": broken})
	if err == nil {
		t.Fatal("it was read")
	}
	for _, want := range []string{
		`words of de: "hello" fills in [1d 2s] and should fill in [1s 2d]`, `words of de: "short" is empty`, `words of de: nothing says "shorter"`,
		`words of de: "rule" is missing`, "names.months has 11 names", "names.days.short has 6 names",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	for name, files := range map[string]map[string]string{
		"no English": {"de.json": german}, "no JSON": {"en.json": "{"}, "no sentence": {"en.json": `{"hello": 1}`}, "nothing": {},
	} {
		if _, err := read(files); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

func FuzzTheLanguageAskedFor(f *testing.F) {
	all := both(f)
	f.Add("de-AT,de;q=0.9", "en")
	f.Fuzz(func(t *testing.T, header, tag string) {
		if l := all.Of(append(words.Accepted(header), tag)...); l.Tag != "de" && l.Tag != "en" {
			t.Errorf("%q and %q are answered in %q", header, tag, l.Tag)
		}
	})
}
