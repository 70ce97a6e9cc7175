package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/turnout-events/turnout"
)

// Fault says why a published event cannot be shown. It rests in the cache,
// sealed like the event that it speaks of, so that every process tells it and
// none forgets it: the event is not fetched again until it changes.
type Fault struct {
	Event turnout.EventID `json:"-"`
	// Fields are all that is wrong, in words for the organiser.
	Fields []turnout.FieldError `json:"fields"`
	At     time.Time            `json:"at"`
	// Slug says that the fault is only that another event has its slug.
	Slug bool `json:"slug,omitempty"`
}

// faultOf is a fault with what err says.
func faultOf(event turnout.EventID, err error, at time.Time) Fault {
	f := Fault{Event: event, Fields: turnout.FieldsOf(err), At: at}
	if len(f.Fields) == 0 {
		f.Fields = []turnout.FieldError{{Message: err.Error()}}
	}
	return f
}

// Faults are the published events of the org that cannot be shown, by id.
func (m *Mirror) Faults(ctx context.Context, org turnout.OrgID) ([]Fault, error) {
	return m.o.faults(ctx, org)
}

func (o *Options) faults(ctx context.Context, org turnout.OrgID) ([]Fault, error) {
	sealed, err := o.Faults.Faults(ctx, org)
	if err != nil || len(sealed) == 0 {
		return nil, err
	}
	ring, err := o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return nil, err
	}
	all := make([]Fault, 0, len(sealed))
	for id, s := range sealed {
		f := Fault{Event: id}
		plain, err := ring.Open(s, "fault", string(id))
		if err == nil {
			err = json.Unmarshal(plain, &f)
		}
		if err != nil {
			return nil, turnout.Wrap(turnout.CodeInternal, "open fault of event "+string(id), err)
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b Fault) int { return cmp.Compare(a.Event, b.Event) })
	return all, nil
}

// fault notes why an event cannot be shown. What is shown of it stays.
func (b *batch) fault(ctx context.Context, c turnout.EventCopy, f Fault) error {
	p := b.p
	_, shown := b.modified[c.ID]
	p.remark(c, f.note(shown))
	ring, err := p.o.Keyring.Ring(ctx, string(p.org))
	if err != nil {
		return err
	}
	plain, err := json.Marshal(f)
	if err != nil {
		return turnout.Wrap(turnout.CodeInternal, "write fault of event "+string(f.Event), err)
	}
	if !b.faulty[f.Event] {
		p.o.Logger.Warn("published event cannot be shown", "org", p.org, "event", f.Event, "faults", f.Fields)
	}
	if err := p.o.Faults.PutFault(ctx, p.org, f.Event, ring.Seal(plain, "fault", string(f.Event))); err != nil {
		return err
	}
	b.faulty[f.Event] = true
	return nil
}

// sound notes that nothing is wrong with an event any more.
func (b *batch) sound(ctx context.Context, id turnout.EventID) error {
	if !b.faulty[id] {
		return nil
	}
	if err := b.p.o.Faults.DeleteFault(ctx, b.p.org, id); err != nil {
		return err
	}
	delete(b.faulty, id)
	return nil
}

// retrySlugs fetches the events again that only lacked a slug of their own.
func (p *orgMirror) retrySlugs(ctx context.Context) error {
	faults, err := p.o.faults(ctx, p.org)
	if err != nil {
		return err
	}
	for _, f := range faults {
		if f.Slug {
			p.reread(f.Event)
		}
	}
	return nil
}
