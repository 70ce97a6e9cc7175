package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/seal"
	"github.com/turnout-events/turnout/internal/store/pgtest"
)

// A configuration that names PostgreSQL is served from there, and commands that
// copy the embedded store's file say so.
func TestStoreInPostgreSQL(t *testing.T) {
	c := pgtest.New(t)
	cfg, err := config.Load("", []string{"TURNOUT_DATA=" + t.TempDir(), "TURNOUT_STORE=" + c.URL()})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := OpenExisting(t.Context(), cfg, log); !errors.As(err, new(NothingSetUp)) || strings.Contains(err.Error(), c.URL()) {
		t.Errorf("before anything is set up: %v", err)
	}
	for range 2 { // the second finds what the first left
		e, err := OpenEngines(t.Context(), cfg, log)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if _, err := e.Keyring.Ring(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		if err := e.Store.SetOrg(t.Context(), turnout.Org{ID: "acme", Mapping: "turnout"}, []byte("s"), time.Now()); err != nil {
			t.Fatal(err)
		}
		if orgs, err := e.Store.Orgs(t.Context()); err != nil || len(orgs) != 1 || e.Kind() != PostgreSQL {
			t.Errorf("%v %v in %s", orgs, err, e.Kind())
		}
		if _, err := e.Backup(t.Context(), t.TempDir(), time.Now()); !errors.Is(err, errNotEmbedded) {
			t.Errorf("backup: %v", err)
		}
	}
	other, err := config.Load("", []string{"TURNOUT_DATA=" + t.TempDir(), "TURNOUT_STORE=" + c.URL(), "TURNOUT_MASTER_KEY=" + seal.NewMasterLine()})
	if err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(context.Context, config.Config, *slog.Logger) (*Engines, error){OpenEngines, OpenExisting} {
		if _, err := open(t.Context(), other, log); err == nil || !strings.Contains(err.Error(), "another deployment") || !strings.Contains(err.Error(), "TURNOUT_MASTER_KEY") {
			t.Errorf("with another deployment's key: %v", err)
		}
	}
	e, err := OpenExisting(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := os.Stat(StorePath(cfg)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an embedded store was made: %v", err)
	}
}
