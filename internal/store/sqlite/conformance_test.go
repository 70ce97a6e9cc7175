package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/turnout-events/turnout/internal/conformance"
	"github.com/turnout-events/turnout/internal/conformance/gotest"
	"github.com/turnout-events/turnout/internal/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(gotest.New(t), func(t conformance.T, dir string) storetest.Store {
		return openStore(gotest.Of(t), filepath.Join(dir, "turnout.db"))
	})
}

func openStore(t testing.TB, path string, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Path: path}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
