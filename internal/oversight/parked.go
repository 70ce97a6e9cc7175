package oversight

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
)

// Parked is a registration that Salesforce refused, opened for the person who
// decides what becomes of it.
type Parked struct {
	Key turnout.Key
	// Dismissed is when somebody decided that nothing is to be done, zero for not.
	Dismissed time.Time
	Event     turnout.EventID
	Title     string // the event's, its id while it is not published
	Status    turnout.Status
	Code      string // Salesforce's own
	Says      string // Salesforce's own sentence; may repeat what was typed
	At        time.Time
	Accepted  time.Time
	Attempts  int
	// Details are empty when they cannot be read any more.
	Details  turnout.Details
	Readable bool
	// Retriable says that there is something to send: what it says, or that it is
	// cancelled since its registrant was forgotten.
	Retriable bool
	// Form is what it may be amended to, nil while the event is not published.
	Form *turnout.Event
}

// Parked lists an org's parked registrations, or those of them that were dismissed,
// oldest first, at most limit (0 means MostParked), and whether there are more.
func (d *Desk) Parked(ctx context.Context, org turnout.OrgID, dismissed bool, limit int) ([]Parked, bool, error) {
	if limit <= 0 || limit > MostParked {
		limit = MostParked
	}
	if _, err := d.Org(ctx, org); err != nil {
		return nil, false, err
	}
	rows, err := d.o.Store.Parked(ctx, org, dismissed, limit+1)
	if err != nil {
		return nil, false, err
	}
	all := make([]Parked, 0, min(len(rows), limit))
	for i := range rows[:min(len(rows), limit)] {
		all = append(all, d.parked(ctx, &rows[i]))
	}
	return all, len(rows) > limit, nil
}

// OneParked opens one; CodeNotFound when it is not parked (any more).
func (d *Desk) OneParked(ctx context.Context, org turnout.OrgID, key turnout.Key) (Parked, error) {
	r, err := d.o.Store.Registration(ctx, org, key)
	if err != nil {
		return Parked{}, err
	}
	if r.Parked == nil {
		return Parked{}, notParked()
	}
	return d.parked(ctx, &r), nil
}

func notParked() error {
	return turnout.Errorf(turnout.CodeNotFound, "find parked registration", "it is not parked, or not any more")
}

// parked opens what can be opened. What cannot, because the person was
// forgotten or a key is missing, is shown without.
func (d *Desk) parked(ctx context.Context, r *turnout.Registration) Parked {
	p := Parked{
		Key: r.Key, Event: r.Event, Title: string(r.Event), Status: r.Status, Accepted: r.AcceptedAt.UTC(), Attempts: r.Attempts,
		Form: d.o.Event(r.Org, r.Event), Retriable: r.Sealed != nil || r.Person.IsZero(),
	}
	if r.Parked != nil {
		p.Code, p.At, p.Dismissed = r.Parked.Code, r.Parked.At.UTC(), r.Dismissed
	}
	if p.Form != nil {
		p.Title = p.Form.Title
	}
	if details, err := d.o.Records.Open(ctx, r); err == nil && r.Sealed != nil {
		p.Details, p.Readable = details, true
	}
	if note, err := d.o.Records.Note(ctx, r); err == nil {
		p.Says = note
	}
	return p
}

// Retry sends a parked registration out again as it is, or all of an org's that were
// not dismissed when key is empty, and tells how many there were. CodeNotFound when the one
// is not parked.
func (d *Desk) Retry(ctx context.Context, org turnout.OrgID, key turnout.Key) (int, error) {
	if _, err := d.Org(ctx, org); err != nil {
		return 0, err
	}
	n, err := d.o.Store.Unpark(ctx, org, key, d.o.Now())
	if err != nil {
		return 0, err
	}
	if n == 0 && key != "" {
		return 0, notParked()
	}
	d.o.Changed(org)
	return n, nil
}

// Amend changes what a parked registration says and sends it again. The e-mail
// address stays; empty means that.
func (d *Desk) Amend(ctx context.Context, org turnout.OrgID, key turnout.Key, details turnout.Details) error {
	p, err := d.OneParked(ctx, org, key)
	switch {
	case err != nil:
		return err
	case !p.Readable:
		return turnout.Errorf(turnout.CodeForgotten, "amend registration", "what it said was deleted")
	case p.Form == nil:
		return turnout.Errorf(turnout.CodeClosed, "amend registration", "its event is not published now, so its form is not known: publish it, or retry as it is")
	case details.Person.Email != "" && turnout.FoldEmail(details.Person.Email) != turnout.FoldEmail(p.Details.Person.Email):
		return &turnout.Error{Code: turnout.CodeInvalid, Op: "amend registration", Fields: []turnout.FieldError{
			{Field: "email", Message: "The e-mail address cannot be changed: it says whose registration it is"},
		}}
	}
	details.Person.Email, details.Invite = p.Details.Person.Email, p.Details.Invite
	if err := d.o.Amend(ctx, org, p.Form, key, details); err != nil {
		return err
	}
	d.o.Changed(org)
	return nil
}

// Dismiss notes that nothing is to be done about a parked registration: it stays as it
// is, or is cancelled, which gives its seats back. CodeNotFound when it is not parked.
func (d *Desk) Dismiss(ctx context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error {
	if _, err := d.Org(ctx, org); err != nil {
		return err
	}
	return d.o.Dismiss(ctx, org, key, cancel)
}

// Row is one registration of an export.
type Row struct {
	turnout.Registration
	// Details are empty when they cannot be read any more.
	Details turnout.Details
}

// Export goes through an org's registrations, opened: those of one event or,
// when it is empty, all of them. Memory does not grow with their number.
func (d *Desk) Export(ctx context.Context, org turnout.OrgID, event turnout.EventID, yield func(Row) error) error {
	if d.o.Registrations == nil {
		return turnout.Errorf(turnout.CodeMisconfigured, "export registrations", "this store cannot export")
	}
	if _, err := d.Org(ctx, org); err != nil {
		return err
	}
	return d.o.Registrations.Each(ctx, org, event, func(r turnout.Registration) error {
		row := Row{Registration: r}
		details, err := d.o.Records.Open(ctx, &r)
		switch code := turnout.CodeOf(err); {
		case code == turnout.CodeForgotten:
		case err != nil:
			return err
		default:
			row.Details = details
		}
		return yield(row)
	})
}

// Event finds a published event of an org, nil for one that is not.
func (d *Desk) Event(org turnout.OrgID, id turnout.EventID) *turnout.Event { return d.o.Event(org, id) }
