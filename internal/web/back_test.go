package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestOnlyAnUntouchedFormIsKeptByTheBrowser: a form that names nobody may be
// shown again by Back, with its key (P1); what names somebody may not.
func TestOnlyAnUntouchedFormIsKeptByTheBrowser(t *testing.T) {
	s := newSite(t)
	wrong := filledForm()
	wrong.Set("email", "no-address")
	path := s.register(t, filledForm())
	for name, c := range map[string]struct {
		header func() string
		want   string
	}{
		"public form":   {func() string { return s.get(formPath).Header().Get("Cache-Control") }, "private, no-cache"},
		"link":          {func() string { return s.get("/l/" + graceToken).Header().Get("Cache-Control") }, "private, no-store"},
		"typed values":  {func() string { return s.post(formPath, wrong).Header().Get("Cache-Control") }, "private, no-store"},
		"registration":  {func() string { return s.get(path).Header().Get("Cache-Control") }, "private, no-store"},
		"change":        {func() string { return s.get(path + "/edit").Header().Get("Cache-Control") }, "private, no-store"},
		"calendar file": {func() string { return s.get(path + ".ics").Header().Get("Cache-Control") }, "private, no-store"},
		"sent":          {func() string { return s.post(formPath, filledForm()).Header().Get("Cache-Control") }, "private, no-store"},
	} {
		if got := c.header(); got != c.want {
			t.Errorf("%s: Cache-Control %q, want %q", name, got, c.want)
		}
	}
	h := s.get(formPath).Header()
	if !strings.Contains(h.Get("X-Robots-Tag"), "noindex") {
		t.Error("the form may be indexed")
	}
	if strings.Contains(s.get(formPath).Body.String(), `autocomplete="off"`) {
		t.Error("a field is forgotten on Back")
	}
}

// TestP1BackAndSendAgain goes through a browser without its page cache, so that
// Back shows what HTTP lets it keep.
func TestP1BackAndSendAgain(t *testing.T) {
	chromium := browser(t)
	s := newSite(t)
	e := talk()
	e.MaxGuests = 1
	s.catalog.publish(t, e, nil)
	server := httptest.NewServer(s.handler)
	defer server.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-features", "BackForwardCache"))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(tab, actions...); err != nil {
			t.Fatal(err)
		}
	}
	send, pass := chromedp.Click(chromedp.CSS(".send .button")), chromedp.WaitVisible(chromedp.CSS(".pass"))
	do(chromedp.Navigate(strings.Replace(server.URL, "127.0.0.1", "acme.localhost", 1)+"/events/member-briefing/register"),
		chromedp.SetValue(chromedp.CSS("#first_name"), "Ada"), chromedp.SetValue(chromedp.CSS("#last_name"), "Sample"),
		chromedp.SetValue(chromedp.CSS("#email"), "ada@example.com"), chromedp.Click(chromedp.CSS("summary")),
		chromedp.SetValue(chromedp.CSS(`[id="guests.0.first_name"]`), "Bo"), chromedp.SetValue(chromedp.CSS(`[id="guests.0.last_name"]`), "Sample"),
		send, pass, chromedp.NavigateBack(), chromedp.WaitVisible(chromedp.CSS(`[id="guests.0.first_name"]`)))
	guest, err := chromedp.Run(tab, chromedp.Evaluate[string](`document.getElementById("guests.0.first_name").value`))
	if err != nil || guest != "Bo" {
		t.Errorf("after Back the guest is %q: %v", guest, err)
	}
	do(send, pass)
	if len(s.intake.views) != 1 || s.intake.writes != 2 {
		t.Errorf("P1: %d registrations from %d sends of one form", len(s.intake.views), s.intake.writes)
	}
}
