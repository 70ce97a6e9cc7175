package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/erasure"
)

// desk opens what operators' commands work with.
func (s *settings) desk(cmd *cobra.Command) (*app.Desk, error) {
	cfg, err := s.load()
	if err != nil {
		return nil, err
	}
	return app.OpenDesk(cmd.Context(), cfg, logger(cmd.ErrOrStderr(), "text", "warn"))
}

// proof is a receipt with what it does not prove.
type proof struct {
	erasure.Receipt
	Salesforce string `json:"salesforce"`
}

func forgetCommand() *cobra.Command {
	var s settings
	var org, email string
	cmd := &cobra.Command{
		Use:   "forget --org ORG --email ADDRESS",
		Short: "Erase a person; prints a receipt",
		Long: `Forget destroys the person's data key, so that registrations, links, queued
deliveries and backups can no longer be read, gives their seats back and keeps
the next sync from bringing them back. It works with instances running or not,
and may be repeated. The receipt names nobody.

Records in Salesforce stay as they are: delete those there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			receipt, err := d.Erasure.Forget(cmd.Context(), turnout.OrgID(org), email)
			if err != nil {
				return err
			}
			if receipt.Keys+receipt.Registrations == 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "nothing was found under this address; was it typed as the person has it? A later sync will not bring it in")
			}
			enc := json.NewEncoder(cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(proof{receipt, "records there stay as they are: delete those there"})
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&org, "org", "", "the org")
	cmd.Flags().StringVar(&email, "email", "", "the person's e-mail address")
	_ = cmd.MarkFlagRequired("org")
	_ = cmd.MarkFlagRequired("email")
	return cmd
}
