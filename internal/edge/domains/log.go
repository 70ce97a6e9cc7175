package domains

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo hands what certmagic logs on to log, less loudly: its progress is for
// debugging, and what matters of an order we say ourselves.
func zapTo(log *slog.Logger) *zap.Logger { return zap.New(bridge{log: log}) }

// bridge is a zapcore.Core that writes to a slog.Logger.
type bridge struct {
	log  *slog.Logger
	with []zapcore.Field
}

// told are the fields that are handed on. The others have addresses and
// browsers of visitors in them (P8), tokens, or account data.
func told(key string) bool {
	switch key {
	case "error", "identifier", "identifiers", "subject", "subjects", "server_name", "domain", "issuer", "ca",
		"challenge", "challenge_type", "attempt", "retrying_in", "elapsed", "remaining", "expiration", "lock_key", "problem", "method", "status_code":
		return true
	}
	return false
}

// quiet are warnings that are only for debugging: those that any stranger can
// bring about as often as they like, and those of failed orders, which we report
// ourselves, once.
func quiet(message string) bool {
	switch message {
	case "tls-alpn challenge", "looking up info for HTTP challenge",
		"challenge failed", "validating authorization", "could not get certificate from issuer",
		"renewing and reloading certificate", "renewing certificate on-demand failed":
		return true
	}
	return false
}

func level(of zapcore.Level) slog.Level {
	if of >= zapcore.WarnLevel {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// Enabled implements zapcore.Core. Certmagic's own debugging is never shown: it
// is said at every handshake.
func (b bridge) Enabled(l zapcore.Level) bool {
	return l >= zapcore.InfoLevel && b.log.Enabled(context.Background(), level(l))
}

// With implements zapcore.Core.
func (b bridge) With(fields []zapcore.Field) zapcore.Core {
	with := make([]zapcore.Field, 0, len(b.with)+len(fields))
	return bridge{log: b.log, with: append(append(with, b.with...), fields...)}
}

// Check implements zapcore.Core.
func (b bridge) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !b.Enabled(e.Level) {
		return to
	}
	return to.AddCore(e, b)
}

// Write implements zapcore.Core.
func (b bridge) Write(e zapcore.Entry, fields []zapcore.Field) error {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range append(b.with[:len(b.with):len(b.with)], fields...) {
		if told(f.Key) {
			f.AddTo(values)
		}
	}
	attrs := make([]slog.Attr, 0, len(values.Fields))
	for key, value := range values.Fields {
		if told(key) { // an error adds fields of its own
			attrs = append(attrs, slog.Any(key, value))
		}
	}
	at := level(e.Level)
	if quiet(e.Message) {
		at = slog.LevelDebug
	}
	b.log.LogAttrs(context.Background(), at, "domains: "+e.Message, attrs...)
	return nil
}

// Sync implements zapcore.Core.
func (b bridge) Sync() error { return nil }
