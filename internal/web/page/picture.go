package page

import (
	"fmt"
	"strings"

	"github.com/turnout-events/turnout"
)

// picture is an event's in the widths that there are, of which browsers take the one that
// they need.
type picture struct {
	Src, Set      string
	Width, Height int
}

// pictureOf is nil where there is none.
func pictureOf(e *turnout.Event) *picture {
	p := e.Picture
	if p.Path(0) == "" {
		return nil
	}
	var set []string
	for _, width := range p.Widths {
		set = append(set, fmt.Sprintf("%s %dw", p.Path(width), width))
	}
	return &picture{Src: p.Path(960), Set: strings.Join(set, ", "), Width: p.Width, Height: p.Height}
}
