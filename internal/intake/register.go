package intake

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// Register accepts a submission for e. Its errors:
//
//	CodeInvalid      a rule is broken; Fields says which
//	CodeStale        the form changed since it was rendered
//	CodeFull         no seat is left; JoinWaitlist asks for a place in line
//	CodeClosed       registration is not open
//	CodeConflict     each person registers once, and this one did
//	CodeReused       the key belongs to another submission
//	CodeUnavailable, CodeUnknown, CodeNoSpace
//	                 try again with the same key
//
// A repeated submission is no error: View.Repeat says so.
func (in *Intake) Register(ctx context.Context, org turnout.OrgID, e *turnout.Event, s turnout.Submission) (View, error) {
	ctx, done := outlive(ctx)
	defer done()
	stale := s.FormVersion != "" && s.FormVersion != e.Form.Version
	d, err := e.Check(s.Details)
	if err == nil {
		err = lockedEmail(e, d)
	}
	if stale || err != nil {
		if v, ok := in.before(ctx, org, e.ID, s); ok {
			return v, nil
		}
		if stale {
			return View{}, turnout.Errorf(turnout.CodeStale, "register", "the form has changed since it was shown")
		}
		return View{}, err
	}
	ring, err := in.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return View{}, turnout.Wrap(turnout.CodeUnavailable, "register", err)
	}
	a := turnout.Acceptance{
		Org: org, Event: e.ID, Key: s.Key, Link: s.Link, Status: turnout.StatusRegistered,
		Claims: e.Claims(d), Waitlist: s.JoinWaitlist && e.Waitlist, OncePerPerson: e.OncePerPerson,
	}
	said, err := marshal(d, nil)
	if err != nil {
		return View{}, err
	}
	a.Fingerprint = fingerprint(ring, e.ID, s.Link, said)
	return in.accept(ctx, ring, a, d, said)
}

// Decline notes that the person behind a link is not coming. It takes no seat,
// so it is CodeClosed only once the event has ended.
// Where they registered before, nothing changes and that registration is answered.
func (in *Intake) Decline(ctx context.Context, org turnout.OrgID, e *turnout.Event, link turnout.AttendeeLink, invite turnout.Invite, key turnout.Key) (View, error) {
	ctx, done := outlive(ctx)
	defer done()
	ring, err := in.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return View{}, turnout.Wrap(turnout.CodeUnavailable, "decline", err)
	}
	d := turnout.Details{Person: invite.Person, Invite: &invite}
	nothing, err := marshal(turnout.Details{}, nil)
	if err != nil {
		return View{}, err
	}
	a := turnout.Acceptance{
		Org: org, Event: e.ID, Key: key, Link: link.ID, Status: turnout.StatusDeclined,
		Fingerprint: fingerprint(ring, e.ID, link.ID, nothing), Claims: []turnout.Claim{},
	}
	return in.accept(ctx, ring, a, d, nothing)
}

// accept seals d and hands the acceptance to the store. A person who turns out
// to have a data key already is sealed under that one, in a second round. Said is
// what they said as JSON, which is d unless there is an invite.
func (in *Intake) accept(ctx context.Context, ring *seal.Ring, a turnout.Acceptance, d turnout.Details, said []byte) (View, error) {
	plain := said
	if d.Invite != nil {
		var err error
		if plain, err = marshal(d, d.Invite); err != nil {
			return View{}, err
		}
	}
	dk, err := in.dataKey(ctx, ring, &a, d.Person.Email)
	if err != nil {
		return View{}, err
	}
	a.At = in.o.Now()
	// A person may be forgotten and come back between two rounds; more than a
	// few rounds would be a fault of ours.
	for range 4 {
		a.Sealed = dk.Seal(plain, kind, string(a.Key))
		out, err := in.o.Store.Accept(ctx, a)
		if turnout.CodeOf(err) == turnout.CodeForgotten && a.DataKey.Stored {
			// Their key was destroyed meanwhile: they come back as somebody new.
			if dk, err = newDataKey(ring, &a); err != nil {
				return View{}, err
			}
			continue
		}
		if err != nil {
			return View{}, err
		}
		if out.DataKey == nil {
			return in.accepted(ctx, ring, out, d)
		}
		a.DataKey = *out.DataKey
		if dk, err = in.o.Keyring.DataKey(ctx, string(a.Org), seal.Subject(a.DataKey.Person), a.DataKey.Wrapped); err != nil {
			return View{}, turnout.Wrap(turnout.CodeInternal, "open data key", err)
		}
	}
	return View{}, turnout.Errorf(turnout.CodeConflict, "accept registration", "the person's data key keeps changing")
}

