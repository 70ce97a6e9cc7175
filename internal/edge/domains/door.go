package domains

import (
	"errors"
	"net"
)

// door is a port on loopback that nobody gets anything from. Certmagic opens a
// listener of its own for challenges unless something listens there already; it
// would be one without our rules. It is told that this is the place, finds it
// taken, and leaves challenges to the listeners that the edge has.
type door struct {
	net.Listener
	host string
	port int
}

func openDoor() (*door, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives until Close, not as long as a call
	if err != nil {
		return nil, err
	}
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return nil, errors.Join(errors.New("loopback has no TCP"), l.Close())
	}
	go turnAway(l)
	return &door{Listener: l, host: address.IP.String(), port: address.Port}, nil
}

// turnAway closes what comes in, so that the queue never fills.
func turnAway(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}
