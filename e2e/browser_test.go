//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// visitor is a phone with a real browser in it.
type visitor struct {
	t   *testing.T
	tab context.Context
}

// visit opens a browser, with or without JavaScript. Requests to anybody but
// the product, and complaints of the browser about a page, fail the test.
func visit(t *testing.T, d *demo, script bool) *visitor {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the browser tests need chromium: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	tab, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	v := &visitor{t, tab}
	v.do(chromedp.Navigate("about:blank"))
	if _, err := chromedp.Call(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 390, Height: 844, DeviceScaleFactor: 1, Mobile: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !script}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Listen(tab, func(ev any) {
		if sent, ok := ev.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(sent.Request.URL, d.ready.Public) && strings.HasPrefix(sent.Request.URL, "http") {
			t.Errorf("the page asked %s", sent.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(v.tab, steps...); err != nil {
		v.t.Fatal(err)
	}
}

// html is the page as it is now.
func (v *visitor) html() string {
	v.t.Helper()
	text, err := chromedp.Run(v.tab, chromedp.OuterHTML(chromedp.CSS("html")))
	if err != nil {
		v.t.Fatal(err)
	}
	return text
}

func (v *visitor) address() string {
	v.t.Helper()
	at, err := chromedp.Run(v.tab, chromedp.Location())
	if err != nil {
		v.t.Fatal(err)
	}
	return at
}

// sees waits until the page shows the words.
func (v *visitor) sees(words string) {
	v.t.Helper()
	for range 200 {
		// Between two pages there is none to read.
		text, err := chromedp.Run(v.tab, chromedp.OuterHTML(chromedp.CSS("html")))
		if err == nil && strings.Contains(text, words) {
			return
		}
		pass(50 * time.Millisecond)
	}
	v.t.Fatalf("%q is not on %s:\n%s", words, v.address(), v.html())
}

// journey is a registrant's with a personal link: the prefilled form, a
// mistake, the ticket, a change, and the cancellation.
func journey(t *testing.T, d *demo, link string, script bool) {
	v := visit(t, d, script)
	send := chromedp.Click(chromedp.CSS(".send .button"))
	v.do(chromedp.Navigate(link), chromedp.WaitVisible(chromedp.CSS("#first_name")))
	v.sees("You’re invited")
	// Nothing chosen: the summary says what to do, and what was typed stays.
	v.do(chromedp.SetValue(chromedp.CSS("#company"), "Typed before the mistake"), send, chromedp.WaitVisible(chromedp.CSS(".alert")))
	v.sees("There is a problem")
	page := v.html()
	for _, want := range []string{"<title>Error: ", "Typed before the mistake", "Choose a ticket"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing after a mistake", want)
		}
	}
	v.do(chromedp.Click(chromedp.CSS(`input[name="ticket"]`)))
	v.do(chromedp.Click(chromedp.CSS(`input[name="answers.soup"]`)), send, chromedp.WaitVisible(chromedp.CSS(".ticket")))
	if at := v.address(); !strings.Contains(at, "/registrations/") {
		t.Fatalf("after registering at %s", at)
	}
	registration := v.address()
	v.sees("Your place is reserved")
	v.do(chromedp.Navigate(link))
	v.sees("/cancel")
	v.do(chromedp.Navigate(registration+"/edit"), chromedp.WaitVisible(chromedp.CSS("#company")),
		chromedp.SetValue(chromedp.CSS("#company"), "Changed afterwards"), send)
	v.sees("Changed afterwards")
	v.sees("Your changes are saved.")
	if at := v.address(); script == strings.Contains(at, "?") { // without JavaScript it stays in the address
		t.Errorf("after a change at %s", at)
	}
	v.do(chromedp.Navigate(registration+"/cancel"), chromedp.WaitVisible(chromedp.CSS("form button")), chromedp.Click(chromedp.CSS("form button")))
	v.sees("cancelled")
}

// The whole of a registrant's way in a real browser on a phone, with
// JavaScript and without; Salesforce has it in the end, as cancelled.
func TestARegistrantsWayInABrowser(t *testing.T) {
	d := startDemo(t)
	var links []string
	for _, link := range d.ready.Links {
		if strings.Contains(d.get(link).body, "The Long Night of Lenses") {
			links = append(links, link)
		}
	}
	if len(links) < 2 {
		t.Fatalf("%d links to the event", len(links))
	}
	t.Run("with JavaScript", func(t *testing.T) { journey(t, d, links[0], true) })
	t.Run("without", func(t *testing.T) { journey(t, d, links[1], false) })
	d.within(30*time.Second, "both cancellations in Salesforce", func() bool {
		cancelled := 0
		for _, r := range d.records("Turnout_Registration__c", "") {
			if r["Status__c"] == "Cancelled" && r["Company__c"] == "Changed afterwards" && r["Link__c"] != nil {
				cancelled++
			}
		}
		return cancelled == 2
	})
}

// An organiser presses Publish and Unpublish in the simulator's page.
func TestAnOrganisersButtons(t *testing.T) {
	d := startDemo(t)
	const page = "/events/winter-observers-weekend"
	if got := d.get(page); got.status != http.StatusNotFound {
		t.Fatalf("P5: a draft is served: %d", got.status)
	}
	organiser := *d
	organiser.ready.Public = d.ready.Simulator
	v := visit(t, &organiser, false)
	press := func(button string) {
		v.do(chromedp.Navigate(d.ready.Simulator+"/"), chromedp.Click(chromedp.CSS(`button[aria-label="`+button+` Winter Observers' Weekend"]`)))
	}
	press("Publish")
	d.within(5*time.Second, "the event that was published", func() bool { return d.served(page) })
	press("Unpublish")
	d.within(5*time.Second, "the event is withdrawn", func() bool { return !d.served(page) && d.get(page).status == http.StatusNotFound })
}
