package browse

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Kinds of failures without an answer.
const (
	Timeout   = "timeout"
	Refused   = "refused"
	Reset     = "broken off"
	NoTLS     = "no TLS that is trusted"
	NoSockets = "no sockets left on the generator's machine"
	Other     = "failed otherwise"
)

// Kind is what kind of failure an error of a Browser is, in words that are the same
// for all of a kind and hold nothing of the request. It is "" for nil.
func Kind(err error) string {
	timeout := net.Error(nil)
	header, certificate, alert := tls.RecordHeaderError{}, (*tls.CertificateVerificationError)(nil), tls.AlertError(0)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.EADDRNOTAVAIL):
		return NoSockets
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Reset
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &header), errors.As(err, &certificate), errors.As(err, &alert):
		return NoTLS
	case errors.Is(err, ErrNotOwned):
		return "an address that may not be loaded"
	}
	return Other
}
