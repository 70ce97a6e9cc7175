package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// widget is an organiser's page with a link to a form, on another site than the
// form's, in a browser.
type widget struct {
	t            *testing.T
	site         *site
	events, host string // origins
	tab          context.Context

	mu sync.Mutex
	// cookies came with posted forms. asked is whom the page asked besides both
	// origins, said what the browser complained of.
	cookies, asked, said []string
}

// openWidget opens the organiser's page, whose policy allows nothing but the
// script and the frames of the form's origin. The form's site sets a cookie
// like the edge's. The org names the page's site if named.
func openWidget(t *testing.T, named, script bool) *widget {
	t.Helper()
	chromium := browser(t)
	v := &widget{t: t, site: newSite(t)}
	events := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			v.note(&v.cookies, r.Header.Get("Cookie"))
		}
		http.SetCookie(w, &http.Cookie{Name: "turnout_session", Value: "s", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		v.site.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(events.Close)
	v.events = strings.Replace(events.URL, "127.0.0.1", "acme.localhost", 1)
	host := httptest.NewServer(http.HandlerFunc(v.page))
	t.Cleanup(host.Close)
	if v.host = host.URL; named {
		v.site.catalog.org.EmbedOn = []string{v.host}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	tab, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	v.tab = tab
	v.do(tab, chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(tab, v.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script}); err != nil {
		t.Fatal(err)
	}
	v.do(tab, chromedp.Navigate(v.host))
	return v
}

func (v *widget) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src %s; frame-src %s; require-trusted-types-for 'script'", v.events, v.events))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, `<!doctype html><html lang="de-AT"><title>Acme</title><p><a id="before" href="#">Before</a></p>
<a class="turnout" id="link" href="%s%s">Register for the forum</a>
<a class="turnout" id="other" href="%s/l/%s">Not for everybody</a>
<script src="%s/embed.js" async></script>`, v.events, formPath, v.events, graceToken, v.events)
}

func (v *widget) hear(ev any) {
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		if at := e.Request.URL; strings.HasPrefix(at, "http") && !strings.HasPrefix(at, v.host) && !strings.HasPrefix(at, v.events) {
			v.note(&v.asked, at)
		}
	case *log.EventEntryAdded:
		if !strings.Contains(e.Entry.URL, "favicon") && !strings.Contains(e.Entry.Text, "favicon") {
			v.note(&v.said, e.Entry.Text)
		}
	}
}

func (v *widget) note(where *[]string, what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*where = append(*where, what)
}

func (v *widget) noted(where *[]string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(*where, "\n")
}

func (v *widget) do(tab context.Context, steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(tab, steps...); err != nil {
		v.t.Fatal(err)
	}
}

// until waits for the organiser's page to be so.
func (v *widget) until(script string) {
	v.t.Helper()
	_, err := chromedp.Run(v.tab, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil && strings.Contains(err.Error(), "context") { // a document that has just loaded takes another one
		_, err = chromedp.Run(v.tab, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(20*time.Second)))
	}
	if err != nil {
		state, _ := chromedp.Run(v.tab, chromedp.Evaluate[string](`document.activeElement.outerHTML + document.body.innerHTML`))
		v.t.Fatalf("never %s: %v\n%s\nthe browser said %s", script, err, state, v.noted(&v.said))
	}
}

// ready waits for the script, which loads by the way.
func (v *widget) ready() {
	v.t.Helper()
	v.until(`performance.getEntriesByType("resource").some(e => e.name.endsWith("/embed.js") && e.responseEnd > 0) && document.readyState === "complete"`)
}

// frame is the dialog's frame as a tab of its own: it is in another process.
func (v *widget) frame() context.Context {
	v.t.Helper()
	for range 200 {
		all, err := chromedp.Targets(v.tab)
		if err != nil {
			v.t.Fatal(err)
		}
		for _, one := range all {
			if one.Type == "iframe" && strings.HasPrefix(one.URL, v.events) {
				return v.attach(one.TargetID)
			}
		}
		v.do(v.tab, chromedp.WaitReady(chromedp.CSS("dialog iframe")))
	}
	v.t.Fatal("there is no frame")
	return nil
}

func (v *widget) attach(id target.ID) context.Context {
	frame, leave := chromedp.NewContext(v.tab, chromedp.WithTargetID(id))
	v.t.Cleanup(leave)
	return frame
}

func (v *widget) text(frame context.Context) string {
	v.t.Helper()
	text, err := chromedp.Run(frame, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		v.t.Fatal(err)
	}
	return text
}

// TestWidgetRegistersInItsDialog goes from the link through a mistake to a
// registration and out to its page, without cookies and by a strict policy.
func TestWidgetRegistersInItsDialog(t *testing.T) {
	v := openWidget(t, true, true)
	v.ready()
	v.do(v.tab, chromedp.Click(chromedp.CSS("#link")))
	v.until(`document.querySelector("dialog").open && document.activeElement.tagName === "IFRAME" && document.documentElement.style.overflow === "hidden"`)
	frame := v.frame()
	send := chromedp.Click(chromedp.CSS(".send .button"))
	v.do(frame, chromedp.WaitVisible(chromedp.CSS("#first_name")), chromedp.SetValue(chromedp.CSS("#first_name"), "Ada"), send,
		chromedp.WaitVisible(chromedp.CSS(".alert")))

	// Esc in the frame closes the dialog; opened again it has what was typed.
	v.do(v.tab, chromedp.KeyEvent("\u001b"))
	v.until(`!document.querySelector("dialog").open && document.activeElement.id === "link" && document.documentElement.style.overflow === ""`)
	v.do(v.tab, chromedp.KeyEvent("\r"))
	v.until(`document.querySelectorAll("dialog").length === 1 && document.querySelector("dialog").open && document.activeElement.tagName === "IFRAME"`)
	if name, err := chromedp.Run(frame, chromedp.Value(chromedp.CSS("#first_name"))); err != nil || name != "Ada" {
		t.Fatalf("typed %q, %v", name, err)
	}

	v.do(frame, chromedp.SetValue(chromedp.CSS("#last_name"), "Sample"), chromedp.SetValue(chromedp.CSS("#email"), "ada@example.com"),
		chromedp.SetValue(chromedp.CSS("#company"), "Sample Works"), chromedp.Click(chromedp.CSS(`input[name="ticket"]`)),
		chromedp.Click(chromedp.CSS(`input[name="answers.diet"]`)), send, chromedp.WaitVisible(chromedp.CSS(`.links a[target="_top"]`)))
	if text := v.text(frame); !strings.Contains(text, "You’re registered") || len(v.site.intake.views) != 1 {
		t.Fatalf("%d registrations, and the frame says %s", len(v.site.intake.views), text)
	}
	if sent := strings.TrimSpace(v.noted(&v.cookies)); sent != "" {
		t.Errorf("the frame had cookies, so nothing shows that it needs none: %q", sent)
	}

	v.until(`document.querySelector("dialog button").textContent === "Schließen"`)
	v.do(v.tab, chromedp.Click(chromedp.CSS("dialog button")))
	v.until(`!document.querySelector("dialog").open && document.activeElement.id === "link"`)
	if said := v.noted(&v.said); strings.Contains(said, "Content Security Policy") || strings.Contains(said, "violates") {
		t.Errorf("the browser complains: %s", said)
	}
	if asked := v.noted(&v.asked); asked != "" {
		t.Errorf("somebody else was asked: %s", asked)
	}

	v.do(v.tab, chromedp.Click(chromedp.CSS("#link")))
	v.until(`document.querySelector("dialog").open`)
	v.do(frame, chromedp.Click(chromedp.CSS(`.links a[target="_top"]`)))
	v.do(v.tab, chromedp.WaitVisible(chromedp.CSS(".pass")))
	if at, err := chromedp.Run(v.tab, chromedp.Location()); err != nil || !strings.HasPrefix(at, v.events+"/registrations/") {
		t.Errorf("the registration is at %q: %v", at, err)
	}
}

// TestWidgetFallsBackToItsLink: on a site that the org does not name, for an
// address that is one person's own, without script, and in another tab.
func TestWidgetFallsBackToItsLink(t *testing.T) {
	for name, c := range map[string]struct {
		named, script bool
		link, want    string
	}{
		"a site not named": {false, true, "#link", formPath},
		"without script":   {true, false, "#link", formPath},
		"a personal link":  {true, true, "#other", "/l/" + graceToken},
	} {
		t.Run(name, func(t *testing.T) {
			v := openWidget(t, c.named, c.script)
			if c.script {
				v.ready()
			}
			v.do(v.tab, chromedp.Click(chromedp.CSS(c.link)), chromedp.WaitVisible(chromedp.CSS("#first_name")))
			if at, err := chromedp.Run(v.tab, chromedp.Location()); err != nil || at != v.events+c.want {
				t.Errorf("the link leads to %q: %v", at, err)
			}
			if refused := strings.Contains(v.noted(&v.said), "frame-ancestors"); refused == c.named {
				t.Errorf("framing refused: %v; the browser said %q", refused, v.noted(&v.said))
			}
		})
	}
}
