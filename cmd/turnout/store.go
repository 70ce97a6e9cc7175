package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/store/postgres"
	"github.com/turnout-events/turnout/internal/store/sqlite"
	"github.com/turnout-events/turnout/internal/store/transfer"
)

func storeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "store", Short: "The store: copy it to another engine or place"}
	return group(cmd, storeCopyCommand())
}

func storeCopyCommand() *cobra.Command {
	var from, to string
	var finish, cancel bool
	cmd := &cobra.Command{
		Use:   "copy --from URL --to URL",
		Short: "Copy the store, between SQLite and PostgreSQL or from place to place, while it is in use",
		Long: `Copy makes the second store equal to what the first was at one moment, and compares
both by counts and digests. Instances go on meanwhile. When it breaks off, or some
time has passed, copy again: only what differs is written.

With --finish nobody can write to the first store any more from the moment on at
which the last copy begins, and the second may be used when it is done: name it in
the settings and start the instances again. Until then they show pages and answer
registrations with "try again in a minute". --cancel stays with the first store when
that copy does not come to its end.

A store.db is named by its directory, in the setting data, and needs the master key
there: copy it, too.

A URL is postgres://…, the path of a store.db, or env:NAME for what the environment
has there, which keeps a password off the command line. The second store is made
where it is missing. People's keys are copied as they are, so both stores go with
the same master key. The cache is not copied: it is filled again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			from, err := given(from)
			if err != nil {
				return fmt.Errorf("--from: %w", err)
			}
			if cancel {
				return cancelCopy(cmd, from)
			}
			to, err := given(to)
			if err != nil {
				return fmt.Errorf("--to: %w", err)
			}
			if to == "" {
				return errors.New("give the store to copy to with --to")
			}
			return copyStore(cmd, from, to, finish)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the store that is in use")
	cmd.Flags().StringVar(&to, "to", "", "the store that is to take its place")
	cmd.Flags().BoolVar(&finish, "finish", false, "let nobody write to the first store any more, copy the rest, and let the second be used")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "take back a --finish that did not come to its end")
	cmd.MarkFlagsMutuallyExclusive("finish", "cancel")
	cmd.MarkFlagsMutuallyExclusive("to", "cancel")
	_ = cmd.MarkFlagRequired("from")
	return cmd
}

func copyStore(cmd *cobra.Command, from, to string, finish bool) (err error) {
	ctx := cmd.Context()
	a, err := openSide(ctx, from, false)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := openSide(ctx, to, true)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	r, err := transfer.Copy(ctx, a, b, transfer.Options{Finish: finish, Progress: func(c transfer.Copied) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d rows\n", c.Table, c.Rows)
	}})
	if err != nil {
		return err
	}
	tell(cmd.OutOrStdout(), r)
	switch {
	case r.Finished:
		fmt.Fprintf(cmd.OutOrStdout(), "finished: %s, and start instances and edges again; %s is opened by nobody any more\n", naming(to, b.Name), a.Name)
	default:
		fmt.Fprintf(cmd.OutOrStdout(), "equal as of the moment at which this copy began; %s is still the store. Copy again with --finish to move\n", a.Name)
	}
	return nil
}

// naming says how settings name the store that url does. One of SQLite is named by
// its directory, and whoever opens it looks for the master key there.
func naming(url, name string) string {
	switch dir := filepath.Dir(name); {
	case isPostgres(url):
		return "name " + name + " in the setting store"
	case filepath.Base(name) != "store.db":
		return "put " + name + " as store.db, and master.key, into the directory that the setting data names"
	default:
		return "put master.key into " + dir + ", name that in the setting data"
	}
}

// tell shows what became of each table.
func tell(out io.Writer, r transfer.Report) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TABLE\tROWS\tWRITTEN\tDELETED\tSHA-256 OF BOTH")
	for _, c := range r.Tables {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%.16s…\n", c.Table, c.Rows, c.Put, c.Dropped, c.SHA256)
	}
	_ = w.Flush() // to the terminal
}

func cancelCopy(cmd *cobra.Command, from string) (err error) {
	a, err := openSide(cmd.Context(), from, false)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := transfer.Cancel(cmd.Context(), a); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s is in use again\n", a.Name)
	return nil
}

// openSide opens what a URL names.
func openSide(ctx context.Context, url string, target bool) (*transfer.Side, error) {
	if isPostgres(url) {
		return postgres.OpenTransfer(ctx, url, target)
	}
	path := strings.TrimPrefix(url, "sqlite://")
	if strings.Contains(path, "://") {
		return nil, errors.New("give postgres://…, the path of a store.db, or env:NAME")
	}
	return sqlite.OpenTransfer(ctx, path, target)
}

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

// given is the URL that the environment has in place of env:NAME.
func given(url string) (string, error) {
	name, ok := strings.CutPrefix(url, "env:")
	if !ok {
		return url, nil
	}
	if url = os.Getenv(name); url == "" {
		return "", fmt.Errorf("the environment has no %s", name)
	}
	return url, nil
}
