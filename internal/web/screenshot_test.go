package web_test

import (
	"context"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/turnout-events/turnout"
)

// shots are the pages to look at, by file name.
func shots(t *testing.T, s *site) map[string]string {
	registered := s.register(t, filledForm())
	waiting := filledForm()
	waiting.Set("key", "waiting-00000000000000001")
	waiting.Set("join_waitlist", "yes")
	inLine := s.register(t, waiting)
	cancelled := filledForm()
	cancelled.Set("key", "cancelled-0000000000000001")
	gone := s.register(t, cancelled)
	s.post(gone+"/cancel", nil)
	paths := congressPaths(t, s)
	maps.Copy(paths, spokenPaths(t, s))
	online := turnout.Registration{Key: "online-00000000000000000001", Event: talk().ID, Status: turnout.StatusRegistered, Revision: 1}
	maps.Copy(paths, map[string]string{
		"list": "/", "event": "/events/spring-forum", "event-online": "/events/member-briefing", "event-full": "/events/dinner",
		"event-over": "/events/last-year", "form": "/events/spring-forum/register", "form-waitlist": "/events/dinner/register",
		"link": "/l/" + graceToken, "link-locked": "/l/" + lockedToken, "link-over": "/l/" + overToken, "link-unknown": "/l/unknown-token",
		"link-closed": "/l/" + closedToken, "link-full": "/l/" + fullToken, "event-closed": "/events/walk",
		"ticket-online": "/registrations/" + s.addRegistration(online, turnout.Details{Person: grace, Ticket: "seat"}),
		"ticket":        registered, "ticket-waitlisted": inLine, "cancel-waitlisted": inLine + "/cancel", "edit-waitlisted": inLine + "/edit", "ticket-cancelled": gone,
		"edit": registered + "/edit", "cancel": registered + "/cancel", "missing": "/nothing",
	})
	return paths
}

// TestScreenshots writes a picture of every page to $TURNOUT_SCREENSHOTS, on a
// phone and on a desktop, in light and in dark, and fails when a browser
// complains about a page (a violated policy, say). Without that variable, or
// without Chromium, it has nothing to do.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("TURNOUT_SCREENSHOTS")
	if dir == "" {
		t.Skip("TURNOUT_SCREENSHOTS says where pictures go")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
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
	messages := chromedp.Console(tab)
	for name, path := range shots(t, s) {
		shoot(t, tab, filepath.Join(dir, name), chromedp.Navigate(origin+path))
	}
	shoot(t, tab, filepath.Join(dir, "form-errors"), chromedp.Navigate(origin+"/events/spring-forum/register"),
		chromedp.SetValue(chromedp.CSS("#first_name"), "Ada"), chromedp.SetValue(chromedp.CSS("#email"), "ada@"),
		chromedp.Click(chromedp.CSS(`[id="answers.diet.3"]`)), chromedp.Click(chromedp.CSS(".send .button")), chromedp.WaitVisible(chromedp.CSS(".alert")))
	focused, err := chromedp.Run(tab, chromedp.Evaluate[bool](`document.activeElement === document.querySelector(".alert")`))
	if err != nil || !focused {
		t.Errorf("the error summary has no focus: %v", err)
	}
	s.intake.fail = turnout.Errorf(turnout.CodeFull, "accept", "")
	shoot(t, tab, filepath.Join(dir, "form-full"), chromedp.Navigate(origin+"/events/spring-forum/register"),
		chromedp.Click(chromedp.CSS(`[id="ticket.1"]`)), chromedp.Click(chromedp.CSS(`[id="agenda.budget"]`)),
		chromedp.Click(chromedp.CSS(".send .button")), chromedp.WaitVisible(chromedp.CSS(".alert")))
	s.intake.fail = turnout.Errorf(turnout.CodeUnknown, "accept", "")
	shoot(t, tab, filepath.Join(dir, "form-later"), chromedp.Navigate(origin+"/events/spring-forum/register"),
		chromedp.Click(chromedp.CSS(`[id="ticket.1"]`)), chromedp.Click(chromedp.CSS(`[id="agenda.budget"]`)),
		chromedp.Click(chromedp.CSS(".send .button")), chromedp.WaitVisible(chromedp.CSS(".alert")))
	s.intake.fail = nil
	newer := gala()
	newer.Form.Version = "f4"
	newer.Form.Questions = newer.Form.Questions[:len(newer.Form.Questions)-1]
	newer.Form.Questions[0].Choices = []string{"Soup", "Salad"}
	shoot(t, tab, filepath.Join(dir, "form-changed"), chromedp.Navigate(origin+"/events/spring-forum/register"),
		chromedp.SetValue(chromedp.CSS("#first_name"), "Ada"), chromedp.SetValue(chromedp.CSS("#last_name"), "Sample"),
		chromedp.SetValue(chromedp.CSS("#email"), "ada@example.com"), chromedp.SetValue(chromedp.CSS("#company"), "Sample Works"),
		chromedp.SetValue(chromedp.CSS(`[id="answers.note"]`), "By the window."), chromedp.Click(chromedp.CSS(`[id="ticket.1"]`)),
		chromedp.Click(chromedp.CSS(`[id="answers.diet.1"]`)), chromedp.Func(func(context.Context, *chromedp.Target) error { s.catalog.publish(t, newer, galaSeats()); return nil }),
		chromedp.Click(chromedp.CSS(".send .button")), chromedp.WaitVisible(chromedp.CSS(".alert")))
	closeTab()
	for m, err := range messages {
		if err != nil {
			break
		}
		if m.Type != "debug" && m.Type != "info" && !strings.Contains(m.Text, "status of 4") && !strings.Contains(m.Text, "status of 503") {
			t.Errorf("the browser says: %s", m)
		}
	}
}

// view is a screen on which pages are looked at.
type view struct {
	name   string
	width  int64
	height int64
	scheme string
}

func views() []view {
	return []view{
		{"small", 320, 700, "light"}, {"phone-light", 390, 844, "light"}, {"phone-dark", 390, 844, "dark"},
		{"desktop-light", 1280, 900, "light"}, {"desktop-dark", 1280, 900, "dark"},
	}
}

// shoot opens a page and writes pictures of all of it, and of what a phone
// shows first. A page wider than its screen fails.
func shoot(t *testing.T, tab context.Context, file string, open ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, open...); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, v := range views() {
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}}}
		if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		screen := emulation.SetDeviceMetricsOverrideParams{Width: v.width, Height: v.height, DeviceScaleFactor: 1, Mobile: v.width < 500}
		if _, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, screen); err != nil {
			t.Fatal(err)
		}
		layout, err := chromedp.Call(tab, page.GetLayoutMetrics, cdp.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		if layout.CSSContentSize.Width > float64(v.width) {
			t.Errorf("%s is %v wide on a screen of %d", file, layout.CSSContentSize.Width, v.width)
		}
		if v.name == "phone-light" {
			capture(t, tab, file+"-phone-first.png", page.CaptureScreenshotParams{})
		}
		capture(t, tab, file+"-"+v.name+".png", page.CaptureScreenshotParams{
			CaptureBeyondViewport: ptr(true),
			Clip:                  &page.Viewport{Width: float64(v.width), Height: layout.CSSContentSize.Height, Scale: 1},
		})
	}
}

func capture(t *testing.T, tab context.Context, file string, params page.CaptureScreenshotParams) {
	t.Helper()
	picture, err := chromedp.Call(tab, page.CaptureScreenshot, params)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, picture.Data, 0o600); err != nil {
		t.Fatal(err)
	}
}
