package main

import (
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
	cmd.Flags().StringVar(&s.path, "config", os.Getenv("TURNOUT_CONFIG"), "configuration file (YAML); every key of it also as TURNOUT_… in the environment")
}

func (s *settings) load() (config.Config, error) { return config.Load(s.path, os.Environ()) }

// engines opens the store and the keys that the configuration names.
func (s *settings) engines(cmd *cobra.Command) (config.Config, *app.Engines, error) {
	cfg, err := s.load()
	if err != nil {
		return cfg, nil, err
	}
	e, err := app.OpenEngines(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
	return cfg, e, err
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
