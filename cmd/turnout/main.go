// Command turnout is event registration for organisations that run on
// Salesforce: pages, links and forms from its own cache, registrations taken
// durably at any rate, written to Salesforce in small batches.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // an image of this binary alone has no others
)

func main() { os.Exit(Main()) }

// Main runs the command line and returns its exit status: 0 done, 1 failed, or what
// the command says for its failure.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "turnout:", err)
		if s := (status{}); errors.As(err, &s) {
			return s.code
		}
		return 1
	}
	return 0
}

// status is an error with an exit status of its own.
type status struct {
	code int
	error
}

func (s status) Unwrap() error { return s.error }

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "turnout",
		Short: "Event registration for organisations that run on Salesforce",
		Long: `Turnout serves event pages, personal links and registration forms from its own
cache, takes registrations durably at any rate, and writes them to Salesforce in
small batches. Begin with "turnout demo".`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(demoCommand(), serveCommand(), edgeCommand(), simulatorCommand(), orgCommand(), checkCommand(),
		forgetCommand(), parkedCommand(), backupCommand(), restoreCommand(), storeCommand(), keysCommand(),
		conformanceCommand(), loadCommand(), migrateCommand())
	topped(cmd)
	cmd.SetHelpCommand(helpCommand())
	versioned(cmd)
	return cmd
}
