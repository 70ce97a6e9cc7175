//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// P11: at a real edge, visitors beyond an org's limit get a place and no error;
// their link keeps it on another device, pages stay readable, and whoever is in
// stays in.
func TestP11TheLineAtAnEdge(t *testing.T) {
	t.Parallel()
	in := named(t, "the form")
	e := startEdge(t, strings.Replace(routesOf(in), "hosts: [events.acme.example]", "hosts: [events.acme.example], placement: {allowance: {sessions: 3}}", 1))
	device := func() func(path string) string {
		jar, _ := cookiejar.New(nil)
		proxy := func(*http.Request) (*url.URL, error) { return url.Parse("http://" + e.plain) }
		client := &http.Client{Jar: jar, Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: proxy}}
		t.Cleanup(client.CloseIdleConnections)
		return func(path string) string {
			resp, err := client.Get("http://events.acme.example" + path)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			text, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%s is answered %d", path, resp.StatusCode)
			}
			return string(text)
		}
	}
	var inside []func(string) string
	for i := range 3 {
		d := device()
		if got := d(fmt.Sprintf("/l/link-%d", i)); got != "the form" {
			t.Fatalf("visitor %d gets %s", i, got)
		}
		inside = append(inside, d)
	}
	fourth, fifth := device(), device()
	if got := fourth("/l/link-4"); !strings.Contains(got, "<b>1</b>") || !strings.Contains(got, "Your link keeps your place") {
		t.Errorf("the fourth gets %s", got)
	}
	if got := fifth("/events/x/register"); !strings.Contains(got, "<b>2</b>") {
		t.Errorf("the fifth gets %s", got)
	}
	if got := device()("/l/link-4"); !strings.Contains(got, "<b>1</b>") {
		t.Errorf("on another device the fourth gets %s", got)
	}
	if got := fifth("/events/x"); got != "the form" {
		t.Errorf("an event page is answered %s", got)
	}
	for i, d := range inside {
		if got := d("/events/x/register"); got != "the form" {
			t.Errorf("visitor %d is sent back: %s", i, got)
		}
	}
}
