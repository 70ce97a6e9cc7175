package app

import (
	"os"
	"runtime"
)

// oneMoreProcessor sets this process up to pass on requests, unless its environment
// says otherwise (GOMAXPROCS), and returns what undoes it. An edge spends a third
// of its time in short system calls, during which Go has nobody else run on that
// processor: with one more than there are, the others go on. That is worth a sixth
// of the requests/s on two cores, and costs no CPU time a request
// (`go test -run NONE -bench CPU/plain ./bench/edge`).
func oneMoreProcessor() func() {
	if os.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	procs := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(procs + 1)
	return func() { runtime.GOMAXPROCS(procs) }
}
