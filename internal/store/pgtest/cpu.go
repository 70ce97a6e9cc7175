package pgtest

import (
	"fmt"
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
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		p, there := read(pid)
		if p.main = pid == main; there && (p.main || p.fields[1] == strconv.Itoa(main)) {
			all = append(all, p)
		}
	}
	return all
}

// startTime is where a process's fields say when it began: 22nd in proc(5).
const startTime = 22 - 3

// read reads what /proc says of a process, unless it has ended.
func read(pid int) (p process, there bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	// The program's name may hold blanks; what follows it does not.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return process{pid: pid, fields: fields}, len(fields) > startTime
}

// ended waits until processes have ended.
func ended(all []process) error {
	late := time.After(time.Minute)
	poll := time.NewTicker(time.Millisecond)
	defer poll.Stop()
	for _, p := range all {
		for p.runs() {
			select {
			case <-late:
				return fmt.Errorf("process %d of a killed server does not end", p.pid)
			case <-poll.C:
			}
		}
	}
	return nil
}

// runs tells whether a process has not ended, nor left its number to another one.
func (p process) runs() bool {
	now, there := read(p.pid)
	return there && now.fields[0] != "Z" && now.fields[startTime] == p.fields[startTime]
}

func sum(fields []string) (n int64) {
	for _, f := range fields {
		v, _ := strconv.ParseInt(f, 10, 64)
		n += v
	}
	return n
}
