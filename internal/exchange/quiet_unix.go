//go:build unix

package exchange

import (
	"errors"
	"net"
	"syscall"
)

// watchIdle makes it possible to look at base while it is idle.
func (k *conn) watchIdle(base net.Conn) {
	s, ok := base.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return // it is closed already, which the first write finds out
	}
	var one [1]byte
	k.raw, k.probe = raw, func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		k.silent = errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EWOULDBLOCK)
		return true
	}
}

// quiet reports whether nothing has come in while the connection was idle: no
// end, no reset, and no bytes, which would be taken for the next answer. A
// connection that cannot be looked at counts as quiet.
func (k *conn) quiet() bool {
	if k.raw == nil {
		return true
	}
	return k.raw.Read(k.probe) == nil && k.silent
}
