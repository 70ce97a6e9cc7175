package console_test

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/oversight"
)

const chromium = "/usr/bin/chromium"

// misfits is a script that lists what stands outside a phone's screen or is cut off
// in it, a separator that begins a line, and what is broken in two that people copy.
// Salesforce's codes are longer than a phone is wide, and seats in five columns are
// wider than the smallest one: that table scrolls there.
const misfits = `(() => {
	const bad = [];
	if (document.documentElement.scrollWidth > innerWidth) bad.push("the page: " + document.documentElement.scrollWidth);
	const slash = document.querySelector(".here > [aria-hidden]");
	if (slash && slash.getBoundingClientRect().left < document.querySelector(".brand").getBoundingClientRect().right) bad.push("the separator begins a line");
	for (const e of document.querySelectorAll(".facts > div, .says .mono, " + (innerWidth < 390 ? ".scroll:has([role=table])" : ".scroll"))) {
		if (e.scrollWidth > e.clientWidth) bad.push("cut off at " + e.clientWidth + " of " + e.scrollWidth + ": " + e.textContent.trim().slice(0, 40));
	}
	for (const e of document.querySelectorAll(".mono:not(.says .mono)")) {
		const lines = document.createRange();
		lines.selectNodeContents(e);
		if (lines.getClientRects().length > 1) bad.push("broken: " + e.textContent);
	}
	return bad;
})()`

func TestPagesFitAPhone(t *testing.T) {
	if testing.Short() {
		t.Skip("a browser is slow")
	}
	if _, err := os.Stat(chromium); err != nil && os.Getenv("TURNOUT_CI") != "" {
		t.Fatal("the pages are tested in a real browser: apt-get install chromium fonts-dejavu-core")
	} else if err != nil {
		t.Skip("needs " + chromium)
	}
	o := newOperator()
	o.orgs[1].Name = "The Worshipful Company of Lantern Makers"
	o.parked[0].Key = "06q4t8n0a1v5k2m7c9e3r6s8d0"
	o.moves = oversight.Migration{Summary: "1 waiting", Note: "an edge looked 4s ago", Orgs: []oversight.Moving{
		{Org: "lumen", Name: "The Worshipful Company of Lantern Makers", Wave: 12, From: "blue", To: "a-stack-with-a-long-name", State: turnout.MoveWaiting, When: "as soon as it can: no instance of stack a-stack-with-a-long-name is up", Hindered: true},
	}}
	server := httptest.NewServer(o.handler(t))
	defer server.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	for _, path := range []string{"/console/", "/console/orgs/lumen", "/console/orgs/new", "/console/orgs/lumen/parked", "/console/orgs/lumen/parked/06q4t8n0a1v5k2m7c9e3r6s8d0", "/console/orgs/lumen/parked/06q4t8n0a1v5k2m7c9e3r6s8d0/dismiss", "/console/migration", "/console/orgs/lumen/forget"} {
		if err := chromedp.Do(tab, chromedp.Navigate(server.URL+path)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, width := range []int64{320, 390} {
			size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1, Mobile: true}
			if _, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, size); err != nil {
				t.Fatal(err)
			}
			bad, err := chromedp.Run(tab, chromedp.Evaluate[[]string](misfits))
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range bad {
				t.Errorf("%s on a screen of %d: %s", path, width, what)
			}
		}
	}
}
