package picture

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// corner is a picture that is red in its upper left corner and blue elsewhere.
func corner(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{B: 255, A: 255}
			if x < w/4 && y < h/4 {
				c = color.RGBA{R: 255, A: 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	return img
}

func encoded(t testing.TB, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, img image.Image) []byte {
	return encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, nil) })
}

// held is a JPEG as a camera writes it that was held in some way.
func held(t testing.TB, file []byte, order binary.AppendByteOrder, how uint16) []byte {
	t.Helper()
	mark := "II*\x00"
	if order.String() == binary.BigEndian.String() {
		mark = "MM\x00*"
	}
	tiff := order.AppendUint32([]byte(mark), 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, tag := range []struct{ tag, value uint16 }{{0x0100, 7}, {0x0112, how}} {
		tiff = order.AppendUint16(order.AppendUint16(tiff, tag.tag), 3)
		tiff = order.AppendUint16(order.AppendUint16(order.AppendUint32(tiff, 1), tag.value), 0)
	}
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, binary.BigEndian.AppendUint16(nil, uint16(len(segment)+2))...)
	return append(append(out, segment...), file[2:]...)
}

func TestMadeInWidths(t *testing.T) {
	for width, want := range map[int][]int{
		4000: {480, 960, 1600}, 1600: {480, 960, 1600}, 1200: {480, 960, 1200}, 960: {480, 960}, 481: {480, 481}, 480: {480}, 100: {100}, 1: {1},
	} {
		m, err := Make(t.Context(), asJPEG(t, corner(width, 50)))
		var got []int
		for _, s := range m.Sizes {
			got = append(got, s.Width)
			config, err := jpeg.DecodeConfig(bytes.NewReader(s.JPEG))
			if err != nil || config.Width != s.Width {
				t.Errorf("%d: a size of %d is %+v, %v", width, s.Width, config, err)
			}
		}
		if err != nil || !slices.Equal(got, want) || m.Width != width || m.Height != min(50, width) {
			t.Errorf("%d: %v, %dx%d, %v", width, got, m.Width, m.Height, err)
		}
	}
}

// Every kind of file that browsers show becomes a JPEG that looks like it.
func TestKinds(t *testing.T) {
	img := corner(200, 100)
	paletted := image.NewPaletted(img.Bounds(), color.Palette{color.RGBA{B: 255, A: 255}, color.RGBA{R: 255, A: 255}})
	for y := range 100 {
		for x := range 200 {
			paletted.Set(x, y, img.At(x, y))
		}
	}
	clear := image.NewNRGBA(image.Rect(0, 0, 20, 10)) // nothing but transparent
	for name, c := range map[string]struct {
		file        []byte
		left, right color.RGBA
	}{
		"jpeg":        {asJPEG(t, img), color.RGBA{R: 255}, color.RGBA{B: 255}},
		"png":         {encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, img) }), color.RGBA{R: 255}, color.RGBA{B: 255}},
		"gif":         {encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, paletted, nil) }), color.RGBA{R: 255}, color.RGBA{B: 255}},
		"transparent": {encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, clear) }), color.RGBA{R: 255, G: 255, B: 255}, color.RGBA{R: 255, G: 255, B: 255}},
	} {
		m, err := Make(t.Context(), c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		out, err := jpeg.Decode(bytes.NewReader(m.Sizes[0].JPEG))
		if err != nil {
			t.Fatal(err)
		}
		b := out.Bounds()
		if left, right := out.At(2, 2), out.At(b.Dx()-2, b.Dy()-2); !near(left, c.left) || !near(right, c.right) {
			t.Errorf("%s: left is %v, right %v", name, left, right)
		}
	}
}

func near(got color.Color, want color.RGBA) bool {
	r, g, b, _ := got.RGBA()
	off := func(a uint32, b uint8) bool { return max(int(a>>8)-int(b), int(b)-int(a>>8)) > 24 }
	return !off(r, want.R) && !off(g, want.G) && !off(b, want.B)
}

