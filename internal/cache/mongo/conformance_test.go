package mongo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/turnout-events/turnout/internal/cache/cachetest"
	"github.com/turnout-events/turnout/internal/cache/mongotest"
	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/conformance/gotest"
)

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

// withServer starts one server for all tests and for the processes that they
// start, unless there is one already.
func withServer(m *testing.M) int {
	s, err := mongotest.Start(context.Background())
	if mongotest.Missing(err) {
		fmt.Fprintln(os.Stderr, err)
		return m.Run() // which skips
	}
	if err == nil {
		err = os.Setenv(mongotest.Variable, s.URL())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := s.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

func TestConformance(t *testing.T) {
	cachetest.Run(gotest.New(t), func(t conformance.T, place string) cachetest.Cache {
		return openCache(gotest.Of(t), database(gotest.Of(t), place))
	}, ChunkLinks)
}

// database is the URL of a database of its own for a place, which is dropped
// when the test ends that asked for it.
func database(t testing.TB, place string) string {
	t.Helper()
	server := os.Getenv(mongotest.Variable)
	if server == "" {
		mongotest.Need(t, mongotest.ErrMissing)
	}
	return Beside(server, fmt.Sprintf("turnout_test_%x", sha256.Sum256([]byte(place)))[:40])
}

func openCache(t testing.TB, url string, change ...func(*Options)) *Cache {
	t.Helper()
	o := Options{URL: url, Deployment: "tests", Patience: time.Minute}
	for _, f := range change {
		f(&o)
	}
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = Drop(context.Background(), url)
		_ = c.Close()
	})
	return c
}
