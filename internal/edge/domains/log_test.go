package domains

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func TestP8LogsHoldNoVisitors(t *testing.T) {
	var out bytes.Buffer
	log := zapTo(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))).Named("handshake").With(
		zap.String("remote_ip", "203.0.113.7"), zap.String("server_name", "a.example"))
	log.Debug("at every handshake")
	log.Info("served key authentication", zap.String("remote", "203.0.113.7:5555"), zap.String("user_agent", "Ada's browser"), zap.String("challenge", "http-01"))
	log.Error("could not get certificate", zap.Error(errors.New("no route")), zap.Strings("account_contact", []string{"mailto:ada@example.org"}), zap.String("uri", "/.well-known/acme-challenge/TOKEN"))
	log.Error("tls-alpn challenge", zap.String("remote_addr", "203.0.113.7"))
	text := out.String()
	for _, secret := range []string{"203.0.113.7", "Ada", "ada@", "TOKEN", "at every handshake"} {
		if strings.Contains(text, secret) {
			t.Errorf("P8: %q is in the log:\n%s", secret, text)
		}
	}
	for _, want := range []string{
		`level=DEBUG msg="domains: served key authentication"`, `challenge=http-01`, `server_name=a.example`,
		`level=WARN msg="domains: could not get certificate"`, `error="no route"`, `level=DEBUG msg="domains: tls-alpn challenge"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing in:\n%s", want, text)
		}
	}
}
