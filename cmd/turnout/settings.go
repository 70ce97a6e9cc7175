package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/config"
)

// settings are the flags of every command that works on a configuration.
type settings struct{ path string }

func (s *settings) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.path, "config", os.Getenv("TURNOUT_CONFIG"), "configuration file (YAML), that of TURNOUT_CONFIG if unsaid; every key of it also as TURNOUT_… in the environment")
}

func (s *settings) load() (config.Config, error) { return config.Load(s.path, os.Environ()) }

// loadEdge is load for an edge, which needs more.
func (s *settings) loadEdge() (config.Config, error) { return config.LoadEdge(s.path, os.Environ()) }

// loadAll is load, and loadEdge where anything is said of an edge.
func (s *settings) loadAll() (config.Config, error) {
	cfg, err := s.load()
	if cfg.Edge.Given() {
		return s.loadEdge()
	}
	return cfg, err
}

// engines opens the store and the keys that the configuration names, and makes
// them on the first run.
func (s *settings) engines(cmd *cobra.Command) (*app.Engines, error) {
	return s.open(cmd, app.OpenEngines)
}

// existing opens them where they are, and makes nothing.
func (s *settings) existing(cmd *cobra.Command) (*app.Engines, error) {
	return s.open(cmd, app.OpenExisting)
}

func (s *settings) open(cmd *cobra.Command, open func(context.Context, config.Config, *slog.Logger) (*app.Engines, error)) (*app.Engines, error) {
	cfg, err := s.load()
	if err != nil {
		return nil, err
	}
	return open(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
}

// canSetUp reports what would keep the first org from being set up.
func (s *settings) canSetUp(cmd *cobra.Command) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	return app.CanSetUp(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
}

// warnUnknown says which variables nothing reads, before whatever they were to change.
func warnUnknown(log *slog.Logger) {
	for _, v := range config.Unknown(os.Environ()) {
		log.Warn(v.String())
	}
}

func logger(out io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // checked when the configuration was read
	o := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(out, o))
	}
	return slog.New(slog.NewTextHandler(out, o))
}
