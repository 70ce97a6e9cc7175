package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestPaperIsWhite prints from a screen in dark colours, and with an accent of
// the event's own.
func TestPaperIsWhite(t *testing.T) {
	chromium := browser(t)
	s := newSite(t)
	path := s.register(t, filledForm())
	server := httptest.NewServer(s.handler)
	defer server.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	paper := emulation.SetEmulatedMediaParams{Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, paper); err != nil {
		t.Fatal(err)
	}
	const colours = `(() => {
		const bad = [], white = "rgb(255, 255, 255)", clear = "rgba(0, 0, 0, 0)";
		if (getComputedStyle(document.documentElement).colorScheme !== "light") bad.push("the page is not light");
		for (const e of document.querySelectorAll("body, main, main *")) {
			if (e.closest("svg, img") || e.getClientRects().length === 0) continue;
			const style = getComputedStyle(e), ground = style.backgroundColor;
			const ink = Math.max(...style.color.match(/\d+/g).slice(0, 3));
			if (ground !== white && ground !== clear || ink > 110) bad.push(e.tagName + "." + e.className + " " + style.color + " on " + ground);
		}
		return bad;
	})()`
	for name, address := range map[string]string{"event": "/events/spring-forum", "registration": path} {
		if err := chromedp.Do(tab, chromedp.Navigate(strings.Replace(server.URL, "127.0.0.1", "acme.localhost", 1)+address)); err != nil {
			t.Fatal(err)
		}
		bad, err := chromedp.Run(tab, chromedp.Evaluate[[]string](colours))
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range bad {
			t.Errorf("%s on paper: %s", name, what)
		}
	}
}
