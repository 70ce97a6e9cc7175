package edge

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is a server under measurement, or what stands around one.
type process struct {
	name   string
	pid    int
	exited chan struct{}
}

// launch runs a command until the benchmark ends.
func launch(b *testing.B, name string, cmd *exec.Cmd) *process {
	b.Helper()
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{name: name, pid: cmd.Process.Pid, exited: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how a server ends that was told to is nobody's concern
		close(p.exited)
	}()
	b.Cleanup(p.end)
	return p
}

// launchRole runs this binary in one of its roles.
func launchRole(b *testing.B, role string, settings any) *process {
	b.Helper()
	cmd := roleCommand(b, role, settings)
	if _, err := cmd.StdinPipe(); err != nil { // its end tells that we are gone
		b.Fatal(err)
	}
	return launch(b, role, cmd)
}

func roleCommand(b *testing.B, role string, settings any) *exec.Cmd {
	b.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role, settingsVar+"="+string(text), profileVar+"="+*profile)
	return cmd
}

// end ends it. It may be called twice.
func (p *process) end() {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	if !p.within(10 * time.Second) {
		p.kill()
	}
}

// kill ends it as a power cut would.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.exited
}

func (p *process) signal(s syscall.Signal) {
	select {
	case <-p.exited:
	default:
		_ = syscall.Kill(p.pid, s) // whoever is gone needs none
	}
}

// within reports whether it exits in that time.
func (p *process) within(d time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(d):
		return false
	}
}

// cpu is the CPU time of the process and its children so far, user and system.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	ticks := int64(0)
	for _, path := range all {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
		parent, _ := strconv.Atoi(fields[1])
		if pid != p.pid && parent != p.pid {
			continue
		}
		user, _ := strconv.ParseInt(fields[11], 10, 64)
		system, _ := strconv.ParseInt(fields[12], 10, 64)
		ticks += user + system
	}
	return time.Duration(ticks) * 10 * time.Millisecond // clock ticks of 1/100 s
}

// awaitListener waits until somebody accepts connections.
func awaitListener(b *testing.B, addr string) {
	b.Helper()
	for range 500 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return
		}
		pass(20 * time.Millisecond)
	}
	b.Fatalf("nobody listens at %s", addr)
}

// pass lets real time go by: what is waited for happens in other processes.
func pass(d time.Duration) { <-time.After(d) }
