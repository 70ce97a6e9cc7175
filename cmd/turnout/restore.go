package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/store/sqlite"
)

func restoreCommand() *cobra.Command {
	var s settings
	var o sqlite.RestoreOptions
	cmd := &cobra.Command{
		Use:   "restore --from DIR",
		Short: "Make the store from a backup and all keys that are left",
		Long: `Restore needs the instances stopped, and the master key that was in use when the
backup was made. The store that is there is moved aside, not deleted.

People's keys are taken from the backup's keys.db, from --keys if it was moved,
and from the store that is there: whoever was forgotten, by any of them, stays
forgotten. If registrations stay unreadable for another reason, the status is 1:
give --keys and restore again. What Salesforce may not have yet is delivered
again, which makes nothing twice.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			r, err := app.Restore(cmd.Context(), cfg, o, logger(cmd.ErrOrStderr(), "text", "warn"))
			if err != nil {
				return err
			}
			restored(cmd.OutOrStdout(), app.StorePath(cfg), r)
			return unread(app.StorePath(cfg), o, r)
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&o.From, "from", "", "the backup's directory")
	cmd.Flags().StringVar(&o.Keys, "keys", "", "directory with keys.db, if it was moved")
	cmd.Flags().BoolVar(&o.KeepOrgs, "keep-orgs", false, "keep orgs that the backup does not know, without their registrations")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

// restored says what was done, and what is left to do.
func restored(out io.Writer, store string, r sqlite.RestoreReport) {
	fmt.Fprintf(out, "restored to %s as it was at %s, with the keys of %s\n", store, r.Manifest.Made.Format(time.RFC3339), strings.Join(r.Keyrings, " and "))
	fmt.Fprintf(out, "%d erased of people forgotten since, %d unreadable, %d due for delivery\n", r.Erased, r.Unreadable, r.Due)
	if len(r.Miscounted) > 0 {
		fmt.Fprintf(out, "seat counters corrected: %s\n", strings.Join(r.Miscounted, ", "))
	}
	fmt.Fprintln(out, "events and links are read again from Salesforce when an instance starts; each event takes registrations once it is read")
	fmt.Fprintln(out, "registrations accepted after the backup are in Salesforce only and hold no seat here: compare the counts before you open a tight event")
	if r.Aside != "" {
		fmt.Fprintf(out, "the store that was there is now %s; it still holds people's keys, so delete it once it is not needed\n", r.Aside)
	}
}

// unread is the error of a restore that left registrations that nothing opens.
func unread(store string, o sqlite.RestoreOptions, r sqlite.RestoreReport) error {
	if r.Unreadable == 0 {
		return nil
	}
	text := fmt.Sprintf("%d of %d registrations cannot be read: the keys of their people are in none of the files above; start no instance yet, find the keys.db of this backup and run turnout restore --from %s --keys DIR",
		r.Unreadable, r.Manifest.Counts["registrations"], o.From)
	if r.Aside != "" {
		text += fmt.Sprintf("; or go back to what was there with mv %s %s", r.Aside, store)
	}
	return errors.New(text)
}
