package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func backupCommand() *cobra.Command {
	var s settings
	var to string
	cmd := &cobra.Command{
		Use:   "backup --to DIR",
		Short: "Back the store up while instances run; people's keys in a file apart",
		Long: `Backup makes a new directory under DIR, named after the time, with store.db and
keys.db. Move keys.db to another place and keep it for a short time only: who is
forgotten disappears from old backups because their key is no longer there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := s.existing(cmd)
			if err != nil {
				return err
			}
			defer e.Close()
			r, err := e.Backup(cmd.Context(), to, time.Now())
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
