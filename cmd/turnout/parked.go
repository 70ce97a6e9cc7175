package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
)

func parkedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "parked",
		Short: "Registrations that Salesforce refused: list, edit, retry, dismiss",
		Long: `A parked registration is safe and holds its seat; Salesforce refused it for good,
so a person decides: mend what Salesforce objects to (there, or here with edit)
and retry, or dismiss it when nothing is to be done.`,
	}
	return group(cmd, parkedListCommand(), parkedRetryCommand(), parkedEditCommand(), parkedDismissCommand())
}

func orgFlag(cmd *cobra.Command, org *string) {
	cmd.Flags().StringVar(org, "org", "", "the org")
	_ = cmd.MarkFlagRequired("org")
}

func parkedListCommand() *cobra.Command {
	var s settings
	var org string
	var dismissed bool
	cmd := &cobra.Command{
		Use:   "list [--org ORG] [--dismissed]",
		Short: "List parked registrations with Salesforce's own words",
		Long: `List shows the oldest thousand of an org, or of each org, with what Salesforce says.
With --dismissed it shows those about which nothing is to be done.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			orgs, err := named(cmd.Context(), d, turnout.OrgID(org))
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "ORG\tKEY\tREFERENCE\tEVENT\tSINCE\tCODE\tSALESFORCE SAYS")
			listed := 0
			for _, id := range orgs {
				n, err := listParked(cmd.Context(), w, d, id, dismissed)
				if err != nil {
					return err
				}
				listed += n
			}
			if listed == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), none(dismissed))
				return nil
			}
			return w.Flush()
		},
	}
	s.flags(cmd)
	cmd.Flags().StringVar(&org, "org", "", "the org; all orgs if left out")
	cmd.Flags().BoolVar(&dismissed, "dismissed", false, "those that were dismissed")
	return cmd
}

// none says what there is instead of an empty table.
func none(dismissed bool) string {
	if dismissed {
		return "Nothing is dismissed."
	}
	return "Nothing is parked."
}

// listParked writes a line for each registration, and returns how many there are.
func listParked(ctx context.Context, w io.Writer, d *app.Desk, org turnout.OrgID, dismissed bool) (int, error) {
	parked, err := d.Store.Parked(ctx, org, dismissed, mostListed)
	if err != nil {
		return 0, err
	}
	for i := range parked {
		note, err := d.Intake.Note(ctx, &parked[i])
		if err != nil {
			note = "(cannot be read: " + string(turnout.CodeOf(err)) + ")"
		}
		p := &parked[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", org, p.Key, p.Key.Reference(), p.Event, p.Parked.At.Format(time.RFC3339), p.Parked.Code, strings.Join(strings.Fields(note), " "))
	}
	return len(parked), nil
}

// mostListed is how many registrations of an org are listed.
const mostListed = 1000

// named is the one org that was named, or all that there are.
func named(ctx context.Context, d *app.Desk, org turnout.OrgID) ([]turnout.OrgID, error) {
	if org != "" {
		_, err := d.Org(ctx, org)
		return []turnout.OrgID{org}, err
	}
	orgs, err := d.Store.Orgs(ctx)
	ids := make([]turnout.OrgID, 0, len(orgs))
	for _, o := range orgs {
		ids = append(ids, o.ID)
	}
	return ids, err
}

func parkedRetryCommand() *cobra.Command {
	var s settings
	var org string
	var all bool
	cmd := &cobra.Command{
		Use:   "retry --org ORG {KEY | --all}",
		Short: "Send parked registrations out again",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) == 1) {
				return fmt.Errorf("name one KEY, or --all")
			}
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			key := turnout.Key("")
			if len(args) == 1 {
				if key, err = turnout.ParseKey(args[0]); err != nil {
					return err
				}
			}
			n, err := d.Retry(cmd.Context(), turnout.OrgID(org), key)
			if err != nil {
				return err
			}
			if n == 0 && !all {
				return fmt.Errorf("%s is not parked", key)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d sent out again\n", n)
			return nil
		},
	}
	s.flags(cmd)
	orgFlag(cmd, &org)
	cmd.Flags().BoolVar(&all, "all", false, "all of the org's")
	return cmd
}

func parkedEditCommand() *cobra.Command {
	var s settings
	var org string
	var set []string
	cmd := &cobra.Command{
		Use:   "edit --org ORG KEY --set FIELD=VALUE...",
		Short: "Change what a registration says and send it out again",
		Long: `Edit changes fields as the form names them: first_name, last_name, title,
company, ticket, answers.ID. An empty value removes an optional one. The result
must satisfy the event's form. The e-mail address cannot be changed: it is whose
registration it is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := turnout.ParseKey(args[0])
			if err != nil {
				return err
			}
			edit, err := edits(set)
			if err != nil {
				return err
			}
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			if err := d.Amend(cmd.Context(), turnout.OrgID(org), key, edit); err != nil {
				return explain(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s changed and sent out again\n", key)
			return nil
		},
	}
	s.flags(cmd)
	orgFlag(cmd, &org)
	cmd.Flags().StringArrayVar(&set, "set", nil, "FIELD=VALUE (may be repeated)")
	_ = cmd.MarkFlagRequired("set")
	return cmd
}

// edits turns FIELD=VALUE pairs into one change.
func edits(set []string) (func(*turnout.Details), error) {
	var changes []func(*turnout.Details)
	for _, pair := range set {
		field, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, errors.New("--set: use FIELD=VALUE") // what was typed may be a name
		}
		change, err := editOf(field, value)
		if err != nil {
			return nil, err
		}
		changes = append(changes, change)
	}
	return func(d *turnout.Details) {
		for _, change := range changes {
			change(d)
		}
	}, nil
}

func editOf(field, value string) (func(*turnout.Details), error) {
	switch field {
	case "first_name":
		return func(d *turnout.Details) { d.Person.FirstName = value }, nil
	case "last_name":
		return func(d *turnout.Details) { d.Person.LastName = value }, nil
	case "title":
		return func(d *turnout.Details) { d.Person.Title = value }, nil
	case "company":
		return func(d *turnout.Details) { d.Person.Company = value }, nil
	case "ticket":
		return func(d *turnout.Details) { d.Ticket = value }, nil
	}
	if id, ok := strings.CutPrefix(field, "answers."); ok && id != "" {
		return func(d *turnout.Details) {
			if d.Answers == nil {
				d.Answers = turnout.Answers{}
			}
			d.Answers[id] = []string{value}
		}, nil
	}
	return nil, fmt.Errorf("--set %s: use first_name, last_name, title, company, ticket or answers.ID", field)
}

// explain lists the broken rules of an invalid submission.
func explain(err error) error {
	fields := turnout.FieldsOf(err)
	if len(fields) == 0 {
		return err
	}
	lines := make([]string, len(fields))
	for i, f := range fields {
		lines[i] = f.Field + ": " + f.Message
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}
