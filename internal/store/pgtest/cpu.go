package pgtest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat's times (USER_HZ in proc(5)), 100 a second
// on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// CPU is the time that the server has spent on processors so far: its processes
// that run and those that ended. 0 where /proc does not tell.
func (c *Cluster) CPU() time.Duration {
	pid, err := c.PID()
	if err != nil {
		return 0
	}
	var ticks int64
	for _, p := range processes(pid) {
		if p.main {
			ticks += sum(p.fields[11:15]) // and of its children that ended
		} else {
			ticks += sum(p.fields[11:13])
		}
	}
	return time.Duration(ticks) * tick
}

// process is one of the server's, with what /proc/PID/stat says after its name.
type process struct {
	pid    int
	main   bool
	fields []string
}

// processes are the server's main one and its children.
func processes(main int) (all []process) {
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is sound
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		// The program's name may hold blanks; what follows it does not.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if pid == main || fields[1] == strconv.Itoa(main) {
			all = append(all, process{pid, pid == main, fields})
		}
	}
	return all
}

func sum(fields []string) (n int64) {
	for _, f := range fields {
		v, _ := strconv.ParseInt(f, 10, 64)
		n += v
	}
	return n
}
