package sqlite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/turnout-events/turnout"
)

// namespaceVariable is set in a process that runs the test again in a user
// namespace of its own.
const namespaceVariable = "TURNOUT_TEST_NAMESPACE"

func TestFullDiskChangesNothingAndRecovers(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		if os.Getenv(namespaceVariable) != "" {
			t.Fatalf("mount in a user namespace: %v", err)
		}
		inNamespace(t)
		return
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<19), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, filepath.Join(dir, "turnout.db"))
	defer s.Close()
	prepare(t, s, turnout.Unlimited)
	testDiskFull(t, s, func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	})
}

// inNamespace runs the calling test in a process that may mount, as somebody
// who is not root may make one. Where nobody may, the test is skipped, but not
// in CI.
func inNamespace(t *testing.T) {
	t.Helper()
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	again.Env = append(os.Environ(), namespaceVariable+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}, GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := again.CombinedOutput()
	switch {
	case again.ProcessState == nil && os.Getenv("TURNOUT_CI") != "":
		t.Fatalf("a full disk is a small file system: run as root, in a container with --cap-add SYS_ADMIN, or let users make namespaces (sysctl kernel.unprivileged_userns_clone=1): %v", err)
	case again.ProcessState == nil:
		t.Skipf("a small file system needs the right to mount one: %v", err)
	case err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Fatalf("in a user namespace: %v\n%s", err, out)
	}
}
