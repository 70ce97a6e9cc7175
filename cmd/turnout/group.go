package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// group makes cmd a command that only holds others. Alone it says which; what it
// does not know is a mistake and not a wish for help, so that a script notices.
func group(cmd *cobra.Command, members ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(members...)
	cmd.DisableFlagParsing = true // flags belong to the members
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
			return cmd.Help()
		}
		return unknown(cmd, args[0])
	}
	return cmd
}

// topped makes cmd the command that holds all others: as a group, but for flags of
// its own.
func topped(cmd *cobra.Command) {
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknown(cmd, args[0])
		}
		return nil
	}
	// A command that there is not may come with flags that there are not.
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if typed := cmd.Flags().Args(); !cmd.HasParent() && len(typed) > 0 {
			return unknown(cmd, typed[0])
		}
		return err
	})
}

// unknown says which commands of a group there are.
func unknown(cmd *cobra.Command, typed string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no command %q", cmd.CommandPath(), typed)
	}
	return fmt.Errorf("unknown command %q for %q: use %s", typed, cmd.CommandPath(), strings.Join(names, ", "))
}

// helpCommand is cobra's, but for what it does not know.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil {
				return unknown(cmd.Root(), args[0])
			}
			if len(rest) > 0 {
				return unknown(found, rest[0])
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}
