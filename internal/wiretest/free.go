package wiretest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreeAddress is a loopback address that nobody listens on. Until the test ends no
// other test is given it, in whichever process.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, release, err := Claim()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Claim finds a port on loopback that nobody listens on, for one test or server
// alone until release is called or this process ends. It is one of 10000 to 19999,
// below those of outgoing connections and of a demo's own processes, so that it is
// still free when a process comes back to it.
func Claim() (port int, release func(), err error) {
	for range 1000 {
		port = 10000 + rand.IntN(10000)
		// A datagram socket on an address that nothing else uses says whose the port
		// is, and is in nobody's way.
		mine, claimErr := net.ListenPacket("udp", fmt.Sprintf("127.99.99.99:%d", port)) //nolint:noctx // no wait
		if claimErr != nil {
			err = claimErr
			continue
		}
		l, listenErr := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)) //nolint:noctx // it is closed at once
		if listenErr != nil {
			err = errors.Join(listenErr, mine.Close())
			continue
		}
		return port, func() { _ = mine.Close() }, l.Close()
	}
	return 0, nil, fmt.Errorf("there is no free port: %w", err)
}