// dataKey gives the person's key: the stored one for somebody who came through
// a link and so is known, a new one otherwise.
func (in *Intake) dataKey(ctx context.Context, ring *seal.Ring, a *turnout.Acceptance, email string) (*seal.DataKey, error) {
	person := turnout.PersonID(ring.Index(turnout.FoldEmail(email)))
	if !a.Link.IsZero() {
		stored, err := in.o.Keys.DataKey(ctx, a.Org, person)
		if err == nil {
			a.DataKey = stored
			dk, err := in.o.Keyring.DataKey(ctx, string(a.Org), seal.Subject(person), stored.Wrapped)
			return dk, turnout.Wrap(turnout.CodeInternal, "open data key", err)
		}
		if turnout.CodeOf(err) != turnout.CodeForgotten {
			return nil, err
		}
	}
	a.DataKey.Person = person
	return newDataKey(ring, a)
}

func newDataKey(ring *seal.Ring, a *turnout.Acceptance) (*seal.DataKey, error) {
	dk, wrapped, err := ring.NewDataKey(seal.Subject(a.DataKey.Person))
	a.DataKey = turnout.DataKey{Person: a.DataKey.Person, Wrapped: wrapped}
	return dk, turnout.Wrap(turnout.CodeInternal, "make data key", err)
}

func (in *Intake) accepted(ctx context.Context, ring *seal.Ring, out turnout.Accepted, d turnout.Details) (View, error) {
	v := View{Registration: out.Registration, Details: d, Token: token(ring, out.Registration.Key), Repeat: out.Repeat}
	if !out.Repeat {
		in.o.Changed(v.Registration.Org, v.Registration.Event, true)
		return v, nil
	}
	var err error
	v.Details, err = in.Open(ctx, &out.Registration)
	return v, err
}

// before finds what the same submission was answered with earlier, so that a
// repeat is answered even when the form has changed since.
func (in *Intake) before(ctx context.Context, org turnout.OrgID, event turnout.EventID, s turnout.Submission) (View, bool) {
	r, err := in.o.Store.Registration(ctx, org, s.Key)
	if err != nil || r.Event != event || r.Link != s.Link {
		return View{}, false
	}
	ring, err := in.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return View{}, false
	}
	d, err := in.Open(ctx, &r)
	if err != nil || !sameParty(d, s.Details) {
		return View{}, false
	}
	return View{Registration: r, Details: d, Token: token(ring, r.Key), Repeat: true}, true
}

func sameParty(a, b turnout.Details) bool {
	return turnout.FoldEmail(a.Person.Email) == turnout.FoldEmail(b.Person.Email) &&
		strings.EqualFold(a.Person.Name(), b.Person.Name()) && len(a.Guests) == len(b.Guests)
}

// marshal gives d with that invite as JSON, the same text for the same d.
func marshal(d turnout.Details, invite *turnout.Invite) ([]byte, error) {
	d.Invite = invite
	plain, err := json.Marshal(d)
	return plain, turnout.Wrap(turnout.CodeInternal, "seal registration", err)
}

// fingerprint tells submissions apart without saying what is in them.
func fingerprint(ring *seal.Ring, event turnout.EventID, link turnout.LinkID, said []byte) turnout.Fingerprint {
	return turnout.Fingerprint(ring.MAC("fingerprint", string(event), string(link[:]), string(said))[:16])
}

// lockedEmail keeps a forwarded invite from being used for somebody else.
func lockedEmail(e *turnout.Event, d turnout.Details) error {
	if !e.LockEmail || d.Invite == nil || turnout.FoldEmail(d.Person.Email) == turnout.FoldEmail(d.Invite.Person.Email) {
		return nil
	}
	return &turnout.Error{Code: turnout.CodeInvalid, Op: "check submission", Fields: []turnout.FieldError{
		{Field: "email", Message: "This invitation is personal: keep the e-mail address it was sent to"},
	}}
}
