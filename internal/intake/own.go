package intake

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"

	json2 "github.com/go-json-experiment/json"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// A registration's token is macLength characters of a MAC over its key, then
// the key: nothing to store, and a key alone, which Salesforce's users see,
// opens nothing.
const macLength = 22

func token(ring *seal.Ring, key turnout.Key) string {
	return base64.RawURLEncoding.EncodeToString(ring.MAC(kind, string(key))[:16]) + string(key)
}

// keyOf is the key inside a token; CodeNotFound for one that we did not make.
func keyOf(ring *seal.Ring, tok string) (turnout.Key, error) {
	if len(tok) > macLength {
		key := turnout.Key(tok[macLength:])
		if key.Valid() && subtle.ConstantTimeCompare([]byte(token(ring, key)), []byte(tok)) == 1 {
			return key, nil
		}
	}
	return "", turnout.Errorf(turnout.CodeNotFound, "open registration", "there is no such registration")
}

// View opens the registration that a token stands for: CodeNotFound, or
// CodeForgotten when its person was forgotten.
func (in *Intake) View(ctx context.Context, org turnout.OrgID, tok string) (View, error) {
	ring, err := in.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return View{}, turnout.Wrap(turnout.CodeUnavailable, "open registration", err)
	}
	key, err := keyOf(ring, tok)
	if err != nil {
		return View{}, err
	}
	r, err := in.o.Store.Registration(ctx, org, key)
	if err != nil {
		return View{}, err
	}
	d, err := in.Open(ctx, &r)
	return View{Registration: r, Details: d, Token: tok}, err
}

// ByLink finds the latest registration that came through a link.
func (in *Intake) ByLink(ctx context.Context, org turnout.OrgID, link turnout.AttendeeLink) (View, bool, error) {
	r, ok, err := in.o.Store.LinkRegistration(ctx, org, link.ID)
	if err != nil || !ok {
		return View{}, false, err
	}
	ring, err := in.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return View{}, false, turnout.Wrap(turnout.CodeUnavailable, "open registration", err)
	}
	d, err := in.Open(ctx, &r)
	return View{Registration: r, Details: d, Token: token(ring, r.Key)}, err == nil, err
}

// Edit changes what a registrant said. from is the revision they saw; another
// one is CodeConflict. The e-mail address stays: it is whose registration it is.
func (in *Intake) Edit(ctx context.Context, org turnout.OrgID, e *turnout.Event, tok string, from int64, d turnout.Details) (View, error) {
	ctx, done := outlive(ctx)
	defer done()
	v, err := in.View(ctx, org, tok)
	if err != nil {
		return View{}, err
	}
	if !v.Registration.Status.Holds() {
		return View{}, turnout.Errorf(turnout.CodeClosed, "edit registration", "it is %s, so it holds no place and cannot be changed", v.Registration.Status)
	}
	if v.Registration.Inside() {
		return View{}, turnout.Errorf(turnout.CodeClosed, "edit registration", "they have been checked in")
	}
	if !e.CanEdit(in.o.Now()) {
		return View{}, turnout.Errorf(turnout.CodeClosed, "edit registration", "the time for changing it is over")
	}
	return in.amend(ctx, v, e, from, d)
}

// Amend changes a registration on behalf of an operator, for example one that
// Salesforce refused; no deadline holds.
func (in *Intake) Amend(ctx context.Context, org turnout.OrgID, e *turnout.Event, key turnout.Key, d turnout.Details) (View, error) {
	ctx, done := outlive(ctx)
	defer done()
	ring, err := in.o.Keyring.Ring(ctx, string(org))
	if err != nil {
		return View{}, turnout.Wrap(turnout.CodeUnavailable, "amend registration", err)
	}
	v, err := in.View(ctx, org, token(ring, key))
	if err != nil {
		return View{}, err
	}
	return in.amend(ctx, v, e, v.Registration.Revision, d)
}

func (in *Intake) amend(ctx context.Context, v View, e *turnout.Event, from int64, d turnout.Details) (View, error) {
	r := v.Registration
	if r.Sealed == nil {
		return View{}, turnout.Errorf(turnout.CodeClosed, "edit registration", "what it said has been deleted")
	}
	d.Person.Email, d.Invite = v.Details.Person.Email, v.Details.Invite
	d, err := e.Check(d)
	if err != nil {
		return View{}, err
	}
	plain, err := json.Marshal(d)
	if err != nil {
		return View{}, turnout.Wrap(turnout.CodeInternal, "seal registration", err)
	}
	dk, err := in.stored(ctx, &r)
	if err != nil {
		return View{}, err
	}
	r, err = in.o.Store.Revise(ctx, turnout.Revision{
		Org: r.Org, Key: r.Key, From: from, Status: r.Status, Claims: e.Claims(d),
		Sealed: dk.Seal(plain, kind, string(r.Key)), At: in.o.Now(),
	})
	if err != nil {
		return View{}, err
	}
	in.o.Changed(r.Org, r.Event, false)
	return View{Registration: r, Details: d, Token: v.Token}, nil
}

