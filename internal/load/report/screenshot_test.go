package report_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/turnout-events/turnout/internal/load/report"
)

// TestScreenshots writes a picture of every fixture's page to
// $TURNOUT_SCREENSHOTS, on a phone and on a desk, by day and by night, on paper
// too, and fails when a page is wider than its screen. Without that variable it has
// nothing to do.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("TURNOUT_SCREENSHOTS")
	if dir == "" {
		t.Skip("TURNOUT_SCREENSHOTS says where pictures go")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium in PATH")
	}
	runs := fixtures()
	runs["hostile"] = hostile()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if run := runs[r.URL.Path[1:]]; run != nil {
			w.Header().Set("Content-Type", "text/html")
			_ = report.HTML(w, run)
		}
	}))
	defer server.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("hide-scrollbars", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	tab, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	for name := range runs {
		if err := chromedp.Do(tab, chromedp.Navigate(server.URL+"/"+name)); err != nil {
			t.Fatal(err)
		}
		for _, width := range []int64{320, 390, 1280} {
			for _, scheme := range []string{"light", "dark"} {
				shoot(t, tab, filepath.Join(dir, name), width, scheme, "screen")
			}
		}
		shoot(t, tab, filepath.Join(dir, name), 700, "dark", "print")
	}
}

func shoot(t *testing.T, tab context.Context, file string, width int64, scheme, medium string) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	screen := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500}
	if _, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, screen); err != nil {
		t.Fatal(err)
	}
	layout, err := chromedp.Call(tab, page.GetLayoutMetrics, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if layout.CSSContentSize.Width > float64(width) {
		script := fmt.Sprintf(`[...document.querySelectorAll("main *")].filter(e => !e.closest(".scroll") && e.getBoundingClientRect().right > %d).map(e => e.outerHTML.slice(0, 90)).slice(0, 5).join("\n")`, width)
		culprits, _ := chromedp.Run(tab, chromedp.Evaluate[string](script))
		t.Errorf("%s is %v wide on a screen of %d: %s", file, layout.CSSContentSize.Width, width, culprits)
	}
	beyond := true
	picture, err := chromedp.Call(tab, page.CaptureScreenshot, page.CaptureScreenshotParams{
		CaptureBeyondViewport: &beyond,
		Clip:                  &page.Viewport{Width: float64(width), Height: layout.CSSContentSize.Height, Scale: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	name := map[int64]string{320: "small", 390: "phone", 700: "paper", 1280: "desk"}[width]
	if err := os.WriteFile(file+"-"+name+"-"+scheme+".png", picture.Data, 0o600); err != nil {
		t.Fatal(err)
	}
}
