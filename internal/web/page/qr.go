package page

import (
	"strconv"
	"strings"

	"rsc.io/qr"

	"github.com/turnout-events/turnout"
)

// quiet is the margin that a QR code needs, in modules (ISO/IEC 18004).
const quiet = 4

// qrCode draws a registration's key as an inline SVG image. It holds the key
// alone, which is the record's External ID in Salesforce: whoever stands at the
// door can look it up there, and a photographed ticket opens nothing. Upper
// case makes it half the size; ParseKey reads both cases.
func qrCode(key turnout.Key) (string, error) {
	code, err := qr.Encode(strings.ToUpper(string(key)), qr.M)
	if err != nil {
		return "", err
	}
	side := strconv.Itoa(code.Size + 2*quiet)
	b := make([]byte, 0, 8<<10)
	b = append(b, `<svg viewBox="0 0 `+side+` `+side+`" shape-rendering="crispEdges" aria-hidden="true" focusable="false"><path fill="#fff" d="M0 0h`+side+`v`+side+`H0z"/><path d="`...)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			run := 0
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			if run > 0 {
				b = strconv.AppendInt(append(b, 'M'), int64(x+quiet), 10)
				b = strconv.AppendInt(append(b, ' '), int64(y+quiet), 10)
				b = strconv.AppendInt(append(b, 'h'), int64(run), 10)
				b = strconv.AppendInt(append(b, "v1h-"...), int64(run), 10)
				b = append(b, 'z')
				x += run
			}
		}
	}
	return string(append(b, `"/></svg>`...)), nil
}
