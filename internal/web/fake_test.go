package web_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/web/page"
)

// fakeCatalog publishes sample events of one org.
type fakeCatalog struct {
	pages   *page.Pages
	org     *turnout.Org
	entries []*catalog.Entry
}

func (c *fakeCatalog) publish(t testing.TB, e *turnout.Event, seats turnout.Seatings) *catalog.Entry {
	t.Helper()
	if err := e.Validate(); err != nil {
		t.Fatalf("sample event %s: %v", e.Slug, err)
	}
	entry := &catalog.Entry{Org: c.org, Event: e, Seats: seats}
	var err error
	if entry.Page, err = c.pages.Event(c.org, e, seats); err != nil {
		t.Fatal(err)
	}
	if entry.Form, err = c.pages.Form(c.org, e, seats); err != nil {
		t.Fatal(err)
	}
	if entry.Card, err = c.pages.Card(c.org, e, seats); err != nil {
		t.Fatal(err)
	}
	for i, old := range c.entries {
		if old.Event.ID == e.ID {
			c.entries[i] = entry
			return entry
		}
	}
	c.entries = append(c.entries, entry)
	return entry
}

func (c *fakeCatalog) Org(host string) (*turnout.Org, bool) {
	if host == "acme.localhost" || host == "events.example.org" {
		return c.org, true
	}
	return nil, false
}

func (c *fakeCatalog) List(turnout.OrgID) (catalog.Page, []*catalog.Entry) {
	var public []*catalog.Entry
	for _, entry := range c.entries {
		if !entry.Event.Private {
			public = append(public, entry)
		}
	}
	list, _ := c.pages.List(c.org, public)
	return list, public
}

func (c *fakeCatalog) Event(_ turnout.OrgID, slug string) (*catalog.Entry, bool) {
	for _, entry := range c.entries {
		if entry.Event.Slug == slug {
			return entry, true
		}
	}
	return nil, false
}

func (c *fakeCatalog) EventByID(_ turnout.OrgID, id turnout.EventID) (*catalog.Entry, bool) {
	for _, entry := range c.entries {
		if entry.Event.ID == id {
			return entry, true
		}
	}
	return nil, false
}

// fakeLinks opens the tokens it was given; those behind "sent " only for what is sent.
type fakeLinks map[string]catalog.Link

func (l fakeLinks) OpenSent(ctx context.Context, org turnout.OrgID, token string) (catalog.Link, error) {
	if link, ok := l["sent "+token]; ok {
		return link, nil
	}
	return l.Open(ctx, org, token)
}

func (l fakeLinks) Open(_ context.Context, _ turnout.OrgID, token string) (catalog.Link, error) {
	if token == forgottenToken {
		return catalog.Link{}, turnout.Errorf(turnout.CodeForgotten, "open link", "")
	}
	link, ok := l[token]
	if !ok {
		return catalog.Link{}, turnout.Errorf(turnout.CodeNotFound, "open link", "")
	}
	return link, nil
}

// fakeIntake keeps registrations in memory and applies the domain's rules. An
// error in fail is what its writers answer; writes counts them.
type fakeIntake struct {
	mu    sync.Mutex
	now   func() time.Time
	views map[string]intake.View
	fail  error
	// failRead is what ByLink answers.
	failRead error
	writes   int
	last     turnout.Submission
}

func (f *fakeIntake) put(v intake.View) intake.View {
	if f.views == nil {
		f.views = map[string]intake.View{}
	}
	v.Token = "t-" + string(v.Registration.Key)
	f.views[v.Token] = v
	return v
}

func (f *fakeIntake) Register(_ context.Context, org turnout.OrgID, e *turnout.Event, s turnout.Submission) (intake.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	f.last = s
	if f.fail != nil {
		return intake.View{}, f.fail
	}
	if s.FormVersion != "" && s.FormVersion != e.Form.Version {
		return intake.View{}, turnout.Errorf(turnout.CodeStale, "register", "")
	}
	d, err := e.Check(s.Details)
	if err != nil {
		return intake.View{}, err
	}
	if v, ok := f.views["t-"+string(s.Key)]; ok {
		v.Repeat = true
		return v, nil
	}
	st := turnout.StatusRegistered
	if s.JoinWaitlist {
		st = turnout.StatusWaitlisted
	}
	r := turnout.Registration{Org: org, Event: e.ID, Key: s.Key, Link: s.Link, Status: st, Revision: 1, AcceptedAt: f.now()}
	return f.put(intake.View{Registration: r, Details: d}), nil
}

func (f *fakeIntake) Decline(_ context.Context, org turnout.OrgID, e *turnout.Event, link turnout.AttendeeLink, invite turnout.Invite, key turnout.Key) (intake.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.fail != nil {
		return intake.View{}, f.fail
	}
	r := turnout.Registration{Org: org, Event: e.ID, Key: key, Link: link.ID, Status: turnout.StatusDeclined, Revision: 1}
	return f.put(intake.View{Registration: r, Details: turnout.Details{Person: invite.Person, Invite: &invite}}), nil
}

func (f *fakeIntake) ByLink(_ context.Context, _ turnout.OrgID, link turnout.AttendeeLink) (intake.View, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failRead != nil {
		return intake.View{}, false, f.failRead
	}
	var latest intake.View
	found := false
	for _, v := range f.views {
		if v.Registration.Link == link.ID && (!found || v.Registration.Key > latest.Registration.Key) {
			latest, found = v, true
		}
	}
	return latest, found, nil
}

func (f *fakeIntake) View(_ context.Context, _ turnout.OrgID, token string) (intake.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if token == forgottenToken {
		return intake.View{}, turnout.Errorf(turnout.CodeForgotten, "view registration", "")
	}
	v, ok := f.views[token]
	if !ok {
		return intake.View{}, turnout.Errorf(turnout.CodeNotFound, "view registration", "")
	}
	return v, nil
}

func (f *fakeIntake) Edit(_ context.Context, _ turnout.OrgID, e *turnout.Event, token string, from int64, d turnout.Details) (intake.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.fail != nil {
		return intake.View{}, f.fail
	}
	v := f.views[token]
	if v.Registration.Revision != from {
		return intake.View{}, turnout.Errorf(turnout.CodeConflict, "edit registration", "")
	}
	kept, err := e.Check(d)
	if err != nil {
		return intake.View{}, err
	}
	v.Details = kept
	v.Registration.Revision++
	return f.put(v), nil
}

func (f *fakeIntake) Cancel(_ context.Context, _ turnout.OrgID, _ *turnout.Event, token string) (intake.View, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	if f.fail != nil {
		return intake.View{}, f.fail
	}
	v := f.views[token]
	v.Registration.Status = turnout.StatusCancelled
	return f.put(v), nil
}
