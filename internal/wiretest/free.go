package wiretest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress is a loopback address that nobody listens on, below the ports of
// outgoing connections, so that it is still free when a process comes back to it.
// Until the test ends nobody else is given it: tests run beside each other, in
// several processes.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := 10000 + rand.IntN(20000)
		// A datagram socket on an address that nothing else uses says whose the port
		// is, and is in nobody's way.
		mine, err := net.ListenPacket("udp", fmt.Sprintf("127.99.99.99:%d", port)) //nolint:noctx // no wait
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it is closed at once
		if err != nil {
			_ = mine.Close()
			continue
		}
		defer l.Close()
		t.Cleanup(func() { _ = mine.Close() })
		return l.Addr().String()
	}
	t.Fatal("there is no free port")
	return ""
}
