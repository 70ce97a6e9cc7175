//go:build !unix

package exchange

import "net"

// Idle connections cannot be looked at here: one that was closed fails its next
// request, which its caller may repeat.
func (k *conn) watchIdle(net.Conn) {}

func (k *conn) quiet() bool { return k.raw == nil }
