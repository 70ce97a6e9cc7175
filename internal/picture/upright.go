package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

// orientation is how a camera says that a JPEG is to be turned: 1 to 8 as in Exif 2.3,
// section 4.6.4, and 1 where nothing is said that can be read.
func orientation(file []byte) int {
	if !bytes.HasPrefix(file, []byte{0xff, 0xd8}) {
		return 1
	}
	for rest := file[2:]; len(rest) >= 4 && rest[0] == 0xff; {
		length := int(binary.BigEndian.Uint16(rest[2:]))
		if rest[1] == 0xda || length < 2 || len(rest) < 2+length { // the picture itself begins
			return 1
		}
		segment := rest[4 : 2+length]
		if exif, ok := bytes.CutPrefix(segment, []byte("Exif\x00\x00")); ok && rest[1] == 0xe1 {
			return inTIFF(exif)
		}
		rest = rest[2+length:]
	}
	return 1
}

// inTIFF finds the tag in the first directory of a TIFF file.
func inTIFF(b []byte) int {
	const tagOrientation, short = 0x0112, 3
	var order binary.ByteOrder = binary.BigEndian
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case !bytes.HasPrefix(b, []byte("MM\x00*")):
		return 1
	}
	if len(b) < 8 {
		return 1
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 1
		}
		if order.Uint16(entries) == tagOrientation && order.Uint16(entries[2:]) == short {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		entries = entries[12:]
	}
	return 1
}

// turned shows a picture as its camera was held, from zero on.
type turned struct {
	image.Image
	how int
}

// Bounds has the sides changed where it lies on one.
func (t turned) Bounds() image.Rectangle {
	b := t.Image.Bounds()
	if t.how >= 5 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

// At is the pixel that is seen at x and y.
func (t turned) At(x, y int) color.Color {
	b := t.Image.Bounds()
	w, h := b.Dx()-1, b.Dy()-1
	switch t.how {
	case 2:
		x = w - x
	case 3:
		x, y = w-x, h-y
	case 4:
		y = h - y
	case 5:
		x, y = y, x
	case 6:
		x, y = y, h-x
	case 7:
		x, y = w-y, h-x
	case 8:
		x, y = w-y, x
	}
	return t.Image.At(b.Min.X+x, b.Min.Y+y)
}

// cut is a part of a picture.
type cut struct {
	image.Image
	part image.Rectangle
}

// Bounds are those of the part.
func (c cut) Bounds() image.Rectangle { return c.part }

// shown is the part of a picture that pages show: all of it, and of one that is higher than
// wide the square in its middle.
func shown(src image.Image) image.Image {
	b := src.Bounds()
	if b.Dy() <= b.Dx() {
		return src
	}
	top := b.Min.Y + (b.Dy()-b.Dx())/2
	return cut{src, image.Rect(b.Min.X, top, b.Max.X, top+b.Dx())}
}
