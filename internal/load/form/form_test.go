package form

import (
	"net/url"
	"slices"
	"testing"
)

const page = `<!doctype html><form action=/search><input name=q></form>
<form method="post" action="?send" id="registration" novalidate>
<input type="hidden" name="key" value="06h1a5f52l3p0898suprhrcdt4">
<input type="hidden" name="form" value="5b36&amp;91">
<input id="first_name" name="first_name" type="text" value="Mira &gt; Ann" autocomplete="given-name" required>
<input id="email" name="email" type="email" value="" required>
<input name="company" type="text" value="">
<input type="radio" name="ticket" value="quay" required> <input type="radio" name="ticket" value="dome" required>
<input type="radio" name="own" value="yes"><input type="radio" name="own" value="no">
<input type="checkbox" name="agenda" value="opening"><input type="checkbox" name="agenda" value="tanks" checked>
<input type="checkbox" name="terms" required>
<select name="answers.size" required><option value="">Choose</option><option value="S">S</option><option value="M">M</option></select>
<select name="answers.day"><option value="mon">Mon</option><option value="tue" selected>Tue</option></select>
<textarea name="answers.note" rows="4">
typed &amp; kept</textarea>
<input type="number" name="answers.age" min="7" required>
<button class="button">Register</button><button name="action" value="decline">No</button>
<button name="join_waitlist" value="yes">Wait</button>
</form><form method="post"><input name="later"></form>`

func sent(t *testing.T, by Filling) url.Values {
	t.Helper()
	f, ok := Cut(page)
	if !ok || f.Action != "?send" {
		t.Fatalf("%v, action %q", ok, f.Action)
	}
	values, err := url.ParseQuery(f.Encode(by))
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// What the form says goes back, what must be answered is answered, and nothing else is.
func TestAFormIsFilledAsItAsks(t *testing.T) {
	got := sent(t, Filling{Text: func(name string) string { return "for " + name }, Choose: func(n int) int { return n - 1 }})
	want := url.Values{
		"key": {"06h1a5f52l3p0898suprhrcdt4"}, "form": {"5b36&91"}, "first_name": {"Mira > Ann"}, "email": {"for email"}, "company": {""},
		"ticket": {"dome"}, "agenda": {"tanks"}, "terms": {"on"}, "answers.size": {"S"}, "answers.day": {"tue"},
		"answers.note": {"typed & kept"}, "answers.age": {"7"},
	}
	if got.Encode() != want.Encode() {
		t.Errorf("sent\n%v\nwant\n%v", got, want)
	}
}

func TestButtonsAndFixedValues(t *testing.T) {
	got := sent(t, Filling{Button: "action", Fixed: map[string]string{"ticket": "quay", "company": "", "agenda": "opening", "own": "no"}})
	if got.Get("action") != "decline" || got.Get("ticket") != "quay" || got.Has("company") || got.Get("own") != "no" || !slices.Contains(got["agenda"], "opening") {
		t.Errorf("%v", got)
	}
	f, _ := Cut(page)
	if !f.Offers("join_waitlist") || f.Offers("nothing") || f.Value("key") == "" || f.Value("none") != "" {
		t.Error("buttons or values are not seen")
	}
}

func TestPagesWithoutAForm(t *testing.T) {
	for _, text := range []string{"", "<form", "<p>closed</p>", `<form method="get"><input name="x"></form>`} {
		if _, ok := Cut(text); ok {
			t.Errorf("a form in %q", text)
		}
	}
}

func TestLinks(t *testing.T) {
	got := Links(`<a class="x" href="/events/a?b=1&amp;c">A</a> <link rel=stylesheet href='/assets/site.css'><script src="/s.js" defer></script><a>none</a><img src=i.png>`, 10)
	want := []string{"/events/a?b=1&c", "/assets/site.css", "/s.js", "i.png"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := len(Links(`<a href=1><a href=2><a href=3>`, 2)); n != 2 {
		t.Errorf("%d links", n)
	}
}

// Whatever a page is, cutting ends and what is sent can be read.
func FuzzCut(f *testing.F) {
	f.Add(page)
	f.Add(`<form method=post><input name="a" value='b"><textarea name=t>`)
	f.Add(`<form method=post><select><option value=1 selected><button name=>`)
	f.Fuzz(func(t *testing.T, text string) {
		Links(text, 20)
		form, ok := Cut(text)
		if !ok {
			return
		}
		if _, err := url.ParseQuery(form.Encode(Filling{})); err != nil {
			t.Errorf("%v", err)
		}
	})
}
