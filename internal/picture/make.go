package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // of which the first frame is taken
	"image/jpeg"
	_ "image/png"
	"slices"

	_ "golang.org/x/image/webp"
)

const (
	// maxMemory bounds what decoding one picture takes, in bytes.
	maxMemory = 96 << 20
	// maxScans bounds the passes over a progressive JPEG: it has ten or so, and each costs
	// as much as a whole picture.
	maxScans = 40
	quality  = 82
)

// Widths are those that pictures are made in, in pixels.
func Widths() []int { return []int{480, 960, 1600} }

// Made is a picture ready for pages.
type Made struct {
	// Width and Height are those that pages are to leave room for: of the part that is
	// shown, upright. A picture that is higher than wide is cut to a square.
	Width, Height int
	// Sizes are the widths that it was made in, growing, at least one.
	Sizes []Size
}

// Size is one of them.
type Size struct {
	Width int
	JPEG  []byte
}

// Make reads a JPEG, PNG, GIF or WebP file, until ctx ends. What is transparent becomes
// white. Its errors are in words for whoever chose the picture.
func Make(ctx context.Context, file []byte) (Made, error) {
	config, kind, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return Made{}, errors.New("it is no JPEG, PNG, GIF or WebP picture")
	}
	each := perPixel(kind, config.ColorModel, file)
	if tooLarge(config.Width, config.Height, each) {
		return Made{}, fmt.Errorf("it has more pixels than such a %s may have, %d million; make it 2,000 pixels wide", kind, maxMemory/each/1_000_000)
	}
	if kind == "jpeg" && bytes.Count(file, []byte{0xff, 0xda}) > maxScans {
		return Made{}, errors.New("it is a progressive jpeg of too many passes; save it as a plain one")
	}
	whole := bytes.NewReader(file)
	src, _, err := image.Decode(reader(func(b []byte) (int, error) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return whole.Read(b)
	}))
	if ctx.Err() != nil {
		return Made{}, errors.New("it takes too long to read; make it smaller")
	}
	if err != nil {
		return Made{}, fmt.Errorf("it cannot be read to its end: it is a damaged %s", kind)
	}
	if b := src.Bounds(); tooLarge(b.Dx(), b.Dy(), each) { // a frame may have another size than its file says
		return Made{}, fmt.Errorf("it is a damaged %s", kind)
	}
	return sized(src, orientation(file))
}

// perPixel is what a pixel takes while a file is decoded, in bytes: a progressive JPEG keeps
// a number for each coefficient besides.
func perPixel(kind string, model color.Model, file []byte) int {
	switch {
	case kind == "jpeg" && bytes.Contains(file, []byte{0xff, 0xc2}):
		return 16
	case model == color.RGBA64Model || model == color.NRGBA64Model || model == color.Gray16Model:
		return 8
	}
	return 4
}

func tooLarge(width, height, each int) bool {
	return width < 1 || height < 1 || width > maxMemory/each/height
}

// reader reads as its function does.
type reader func(b []byte) (int, error)

func (r reader) Read(b []byte) (int, error) { return r(b) }

// sized makes the sizes of a picture, the largest of the picture itself and each other of
// the one before.
func sized(src image.Image, how int) (Made, error) {
	view := shown(turned{src, how})
	b := view.Bounds()
	m := Made{Width: b.Dx(), Height: b.Dy()}
	for _, width := range slices.Backward(sizes(b.Dx())) {
		view = scaled(view, width, max(1, (b.Dy()*width+b.Dx()/2)/b.Dx()))
		var out bytes.Buffer
		if err := jpeg.Encode(&out, view, &jpeg.Options{Quality: quality}); err != nil {
			return Made{}, fmt.Errorf("write picture: %w", err)
		}
		m.Sizes = slices.Insert(m.Sizes, 0, Size{Width: width, JPEG: out.Bytes()})
	}
	return m, nil
}

// sizes are the widths that a picture is made in: it never grows.
func sizes(width int) []int {
	all := slices.DeleteFunc(Widths(), func(w int) bool { return w > width })
	if len(all) == 0 || all[len(all)-1] < width && len(all) < len(Widths()) {
		all = append(all, width)
	}
	return all
}

// scaled is src on white, smaller or of the same size: each pixel is the mean of those that
// it stands for, so that nothing is kept but the result.
func scaled(src image.Image, width, height int) image.Image {
	b := src.Bounds()
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		top, bottom := span(y, height, b.Dy())
		for x := range width {
			left, right := span(x, width, b.Dx())
			dst.SetRGBA(x, y, mean(src, image.Rect(left, top, right, bottom).Add(b.Min)))
		}
	}
	return dst
}

// span is the part of n that the i-th of parts stands for, at least one.
func span(i, parts, n int) (from, to int) {
	from = i * n / parts
	return from, max(from+1, (i+1)*n/parts)
}

func mean(src image.Image, part image.Rectangle) color.RGBA {
	var red, green, blue, alpha uint64
	for y := part.Min.Y; y < part.Max.Y; y++ {
		for x := part.Min.X; x < part.Max.X; x++ {
			r, g, b, a := src.At(x, y).RGBA()
			red, green, blue, alpha = red+uint64(r), green+uint64(g), blue+uint64(b), alpha+uint64(a)
		}
	}
	n := uint64(part.Dx() * part.Dy())
	white := 0xffff - alpha/n // what shines through
	return color.RGBA{R: uint8((red/n + white) >> 8), G: uint8((green/n + white) >> 8), B: uint8((blue/n + white) >> 8), A: 255}
}
