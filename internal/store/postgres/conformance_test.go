package postgres

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/conformance/gotest"
	"github.com/turnout-events/turnout/internal/store/pgtest"
	"github.com/turnout-events/turnout/internal/store/storetest"
)

// serverVariable names the server to the processes that tests start.
const serverVariable = "TURNOUT_TEST_POSTGRES"

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

// withServer starts one server for all tests, unless there is one already.
func withServer(m *testing.M) int {
	if os.Getenv(serverVariable) != "" {
		return m.Run()
	}
	c, err := pgtest.Start(context.Background())
	if pgtest.Missing(err) {
		return m.Run() // which skips
	}
	if err == nil {
		err = os.Setenv(serverVariable, c.URL())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer c.Stop(context.Background())
	return m.Run()
}

func TestConformance(t *testing.T) {
	storetest.Run(gotest.New(t), func(t conformance.T, dir string) storetest.Store {
		return openStore(gotest.Of(t), place(gotest.Of(t), dir))
	})
}

// place is the URL of a schema of its own for a directory.
func place(t testing.TB, dir string) string {
	t.Helper()
	server := os.Getenv(serverVariable)
	if server == "" {
		pgtest.Need(t, pgtest.ErrMissing)
	}
	s := NewScratch(server, fmt.Sprintf("turnout_%x", sha256.Sum256([]byte(dir)))[:30])
	if err := s.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, other := os.LookupEnv("STORETEST_PLACE"); !other && strings.Contains(t.Name(), "Killed") {
		if err := s.Quiet(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return s.URL()
}

func dial(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func openStore(t testing.TB, url string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{URL: url}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
