package app

import (
	"os"
	"runtime"
	"runtime/debug"
)

// collectAt is by how many percent an edge's heap grows until it is collected. It
// keeps a few megabytes and makes hundreds a second, so that at Go's own 100 it
// would be collected dozens of times a second.
const collectAt = 400

// pace sets this process up to pass on requests, unless its environment says
// otherwise (GOMAXPROCS, GOGC), and returns what undoes it. An edge spends a third
// of its time in short system calls, during which Go has nobody else run on that
// processor: with one more than there are, the others go on. That is worth a sixth
// of the requests/s on two cores, and costs no CPU time a request
// (`go test -run NONE -bench CPU/plain ./bench/edge`).
func pace() func() {
	procs, percent := runtime.GOMAXPROCS(0), -1
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(procs + 1)
	}
	if os.Getenv("GOGC") == "" {
		percent = debug.SetGCPercent(collectAt)
	}
	return func() {
		runtime.GOMAXPROCS(procs)
		if percent >= 0 {
			debug.SetGCPercent(percent)
		}
	}
}
