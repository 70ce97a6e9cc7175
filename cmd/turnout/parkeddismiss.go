package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/app"
)

func parkedDismissCommand() *cobra.Command {
	var s settings
	var org, event string
	var cancel bool
	cmd := &cobra.Command{
		Use:   "dismiss --org ORG {KEY | --event ID} [--cancel]",
		Short: "Leave parked registrations alone: nothing is to be done about them",
		Long: `Dismiss notes that nothing is to be done: the organiser has the registration by
other means, its event is gone, or nobody wants it. It counts as parked no longer; its
place stays, and its registrant sees no difference. With --cancel it is cancelled:
the place is free for somebody else, its registrant's page says so, and Salesforce is
told once. Retry sends a dismissed registration out again all the same, until its
answers are shredded.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (event != "") == (len(args) == 1) {
				return fmt.Errorf("name one KEY, or the --event whose parked registrations are meant")
			}
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			if _, err := d.Org(cmd.Context(), turnout.OrgID(org)); err != nil {
				return err
			}
			var n int
			if event != "" {
				n, err = dismissEvent(cmd.Context(), d, turnout.OrgID(org), turnout.EventID(event), cancel)
			} else {
				n, err = 1, dismissOne(cmd.Context(), d, turnout.OrgID(org), args[0], cancel)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d dismissed\n", n)
			return nil
		},
	}
	s.flags(cmd)
	orgFlag(cmd, &org)
	cmd.Flags().StringVar(&event, "event", "", "all that are parked for the event with this id")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "cancel them, too")
	return cmd
}

func dismissOne(ctx context.Context, d *app.Desk, org turnout.OrgID, key string, cancel bool) error {
	k, err := turnout.ParseKey(key)
	if err != nil {
		return err
	}
	if err := d.Dismiss(ctx, org, k, cancel); turnout.CodeOf(err) == turnout.CodeNotFound {
		return fmt.Errorf("%s is not parked", k)
	} else if err != nil {
		return err
	}
	return nil
}

// dismissEvent dismisses what is parked for an event and tells how many these were. Those
// that keep a place since they were dismissed are cancelled as well, if that is wanted.
func dismissEvent(ctx context.Context, d *app.Desk, org turnout.OrgID, event turnout.EventID, cancel bool) (int, error) {
	var keys []turnout.Key
	err := d.Store.Each(ctx, org, event, func(r turnout.Registration) error {
		if r.Parked != nil && (r.Dismissed.IsZero() || cancel && r.Status.Holds()) {
			keys = append(keys, r.Key)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, key := range keys {
		switch err := d.Dismiss(ctx, org, key, cancel); {
		case turnout.CodeOf(err) == turnout.CodeNotFound: // sent again meanwhile
		case err != nil:
			return n, fmt.Errorf("%d were dismissed, then: %w", n, err)
		default:
			n++
		}
	}
	return n, nil
}