// Cancel gives a registration's seats back. Cancelling twice is fine.
func (in *Intake) Cancel(ctx context.Context, org turnout.OrgID, e *turnout.Event, tok string) (View, error) {
	ctx, done := outlive(ctx)
	defer done()
	// A delivery or an organiser may change it between reading and writing.
	for range 8 {
		v, err := in.View(ctx, org, tok)
		if err != nil || !v.Registration.Status.Holds() {
			return v, err
		}
		if v.Registration.Inside() {
			return View{}, turnout.Errorf(turnout.CodeClosed, "cancel registration", "they have been checked in")
		}
		if !e.CanCancel(in.o.Now()) {
			return View{}, turnout.Errorf(turnout.CodeClosed, "cancel registration", "the time for cancelling it here is over")
		}
		r := v.Registration
		r, err = in.o.Store.Revise(ctx, turnout.Revision{
			Org: org, Key: r.Key, From: r.Revision, Status: turnout.StatusCancelled, Claims: r.Claims, At: in.o.Now(),
		})
		if turnout.CodeOf(err) == turnout.CodeConflict {
			continue
		}
		if err != nil {
			return View{}, err
		}
		in.o.Changed(r.Org, r.Event, false)
		v.Registration = r
		return v, nil
	}
	return View{}, turnout.Errorf(turnout.CodeConflict, "cancel registration", "it keeps changing; try again")
}

// Dismiss notes for an operator that nothing is to be done about a registration that
// Salesforce refused: it stays as it is, or is cancelled, which gives its seats back; no
// deadline holds. Who is registered sees it cancelled. CodeNotFound for one that is not
// parked (any more).
func (in *Intake) Dismiss(ctx context.Context, org turnout.OrgID, key turnout.Key, cancel bool) error {
	ctx, done := outlive(ctx)
	defer done()
	for range 8 {
		r, err := in.o.Store.Registration(ctx, org, key)
		if err != nil {
			return err
		}
		to := r.Status
		if cancel && to.Holds() {
			to = turnout.StatusCancelled
		}
		_, err = in.o.Store.Revise(ctx, turnout.Revision{Org: org, Key: key, From: r.Revision, Status: to, Source: turnout.SourceOperator, At: in.o.Now()})
		if turnout.CodeOf(err) == turnout.CodeConflict {
			continue
		}
		if err != nil {
			return err
		}
		in.o.Changed(r.Org, r.Event, false)
		return nil
	}
	return turnout.Errorf(turnout.CodeConflict, "dismiss registration", "it keeps changing; try again")
}

// Open unseals a registration. One whose answers were shredded opens to
// nothing; one whose person was forgotten is CodeForgotten.
func (in *Intake) Open(ctx context.Context, r *turnout.Registration) (turnout.Details, error) {
	dk, err := in.stored(ctx, r)
	if err != nil {
		return turnout.Details{}, err
	}
	return opened(r, dk)
}

// OpenDue is Open for one that came with its person's data key.
func (in *Intake) OpenDue(ctx context.Context, r *turnout.DueRegistration) (turnout.Details, error) {
	if r.Wrapped == nil {
		return turnout.Details{}, turnout.Errorf(turnout.CodeForgotten, "open registration", "there is no key for this person")
	}
	dk, err := in.unwrap(ctx, &r.Registration, r.Wrapped)
	if err != nil {
		return turnout.Details{}, err
	}
	return opened(&r.Registration, dk)
}

func opened(r *turnout.Registration, dk *seal.DataKey) (d turnout.Details, err error) {
	if r.Sealed == nil {
		return d, nil
	}
	plain, err := dk.Open(r.Sealed, kind, string(r.Key))
	if err == nil {
		err = json2.Unmarshal(plain, &d) // in a third of the time
	}
	return d, turnout.Wrap(turnout.CodeInternal, "open registration", err)
}

// noteKind names what Salesforce said about a registration.
const noteKind = "note"

// SealNote seals a sentence about a registration, which may repeat what the
// person typed.
func (in *Intake) SealNote(ctx context.Context, r *turnout.Registration, text string) ([]byte, error) {
	dk, err := in.stored(ctx, r)
	if err != nil {
		return nil, err
	}
	return dk.Seal([]byte(text), noteKind, string(r.Key)), nil
}

// Note opens what Salesforce said about a parked registration.
func (in *Intake) Note(ctx context.Context, r *turnout.Registration) (string, error) {
	if r.Parked == nil || r.Parked.Sealed == nil {
		return "", nil
	}
	dk, err := in.stored(ctx, r)
	if err != nil {
		return "", err
	}
	text, err := dk.Open(r.Parked.Sealed, noteKind, string(r.Key))
	return string(text), turnout.Wrap(turnout.CodeInternal, "open note", err)
}

func (in *Intake) stored(ctx context.Context, r *turnout.Registration) (*seal.DataKey, error) {
	k, err := in.o.Keys.DataKey(ctx, r.Org, r.Person)
	if err != nil {
		return nil, err
	}
	return in.unwrap(ctx, r, k.Wrapped)
}

func (in *Intake) unwrap(ctx context.Context, r *turnout.Registration, wrapped []byte) (*seal.DataKey, error) {
	dk, err := in.o.Keyring.DataKey(ctx, string(r.Org), seal.Subject(r.Person), wrapped)
	return dk, turnout.Wrap(turnout.CodeInternal, "open data key", err)
}
