package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/turnout-events/turnout"
)

// longWord has 60 letters and no place to break at.
const longWord = "Grundstücksverkehrsgenehmigungszuständigkeitsübertragungsamt"

// congress goes over three days, in another language than the page's, in words
// that fit on no phone.
func congress() *turnout.Event {
	e := gala()
	e.ID, e.Slug, e.Title, e.Language, e.Summary = "a01000000000005AAA", "kongress", longWord, "cs", "Drei Tage über das "+longWord+"."
	e.Venue, e.Address, e.Picture, e.Ends, e.Waitlist = longWord, "", turnout.Picture{}, e.Starts.AddDate(0, 0, 2).Add(8*time.Hour), false
	for i := range e.Tickets {
		e.Tickets[i].Name = fmt.Sprintf("%s %d", longWord, i)
	}
	for i := range e.Agenda {
		a := &e.Agenda[i]
		a.Name, a.Room = fmt.Sprintf("%s %d", longWord, i), "Saal "+longWord
		a.Starts, a.Ends = a.Starts.AddDate(0, 0, i/2), a.Ends.AddDate(0, 0, i/2)
	}
	e.Agenda[3].Ends = e.Agenda[3].Starts.Add(30 * time.Hour)
	e.Form.Questions[0].Label = longWord + "?"
	return e
}

// congressPaths publishes the congress and gives its pages by name.
func congressPaths(t *testing.T, s *site) map[string]string {
	s.catalog.publish(t, congress(), galaSeats())
	form := filledForm()
	form.Set("key", "congress-00000000000000001")
	form["agenda"] = []string{"open", "maps", "budget", "river"}
	w := s.post("/events/kongress/register", form)
	if w.Code != 303 {
		t.Fatalf("register: %d\n%s", w.Code, w.Body)
	}
	return map[string]string{
		"long-event": "/events/kongress", "long-form": "/events/kongress/register",
		"long-ticket": w.Header().Get("Location"), "long-cancel": w.Header().Get("Location") + "/cancel",
	}
}

// spokenPaths publishes an event in each language besides English, and gives its pages
// by name: the same words are longer elsewhere.
func spokenPaths(t *testing.T, s *site) map[string]string {
	paths := map[string]string{}
	for i, tag := range []string{"de", "es", "fr", "it", "nl"} {
		e := gala()
		e.ID, e.Slug, e.Language, e.MaxGuests = turnout.EventID(fmt.Sprintf("a0100000000001%dAAA", i)), "forum-"+tag, tag, 1
		s.catalog.publish(t, e, galaSeats())
		form := filledForm()
		form.Set("key", tag+"-000000000000000000000001")
		w := s.post("/events/"+e.Slug+"/register", form)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("register: %d\n%s", w.Code, w.Body)
		}
		own := w.Header().Get("Location")
		for name, path := range map[string]string{"event": "/events/" + e.Slug, "form": "/events/" + e.Slug + "/register", "ticket": own, "edit": own + "/edit", "cancel": own + "/cancel"} {
			paths[tag+"-"+name] = path
		}
	}
	return paths
}

// misfits is a script that lists what stands outside the screen or outside its
// own box, where it lies over its neighbours or is cut off.
const misfits = `(() => {
	const name = e => e.tagName.toLowerCase() + (e.className ? "." + e.className : "") + " " + e.textContent.trim().slice(0, 40);
	const bad = [];
	if (document.documentElement.scrollWidth > innerWidth) bad.push("the page: " + document.documentElement.scrollWidth);
	for (const e of document.querySelectorAll("body *")) {
		const box = e.getBoundingClientRect();
		if (!box.width || e.closest(".unseen, .skip, [hidden], svg")) continue;
		if (box.right > innerWidth + 1) bad.push("beyond the screen: " + name(e));
		// The stub is torn on purpose: half circles stand out of it.
		if (e.matches(".choice input")) {
			e.scrollIntoView({block: "center", behavior: "instant"});
			const at = e.getBoundingClientRect();
			if (document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2) !== e) bad.push("covered: " + e.id);
		}
		if (e.matches(".qr") && box.right > e.closest(".pass").getBoundingClientRect().right) bad.push("cut off: " + name(e));
		if (e.clientWidth && e.scrollWidth > e.clientWidth + 1 && !e.matches(".pass, .pass-body, .stub, input, textarea")) bad.push("out of its box: " + name(e));
	}
	return bad;
})()`

// TestPagesFitTheirScreen looks at every page on screens from the smallest that
// WCAG asks for (2.2, 1.4.10), and on a phone with text at 200 % (1.4.4).
func TestPagesFitTheirScreen(t *testing.T) {
	chromium := browser(t)
	s := newSite(t)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	origin := strings.Replace(server.URL, "127.0.0.1", "acme.localhost", 1)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	for name, path := range shots(t, s) {
		if err := chromedp.Do(tab, chromedp.Navigate(origin+path)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, screen := range []struct{ width, text int64 }{{320, 100}, {390, 100}, {390, 200}, {1280, 100}} {
			size := emulation.SetDeviceMetricsOverrideParams{Width: screen.width, Height: 800, DeviceScaleFactor: 1, Mobile: screen.width < 500}
			if _, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, size); err != nil {
				t.Fatal(err)
			}
			bad, err := chromedp.Run(tab, chromedp.Evaluate[[]string](fmt.Sprintf(`document.documentElement.style.fontSize = "%d%%"; %s`, screen.text, misfits)))
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range bad {
				t.Errorf("%s on a screen of %d with text at %d %%: %s", name, screen.width, screen.text, what)
			}
		}
	}
}
