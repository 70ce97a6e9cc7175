package web_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// forumPicture is the gala's.
func forumPicture() turnout.Picture {
	return turnout.Picture{Name: "f0123456789abcdef0123456789abcde", Width: 1600, Height: 900, Widths: []int{480, 960, 1600}}
}

// fakePictures draws hills at dusk in any width, for any org.
type fakePictures struct{}

func (fakePictures) Picture(_ context.Context, _ turnout.OrgID, name string) ([]byte, error) {
	switch {
	case strings.HasPrefix(name, "broken"):
		return nil, errors.New("the cache is away")
	case !turnout.ValidPictureFile(name):
		return nil, &turnout.Error{Code: turnout.CodeNotFound}
	}
	width, err := strconv.Atoi(strings.TrimSuffix(name[33:], ".jpg"))
	if err != nil {
		return nil, err
	}
	img := image.NewRGBA(image.Rect(0, 0, width, width*9/16))
	for y := range img.Rect.Dy() {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(img.Rect.Dy())
			c := color.RGBA{R: uint8(250 - 120*(1-v)), G: uint8(150 + 60*(1-v)), B: uint8(110 + 110*(1-v)), A: 255}
			for hill := range 3 {
				if h := float64(hill); v > 0.5+0.14*h+0.06*math.Sin(5*u+2.1*h) {
					c = color.RGBA{R: uint8(60 - 15*hill), G: uint8(110 - 22*hill), B: uint8(100 - 18*hill), A: 255}
				}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, img, nil)
	return out.Bytes(), err
}

// Pictures are served for ever, in parts too, to whoever shows them; what is not there is
// the org's own page that says so, and is not kept.
func TestPicturesAreServed(t *testing.T) {
	s := newSite(t)
	path := forumPicture().Path(480)
	w := s.get(path)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "image/jpeg" || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" ||
		w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if config, err := jpeg.DecodeConfig(w.Body); err != nil || config.Width != 480 {
		t.Errorf("it is %+v, %v", config, err)
	}
	head := s.do(httptest.NewRequest(http.MethodHead, path, nil))
	if head.Code != http.StatusOK || head.Body.Len() != 0 {
		t.Errorf("HEAD gives %d and %d bytes", head.Code, head.Body.Len())
	}
	part := httptest.NewRequest(http.MethodGet, path, nil)
	part.Header.Set("Range", "bytes=0-1")
	if w := s.do(part); w.Code != http.StatusPartialContent || w.Body.String() != "\xff\xd8" {
		t.Errorf("a part is %d, %q", w.Code, w.Body)
	}
	for _, path := range []string{"/media/", "/media/none.jpg", "/media/..%2Fstore.db", "/media/a/b.jpg"} {
		w := s.get(path)
		if w.Code != http.StatusNotFound || strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.Contains(w.Body.String(), "Example Foundation") {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if w := s.get("/media/broken.jpg"); w.Code != http.StatusInternalServerError || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("with the cache away: %d %v", w.Code, w.Header())
	}
}
