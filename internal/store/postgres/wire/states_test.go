package wire

import (
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestRefusedInAnyLanguage: a server whose messages are translated refuses one statement
// as any other does, so that only that one is replayed.
func TestRefusedInAnyLanguage(t *testing.T) {
	for word, want := range map[string]bool{"ERROR": true, "FATAL": false} {
		if got := Refused(&pgconn.PgError{Severity: "in another language", SeverityUnlocalized: word}); got != want {
			t.Errorf("%s is refused: %v", word, got)
		}
	}
}
