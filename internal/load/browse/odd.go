package browse

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"time"
)

// Odd sends bytes as they are, with HOST replaced by the site's host, over a
// connection of its own, and has what is answered judged; reads end when the time is
// over. It gives the judge's word, or the kind of failure where there
// is no connection.
func (b *Browser) Odd(ctx context.Context, patience time.Duration, text string, judge func(net.Conn) string) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := b.site.dialer.Dial(ctx, "tcp", Address(b.site.URL))
	if err != nil {
		return Kind(err)
	}
	defer conn.Close()
	if b.site.URL.Scheme == "https" {
		secure := tls.Client(conn, &tls.Config{ServerName: b.site.URL.Hostname(), MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(ctx); err != nil {
			return Kind(err)
		}
		conn = secure
	}
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	sent := make(chan struct{})
	go func(c net.Conn) { // what refuses early may stop reading
		defer close(sent)
		_, _ = io.WriteString(c, strings.ReplaceAll(text, "HOST", b.site.URL.Host))
	}(conn)
	says := judge(conn)
	_ = conn.Close()
	<-sent
	return says
}
