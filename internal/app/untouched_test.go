package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/turnout-events/turnout/internal/cache/mongotest"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/redis/redistest"
)

// TestRefusedStartTouchesNothing: an instance whose cache or sessions cannot be used
// says so in one line that says what to do, and has not even made a directory.
func TestRefusedStartTouchesNothing(t *testing.T) {
	redis := redistest.New(t)
	mongo := mongotest.New(t)
	foreign := mongo.Database("turnout_test_foreign")
	client, err := driver.Connect(options.Client().ApplyURI(foreign))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(t.Context()) }()
	if _, err := client.Database("turnout_test_foreign").Collection("orders").InsertOne(t.Context(), bson.D{{Key: "a", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ setting, says string }{
		"no MongoDB":       {"TURNOUT_CACHE=mongodb://127.0.0.1:1/turnout", "start it, or mend host and port"},
		"another database": {"TURNOUT_CACHE=" + foreign, "name one of its own"},
		"Redis's users":    {"TURNOUT_SESSIONS=redis://nobody:hunter2@" + redis.Address(), "correct its URL or its users"},
	} {
		t.Run(name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			cfg, err := config.Load("", []string{"TURNOUT_DATA=" + data, c.setting})
			if err != nil {
				t.Fatal(err)
			}
			in, err := open(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if err == nil {
				_ = in.close()
				t.Fatal("it started")
			}
			if text := err.Error(); !strings.Contains(text, c.says) || strings.ContainsAny(text, "\n") || strings.Contains(text, "hunter2") {
				t.Errorf("it says %q", text)
			}
			if _, err := os.Stat(data); !os.IsNotExist(err) {
				t.Errorf("the data directory is there: %v", err)
			}
		})
	}
}
