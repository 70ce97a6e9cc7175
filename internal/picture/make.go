package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // of which the first frame is taken
	"image/jpeg"
	_ "image/png"
	"slices"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

const (
	// maxPixels bounds what one picture costs in memory, at 4 bytes a pixel.
	maxPixels = 40_000_000
	quality   = 82
)

// Widths are those that pictures are made in, in pixels.
func Widths() []int { return []int{480, 960, 1600} }

// Made is a picture ready for pages.
type Made struct {
	// Width and Height are those of the picture as it was, upright.
	Width, Height int
	// Sizes are the widths that it was made in, growing, at least one.
	Sizes []Size
}

// Size is one of them.
type Size struct {
	Width int
	JPEG  []byte
}

// Make reads a JPEG, PNG, GIF or WebP file. What is transparent becomes white. Its errors
// are in words for whoever chose the picture.
func Make(file []byte) (Made, error) {
	config, kind, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return Made{}, errors.New("it is no JPEG, PNG, GIF or WebP picture")
	}
	if config.Width < 1 || config.Height < 1 || config.Width > maxPixels/config.Height {
		return Made{}, fmt.Errorf("it has more than %d million pixels", maxPixels/1_000_000)
	}
	src, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return Made{}, fmt.Errorf("it cannot be read to its end: it is a damaged %s", kind)
	}
	how := orientation(file)
	b := turned{src, how}.Bounds()
	m := Made{Width: b.Dx(), Height: b.Dy()}
	for _, width := range slices.Backward(sizes(b.Dx())) { // each of the one before: the file is read once
		height := max(1, (b.Dy()*width+b.Dx()/2)/b.Dx())
		if how >= 5 {
			src = scaled(src, height, width)
		} else {
			src = scaled(src, width, height)
		}
		var out bytes.Buffer
		if err := jpeg.Encode(&out, upright(src, how), &jpeg.Options{Quality: quality}); err != nil {
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

// scaled is src on white.
func scaled(src image.Image, width, height int) image.Image {
	dst := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.BiLinear.Scale(dst, dst.Bounds(), src, src.Bounds(), draw.Over, nil)
	return dst
}
