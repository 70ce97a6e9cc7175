package app

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/turnout-events/turnout/internal/pace"
	"github.com/turnout-events/turnout/internal/run"
	"github.com/turnout-events/turnout/internal/simulator"
)

// SimulatorOptions are the flags of `turnout simulator`.
type SimulatorOptions struct {
	Listen, Dir string
	Schema      []byte
	Hooks       []simulator.Hook
	JWTKeys     []*rsa.PublicKey
	Sample      bool
	// Pictures is the origin of the sample's pictures, empty for none.
	Pictures  string
	ReadyFile string
	Logger    *slog.Logger
}

// Simulator serves a simulated Salesforce until ctx ends.
func Simulator(ctx context.Context, o SimulatorOptions) (err error) {
	s, err := simulator.New(simulator.Options{Logger: o.Logger, Dir: o.Dir, Schema: o.Schema, Hooks: o.Hooks,
		JWTKeys: o.JWTKeys, Sample: o.Sample, Pictures: o.Pictures})
	if err != nil {
		return err
	}
	if err := s.Open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	server, addr, err := listen("simulator", o.Listen, s.Handler(), o.Logger)
	if err != nil {
		return err
	}
	url := "http://" + addr.String()
	if err := WriteReady(o.ReadyFile, Ready{PID: os.Getpid(), URL: url}); err != nil {
		return err
	}
	o.Logger.Info("simulated Salesforce serves", "url", url, "client_id", "demo")
	if err := (run.Group{Services: []run.Service{{Name: "pace", Run: pace.Run}, {Name: "simulator work", Run: s.Run}, server}, Logger: o.Logger}).Run(ctx); err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	return nil
}
