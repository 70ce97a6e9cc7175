package watch

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holding is what the system says that a process holds.
type holding struct{ memory, files, store int64 }

// held looks a process up in /proc; on systems without it, and for processes of other
// users, it gives zeros. The store is what the process has open of files named
// store.db and its companions, in bytes on disk.
func held(pid int) (h holding) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if text, err := os.ReadFile(filepath.Join(dir, "status")); err == nil {
		h.memory = resident(text)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return h
	}
	h.files = int64(len(entries))
	seen := map[string]bool{}
	for _, e := range entries {
		path, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
		if err != nil || seen[path] || !strings.HasPrefix(filepath.Base(path), "store.db") {
			continue
		}
		seen[path] = true
		if info, err := os.Stat(path); err == nil {
			h.store += info.Size()
		}
	}
	return h
}

// resident is the resident memory in /proc/PID/status, in bytes.
func resident(status []byte) int64 {
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	var kilobytes int64
	_, _ = fmt.Sscan(string(rest), &kilobytes) // 0 where there is none
	return kilobytes << 10
}