// However the camera was held, the picture is upright, and says nothing of the camera.
func TestUpright(t *testing.T) {
	for how, at := range map[uint16]image.Point{ // where the upper left corner of the file is seen
		1: {X: 0, Y: 0}, 2: {X: 1, Y: 0}, 3: {X: 1, Y: 1}, 4: {X: 0, Y: 1}, 5: {X: 0, Y: 0}, 6: {X: 1, Y: 0}, 7: {X: 1, Y: 1}, 8: {X: 0, Y: 1},
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			m, err := Make(t.Context(), held(t, asJPEG(t, corner(200, 120)), order, how))
			if err != nil {
				t.Fatal(err)
			}
			w, h := 200, 120
			if how >= 5 { // it stands then, and is cut to a square
				w, h = 120, 120
			}
			out, err := jpeg.Decode(bytes.NewReader(m.Sizes[0].JPEG))
			if err != nil || m.Width != w || m.Height != h || out.Bounds().Dx() != w || out.Bounds().Dy() != h {
				t.Fatalf("%d: %dx%d, %v, %v", how, m.Width, m.Height, out.Bounds(), err)
			}
			if how >= 5 {
				continue // the corner is cut off; TestStanding looks at these
			}
			if got := out.At(3+at.X*(w-7), 3+at.Y*(h-7)); !near(got, color.RGBA{R: 255}) {
				t.Errorf("%d: %v is %v", how, at, got)
			}
			if bytes.Contains(m.Sizes[0].JPEG, []byte("Exif")) {
				t.Errorf("%d: it still speaks of the camera", how)
			}
		}
	}
}

// A picture that was taken standing is turned and shown as the square in its middle.
func TestStanding(t *testing.T) {
	lying := image.NewRGBA(image.Rect(0, 0, 240, 120)) // its left half is red
	for y := range 120 {
		for x := range 240 {
			c := color.RGBA{B: 255, A: 255}
			if x < 120 {
				c = color.RGBA{R: 255, A: 255}
			}
			lying.SetRGBA(x, y, c)
		}
	}
	for how, top := range map[uint16]color.RGBA{5: {R: 255}, 6: {R: 255}, 7: {B: 255}, 8: {B: 255}} {
		m, err := Make(t.Context(), held(t, asJPEG(t, lying), binary.BigEndian, how))
		if err != nil {
			t.Fatal(err)
		}
		out, err := jpeg.Decode(bytes.NewReader(m.Sizes[0].JPEG))
		if err != nil || m.Width != 120 || m.Height != 120 {
			t.Fatalf("%d: %dx%d, %v", how, m.Width, m.Height, err)
		}
		bottom := color.RGBA{R: top.B, B: top.R}
		if !near(out.At(60, 4), top) || !near(out.At(60, 115), bottom) {
			t.Errorf("%d: at the top %v, at the bottom %v", how, out.At(60, 4), out.At(60, 115))
		}
	}
}

// chunk is one of a PNG file.
func chunk(kind string, data []byte) []byte {
	out := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), kind...)
	out = append(out, data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// sayingItIs is a PNG file of a size, with nothing in it.
func sayingItIs(width, height uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 0, 0, 0, 0))...)
}

// What would cost more than a picture may is refused before it does.
func TestWhatIsNoPicture(t *testing.T) {
	whole := asJPEG(t, corner(300, 200))
	passes := append(bytes.Clone(whole), bytes.Repeat([]byte{0xff, 0xda, 0, 2}, 41)...)
	progressive := bytes.Clone(whole)
	at := bytes.Index(progressive, []byte{0xff, 0xc0})
	progressive[at+1] = 0xc2
	binary.BigEndian.PutUint16(progressive[at+5:], 4000)
	binary.BigEndian.PutUint16(progressive[at+7:], 4000)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"nothing":              {nil, "it is no JPEG, PNG, GIF or WebP"},
		"text":                 {[]byte("<html>not here</html>"), "it is no JPEG, PNG, GIF or WebP"},
		"svg":                  {[]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), "it is no JPEG, PNG, GIF or WebP"},
		"cut off":              {whole[:len(whole)/2], "damaged jpeg"},
		"too large":            {sayingItIs(6000, 5000), "more pixels than such a png may have, 25 million"},
		"far too large":        {sayingItIs(100_000, 100_000), "more pixels"},
		"large, progressive":   {progressive, "more pixels than such a jpeg may have, 6 million"},
		"a great many passes":  {passes, "too many passes"},
		"a frame of no width":  {[]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x00\x00\x01\x00\x00\x02\x01\x2c\x00\x3b"), "damaged gif"},
		"a frame of no height": {[]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\x2c\x00\x00\x00\x00\x01\x00\x00\x00\x00\x02\x01\x2c\x00\x3b"), "damaged gif"},
	} {
		if _, err := Make(t.Context(), c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Make(ended, whole); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("for nobody: %v", err)
	}
}

// A picture of any shape costs no more than its pixels: a tall one is scaled from the square
// that is shown of it.
func TestTallPicturesCostNoMore(t *testing.T) {
	file := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 1600, 15_000))) })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := Make(t.Context(), file)
	runtime.ReadMemStats(&after)
	if err != nil || m.Width != 1600 || m.Height != 1600 {
		t.Errorf("%dx%d, %v", m.Width, m.Height, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 2*maxMemory {
		t.Errorf("it took %d MB", used>>20)
	}
}

// WebP is read as well: a picture of one pixel, lossless.
func TestWebP(t *testing.T) {
	file, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := Make(t.Context(), file); err != nil || m.Width != 1 || m.Height != 1 {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzMake(f *testing.F) {
	small := asJPEG(f, corner(16, 16))
	f.Add(small)
	f.Add(held(f, small, binary.LittleEndian, 6))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return png.Encode(b, corner(8, 8)) }))
	f.Add(encoded(f, func(b *bytes.Buffer) error { return gif.Encode(b, corner(8, 8), nil) }))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Fuzz(func(t *testing.T, file []byte) {
		config, _, err := image.DecodeConfig(bytes.NewReader(file))
		if err == nil && config.Width*config.Height > 1<<20 {
			return // too slow to try many of
		}
		if how := orientation(file); how < 1 || how > 8 {
			t.Errorf("it is held as %d", how)
		}
		m, err := Make(t.Context(), file)
		if err == nil && (len(m.Sizes) == 0 || m.Width < 1 || m.Height < 1) {
			t.Errorf("it makes %+v", m)
		}
	})
}

func TestPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"93.184.216.34": true, "2606:2800:220:1::1": true,
		"127.0.0.1": false, "::1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false,
		"fd00::1": false, "100.64.0.1": false, "0.0.0.0": false, "::": false, "224.0.0.1": false, "255.255.255.255": false, "::ffff:127.0.0.1": false,
		"::ffff:10.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::1": false, "198.18.0.1": false,
		"240.0.0.1": false, "0.1.2.3": false, "192.0.2.1": false, "192.88.99.1": false, "168.63.129.16": false, "::7f00:1": false, "::ffff:0:7f00:1": false,
		"2001::1": false, "fec0::1": false, "64:ff9b::7f00:1%lo": false, "2002:7f00:1::%lo": false, "2606:2800:220:1::1%eth0": true,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is public: %t", address, got)
		}
	}
}

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/picture":
			if r.Referer() != "" {
				t.Errorf("where it is moved to hears of %s", r.Referer())
			}
			_, _ = w.Write([]byte("bytes"))
		case "/moved":
			http.Redirect(w, r, "/picture", http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/odd":
			w.Header().Set("Location", "https://example.org/%zz?token=hunter2")
			w.WriteHeader(http.StatusFound)
		case "/inside":
			http.Redirect(w, r, "ftp://127.0.0.1/picture", http.StatusFound)
		case "/large":
			part := make([]byte, 1<<20)
			for range 9 {
				_, _ = w.Write(part)
			}
		case "/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("bytes"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	f := NewFetcher(Options{Private: true})
	for _, path := range []string{"/picture", "/moved"} {
		if got, err := f.Fetch(t.Context(), server.URL+path); err != nil || string(got) != "bytes" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	for address, want := range map[string]string{
		server.URL + "/none?token=hunter2":   "its server answers 404",
		server.URL + "/round":                "redirected too often",
		server.URL + "/inside":               "begins with https://",
		server.URL + "/large":                "larger than 8 MB",
		server.URL + "/cut":                  "it breaks off",
		server.URL + "/odd":                  "cannot be reached",
		"http://127.0.0.1:1/x?token=hunter2": "cannot be reached",
		"http://hunter2:x@127.0.0.1/x":       "without a name and a password",
		"file:///etc/passwd":                 "begins with https://",
		"https://":                           "begins with https://",
		"://hunter2":                         "cannot be read",
	} {
		_, err := f.Fetch(t.Context(), address)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Fetch(ended, server.URL+"/picture"); err == nil {
		t.Error("it fetches for nobody")
	}
}

// Whoever names a picture reaches nothing of the operator's own network by it, by no name
// and no redirect.
func TestNothingInsideIsReached(t *testing.T) {
	reached := false
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inside.Close()
	f := NewFetcher(Options{})
	for address, want := range map[string]string{
		"https://127.0.0.1/": "not a public one", "https://localhost/": "not a public one",
		"http://93.184.216.34/": "begins with https://", "https://93.184.216.34:22/": "without a port", "https://[::ffff:127.0.0.1]/": "not a public one",
	} {
		if _, err := f.Fetch(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	if resp, err := f.client.Get(inside.URL); err == nil { // past the look at the address
		resp.Body.Close()
		t.Error("it connects")
	}
	if reached {
		t.Error("it was reached")
	}
}
