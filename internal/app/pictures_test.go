package app

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
)

// Unless somebody says otherwise, an organiser reaches nothing of the operator's network by
// naming a picture.
func TestPicturesComeFromPublicAddresses(t *testing.T) {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 600, 300))); err != nil {
		t.Fatal(err)
	}
	reached := 0
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached++
		_, _ = w.Write(file.Bytes())
	}))
	defer inside.Close()
	if config.Default().Mirror.Pictures != config.PublicPictures || pictures(config.NoPictures) != nil {
		t.Error("that is not what is said of the settings")
	}
	for _, address := range []string{inside.URL, strings.Replace(inside.URL, "http:", "https:", 1), "https://127.0.0.1/", "https://[::1]/"} {
		if _, _, err := pictures(config.Default().Mirror.Pictures)(t.Context(), address); err == nil || reached > 0 {
			t.Errorf("%s: %v, and %d requests", address, err, reached)
		}
	}
	p, files, err := pictures(config.AnyPictures)(t.Context(), inside.URL)
	if err != nil || p.Width != 600 || p.Height != 300 || len(files) != 2 || len(files[p.File(480)]) == 0 || !turnout.ValidPictureFile(p.File(600)) {
		t.Errorf("%+v, %d files, %v", p, len(files), err)
	}
}

// A file that makes a decoder panic is that picture's trouble, and the next one has its turn.
func TestAPanicIsNobodyElses(t *testing.T) {
	places := make(chan struct{}, 1)
	for range 3 {
		if err := inTurn(t.Context(), places, func() error { panic("a frame of no width") }); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("it says %v", err)
		}
	}
	no := errors.New("no")
	if err := inTurn(t.Context(), places, func() error { return no }); !errors.Is(err, no) {
		t.Errorf("then %v", err)
	}
	places <- struct{}{} // somebody else has the place
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inTurn(ended, places, func() error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("while nobody waits any more: %v", err)
	}
}
