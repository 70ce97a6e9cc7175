package turnout

import "time"

// FileInfo is what a store tells of an edge's file without opening it.
type FileInfo struct {
	Name string
	// Modified is when it was last written, UTC, in whole milliseconds.
	Modified time.Time
	// Size is in bytes, of the value as it rests: sealed.
	Size int64
}
