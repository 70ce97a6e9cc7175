package turnout

import (
	"fmt"
	"regexp"
	"slices"
)

// Picture is an event's, as pages show it: fetched, made in a few widths, and served from
// here, so that no visitor's browser asks anybody else for it.
type Picture struct {
	// Name is made of the bytes of its files: 32 hexadecimal digits. Empty means no picture.
	Name string `json:"name,omitempty"`
	// Width and Height are its own, in pixels.
	Width  int `json:"width,omitempty"`
	Height int `json:"height,omitempty"`
	// Widths are those that there are, growing.
	Widths []int `json:"widths,omitempty"`
	// Of names what it was made of: an address, as a version of the event has it.
	Of string `json:"of,omitempty"`
	// Fault says why the one that the event names now cannot be shown, in words for its
	// organiser and without its address; empty for nothing. Another one may be shown meanwhile.
	Fault string `json:"fault,omitempty"`
}

// IsZero reports whether there is none, and nothing to say of one.
func (p Picture) IsZero() bool { return p.Name == "" && p.Fault == "" }

// Same reports whether two look the same, whatever they were made of.
func (p Picture) Same(other Picture) bool {
	return p.Name == other.Name && p.Width == other.Width && p.Height == other.Height && slices.Equal(p.Widths, other.Widths)
}

// File names the picture in a width.
func (p Picture) File(width int) string { return fmt.Sprintf("%s-%d.jpg", p.Name, width) }

// Path is where the picture is in a width: of those that there are the smallest that is
// at least as wide, else the widest.
func (p Picture) Path(width int) string {
	if len(p.Widths) == 0 {
		return ""
	}
	best := p.Widths[len(p.Widths)-1]
	for _, w := range slices.Backward(p.Widths) {
		if w >= width {
			best = w
		}
	}
	return "/media/" + p.File(best)
}

var pictureFile = regexp.MustCompile(`^[0-9a-f]{32}-[1-9][0-9]{0,4}\.jpg$`)

// ValidPictureFile reports whether a name is one that File gives.
func ValidPictureFile(name string) bool { return pictureFile.MatchString(name) }
