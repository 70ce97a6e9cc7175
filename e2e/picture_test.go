//go:build e2e

package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// P3, P5: an organiser's picture is fetched once when the event is published, and served by
// every instance from then on, whatever becomes of where it was; no visitor asks there.
func TestP5PicturesAreServedFromHere(t *testing.T) {
	t.Parallel()
	shade := image.NewRGBA(image.Rect(0, 0, 1200, 600))
	for y := range 600 {
		for x := range 1200 {
			shade.SetRGBA(x, y, color.RGBA{R: uint8(x / 5), G: uint8(y / 3), B: 120, A: 255})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, shade); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	theirs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(file.Bytes())
	}))
	defer theirs.Close()
	d := startDemo(t, "--pictures")
	d.event("pictured", 100, map[string]any{"Image_URL__c": theirs.URL + "/poster.png?token=hunter2"})
	source := regexp.MustCompile(`<img class="picture" src="(/media/[0-9a-f]{32}-960\.jpg)" srcset="(/media/[0-9a-f]{32}-480\.jpg) 480w, [^"]* 960w, (/media/[0-9a-f]{32}-1200\.jpg) 1200w"`)
	var found []string
	d.within(20*time.Second, "the picture", func() bool {
		return d.everywhere("/events/pictured", func(r reply) bool {
			found = source.FindStringSubmatch(r.body)
			return found != nil && !strings.Contains(r.body, theirs.URL)
		})
	})
	theirs.Close()
	for i, width := range []int{960, 480, 1200} {
		for _, instance := range d.instances() {
			r, err := d.do(http.MethodGet, instance+found[i+1], "", "", "Host", strings.TrimPrefix(d.ready.Public, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			config, err := jpeg.DecodeConfig(strings.NewReader(r.body))
			if r.status != http.StatusOK || err != nil || config.Width != width || config.Height != width/2 {
				t.Errorf("%s: %d, %+v, %v", found[i+1], r.status, config, err)
			}
		}
	}
	if r := d.get(found[1]); r.header.Get("Content-Type") != "image/jpeg" || !strings.Contains(r.header.Get("Cache-Control"), "immutable") {
		t.Errorf("through the edge: %v", r.header)
	}
	if r := d.get("/"); !strings.Contains(r.body, found[1]) {
		t.Error("the list shows the event without its picture")
	}
	d.within(20*time.Second, "a picture of each of the sample's events", func() bool { return strings.Count(d.get("/").body, "<li class=\"card\"><img ") == 5 })
	if n := asked.Load(); n < 1 || n > 2 { // once by each instance at most
		t.Errorf("P3: it was asked for %d times", n)
	}
	if r := d.get("/media/00000000000000000000000000000000-480.jpg"); r.status != http.StatusNotFound {
		t.Errorf("one that is not there: %d", r.status)
	}
}
