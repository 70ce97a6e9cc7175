package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/store/sqlite"
)

func backupCommand() *cobra.Command {
	var s settings
	var to string
	cmd := &cobra.Command{
		Use:   "backup --to DIR",
		Short: "Back the store up while instances run; people's keys in a file apart",
		Long: `Backup makes a new directory under DIR, named after the time, with store.db and
keys.db. Move keys.db to another place and keep it shortly: who is forgotten
disappears from old backups because their key is no longer there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := s.existing(cmd)
			if err != nil {
				return err
			}
			defer e.Close()
			r, err := e.Store.Backup(cmd.Context(), to, time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%d registrations, %d people; the write-ahead log was held for %s\n",
				r.Dir, r.Counts["registrations"], r.Counts["people"], r.Pinned.Round(time.Millisecond))
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&to, "to", "", "directory in which the backup's own directory is made")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

func restoreCommand() *cobra.Command {
	var s settings
	var from, keys string
	cmd := &cobra.Command{
		Use:   "restore --from DIR",
		Short: "Make the store from a backup and today's keys",
		Long: `Restore needs the instances stopped. The store that is there is moved aside, not
deleted, and its keys are used: whoever was forgotten after the backup was made
stays forgotten. Where there is none, the backup's own keys.db is used. What
Salesforce may not have yet is delivered again, which makes nothing twice.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			r, err := sqlite.Restore(cmd.Context(), sqlite.RestoreOptions{
				From: from, Keys: keys, To: app.StorePath(cfg), Logger: logger(cmd.ErrOrStderr(), "text", "warn"), Now: time.Now(),
			})
			if err != nil {
				return err
			}
			// The cache belongs to the store that was there: what it has read since
			// the backup has to be read again.
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(app.CachePath(cfg) + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return fmt.Errorf("drop the cache: %w", err)
				}
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "restored to %s as it was at %s, with the keys of %s\n", app.StorePath(cfg), r.Manifest.Made.Format(time.RFC3339), r.Keyring)
			fmt.Fprintf(out, "%d erased of people forgotten since, %d unreadable, %d due for delivery\n", r.Erased, r.Unreadable, r.Due)
			if len(r.Miscounted) > 0 {
				fmt.Fprintf(out, "seat counters corrected: %s\n", strings.Join(r.Miscounted, ", "))
			}
			fmt.Fprintln(out, "events and links are read again from Salesforce when an instance starts; each event takes registrations once it is read")
			fmt.Fprintln(out, "registrations accepted after the backup are in Salesforce only and hold no seat here: compare the counts before you open a tight event")
			if r.Aside != "" {
				fmt.Fprintf(out, "the store that was there is now %s; it still holds people's keys, so delete it once it is not needed\n", r.Aside)
			}
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "the backup's directory")
	cmd.Flags().StringVar(&keys, "keys", "", "directory with keys.db, if it was moved; used where there is no store")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}
