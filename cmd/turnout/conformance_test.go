package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/turnout-events/turnout/internal/cache/mongotest"
	"github.com/turnout-events/turnout/internal/store/pgtest"
)

// beTurnout makes the test binary be turnout, as the scripts do.
func beTurnout(t *testing.T, args ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Args[0] = "turnout"
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestConformanceOfAStore checks PostgreSQL as an operator does, processes killed
// and all, and leaves nothing behind.
func TestConformanceOfAStore(t *testing.T) {
	c := pgtest.New(t)
	for part, words := range map[string]string{
		"Feed": "store: passed Feed\n", "Killed": "store: passed Killed\n", "Nothing": "no part of that name",
	} {
		out, err := beTurnout(t, "conformance", "--store", c.URL(), "--part", part)
		if !strings.Contains(out, words) || (err == nil) != strings.Contains(words, "passed") {
			t.Errorf("%s: %v\n%s", part, err, out)
		}
	}
	conn, err := pgx.Connect(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	left := 0
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'turnout%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d schemas are left, %v", left, err)
	}
}

// TestConformanceOfACache does the same to a server that speaks MongoDB's protocol.
func TestConformanceOfACache(t *testing.T) {
	s := mongotest.New(t)
	for _, part := range []string{"Links", "KilledAfterEveryStep"} {
		out, err := beTurnout(t, "conformance", "--cache", s.URL(), "--part", part)
		if err != nil || !strings.Contains(out, "cache: passed "+part+"\n") {
			t.Errorf("%s: %v\n%s", part, err, out)
		}
	}
	client, err := mongo.Connect(options.Client().ApplyURI(s.URL()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	names, err := client.ListDatabaseNames(t.Context(), bson.D{})
	if err != nil || strings.Contains(strings.Join(names, " "), "turnout") {
		t.Errorf("databases %q are left, %v", names, err)
	}
}
