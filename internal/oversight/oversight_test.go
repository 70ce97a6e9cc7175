package oversight_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/oversight"
)

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

type store struct {
	parked    []turnout.Registration
	unparked  []turnout.Key
	amended   turnout.Details
	dismissed []string
	changed   int
}

func (s *store) Orgs(context.Context) ([]turnout.Org, error) {
	return []turnout.Org{{ID: "acme", Name: "Acme", APIShare: 0.5}, {ID: "zeta"}}, nil
}

func (s *store) Seatings(_ context.Context, org turnout.OrgID) (map[turnout.EventID]turnout.Seatings, error) {
	if org != "acme" {
		return nil, nil
	}
	return map[turnout.EventID]turnout.Seatings{
		"later": {turnout.PoolEvent: {Pool: turnout.PoolEvent, Limit: 10, Taken: 8, Outside: 4, Waiting: 1}},
		"gone":  {turnout.PoolTicket("x"): {Pool: turnout.PoolTicket("x"), Limit: turnout.Unlimited, Taken: 2}},
		"soon":  {turnout.PoolEvent: {Pool: turnout.PoolEvent, Limit: 10}},
	}, nil
}

func (s *store) Parked(_ context.Context, org turnout.OrgID, dismissed bool, limit int) ([]turnout.Registration, error) {
	if org != "acme" || dismissed {
		return nil, nil
	}
	return s.parked[:min(limit, len(s.parked))], nil
}

func (s *store) Unpark(_ context.Context, _ turnout.OrgID, key turnout.Key, _ time.Time) (int, error) {
	s.unparked = append(s.unparked, key)
	for _, r := range s.parked {
		if r.Key == key {
			return 1, nil
		}
	}
	if key == "" {
		return len(s.parked), nil
	}
	return 0, nil
}

func (s *store) Registration(_ context.Context, _ turnout.OrgID, key turnout.Key) (turnout.Registration, error) {
	for _, r := range s.parked {
		if r.Key == key {
			return r, nil
		}
	}
	return turnout.Registration{Org: "acme", Key: key}, nil
}

func (s *store) Open(_ context.Context, r *turnout.Registration) (turnout.Details, error) {
	if r.Key == "forgotten" {
		return turnout.Details{}, turnout.Errorf(turnout.CodeForgotten, "open", "")
	}
	return turnout.Details{Person: turnout.Person{FirstName: "Ada", Email: "ada@example.com"}, Invite: &turnout.Invite{Record: "a02"}}, nil
}

func (s *store) Note(context.Context, *turnout.Registration) (string, error) {
	return "Title: data value too large", nil
}

func (s *store) Each(_ context.Context, _ turnout.OrgID, _ turnout.EventID, yield func(turnout.Registration) error) error {
	for _, r := range s.parked {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func desk(s *store) *oversight.Desk {
	return oversight.New(oversight.Options{
		Orgs: s, Store: s, Records: s, Registrations: s, Now: func() time.Time { return noon },
		Event: func(_ turnout.OrgID, id turnout.EventID) *turnout.Event {
			starts, ok := map[turnout.EventID]time.Time{"soon": noon.Add(time.Hour), "later": noon.Add(2 * time.Hour)}[id]
			if !ok {
				return nil
			}
			return &turnout.Event{ID: id, Title: "Event " + string(id), Starts: starts, Seats: 10}
		},
		Amend: func(_ context.Context, _ turnout.OrgID, _ *turnout.Event, _ turnout.Key, d turnout.Details) error {
			s.amended = d
			return nil
		},
		Dismiss: func(_ context.Context, _ turnout.OrgID, key turnout.Key, cancel bool) error {
			s.dismissed = append(s.dismissed, string(key)+" "+strconv.FormatBool(cancel))
			return nil
		},
		Connection: func(org turnout.OrgID) (oversight.Connection, bool) {
			return oversight.Connection{State: oversight.StateOf(0, false), Used: 250, Limit: 1000}, org == "acme"
		},
		Oldest: func() map[turnout.OrgID]time.Time {
			return map[turnout.OrgID]time.Time{"acme": noon.Add(-90 * time.Second)}
		},
		Mirror: func(context.Context, turnout.OrgID) (oversight.Mirror, error) {
			return oversight.Mirror{Success: noon, Events: map[turnout.EventID]oversight.Cached{
				"soon": {At: noon.Add(-time.Minute)}, "broken": {At: noon, Faults: []turnout.FieldError{{Field: "slug", Message: "give it one"}}},
			}}, nil
		},
		Changed: func(turnout.OrgID) { s.changed++ },
	})
}

func parkedRow(key turnout.Key, event turnout.EventID) turnout.Registration {
	return turnout.Registration{Org: "acme", Event: event, Key: key, Sealed: []byte{1}, Parked: &turnout.Parked{Code: "STRING_TOO_LONG", At: noon}}
}

func TestOverview(t *testing.T) {
	s := &store{parked: []turnout.Registration{parkedRow("one", "soon")}}
	orgs, err := desk(s).Overview(t.Context())
	if err != nil || len(orgs) != 2 {
		t.Fatal(orgs, err)
	}
	acme, zeta := orgs[0], orgs[1]
	if acme.Parked != 1 || acme.Oldest.Seconds != 90 || acme.Events != (oversight.Counts{Published: 2, Unpublished: 1, Faulty: 1}) {
		t.Errorf("%+v", acme)
	}
	if acme.Connection.Budget != 500 || acme.Connection.Percent() != 50 || acme.Connection.State != oversight.StateConnected {
		t.Errorf("%+v", acme.Connection)
	}
	if zeta.Name != "zeta" || zeta.Oldest != nil || zeta.Connection.State != oversight.StateUnknown || zeta.Connection.Percent() != 0 {
		t.Errorf("%+v", zeta)
	}
	if _, err := desk(s).Org(t.Context(), "nobody"); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Error(err)
	}
}

// A difference between Turnout's count and the organiser's is shown, never hidden.
func TestEvents(t *testing.T) {
	events, err := desk(&store{}).Events(t.Context(), "acme")
	if err != nil || len(events) != 4 {
		t.Fatal(events, err)
	}
	var order string
	for _, e := range events {
		order += string(e.ID) + " "
	}
	if order != "soon later broken gone " {
		t.Error(order)
	}
	if events[0].Fetched.Seconds != 60 || events[2].Faults == nil || events[3].Pools[0].Limit != nil {
		t.Errorf("%+v", events)
	}
	if p := events[1].Pools[0]; p.Name != "Whole event" || p.Over != 2 || p.Outside != 4 || p.Percent() != 100 {
		t.Errorf("%+v", p)
	}
}

func TestPercent(t *testing.T) {
	limit := func(n int) *int { return &n }
	for _, test := range []struct {
		pool oversight.Pool
		want int
	}{
		{oversight.Pool{Taken: 5}, 0},
		{oversight.Pool{Limit: limit(10), Taken: 5, Outside: 1}, 60},
		{oversight.Pool{Limit: limit(10), Taken: 15}, 100},
		{oversight.Pool{Limit: limit(0)}, 100},
		{oversight.Pool{Limit: limit(0), Taken: 2, Over: 2}, 100},
	} {
		if got := test.pool.Percent(); got != test.want {
			t.Errorf("%+v is %d %% full, want %d", test.pool, got, test.want)
		}
	}
}

// The numbers of a funnel add up: what is neither delivered nor parked nor dismissed is on the way.
func TestFunnelAddsUp(t *testing.T) {
	n := func(n int) *int { return &n }
	for want, f := range map[int]oversight.Funnel{
		3: {Registered: n(10), Delivered: n(4), Parked: n(2), Dismissed: n(1)},
		0: {Registered: n(10), Delivered: n(10), Parked: n(0), Dismissed: n(0)},
		1: {Registered: n(1), Delivered: n(0), Parked: n(0), Dismissed: n(0), Invited: n(0)},
	} {
		if got := f.OnTheWay(); got != want {
			t.Errorf("%+v: %d on the way, want %d", f, got, want)
		}
	}
	if (oversight.Funnel{Invited: n(4)}).OnTheWay() != 0 {
		t.Error("what is not known is on the way")
	}
}

func TestBehind(t *testing.T) {
	at := func(age time.Duration) time.Time { return noon.Add(-age) }
	for _, test := range []struct {
		name   string
		mirror oversight.Mirror
		want   string
	}{
		{"up to date", oversight.Mirror{Reads: map[string]time.Time{"events": at(time.Minute), "links": at(3 * time.Minute), "registrations": noon}}, ""},
		{"never", oversight.Mirror{}, "events links registrations"},
		{"whoever reads", oversight.Mirror{Elsewhere: true, Reads: map[string]time.Time{"events": noon, "links": at(181 * time.Second), "registrations": noon}}, "links"},
		{"first links", oversight.Mirror{Backfilling: true, Reads: map[string]time.Time{"events": noon, "registrations": noon}}, ""},
		{"no links", oversight.Mirror{Reads: map[string]time.Time{"events": noon, "registrations": noon}}, "links"},
		{"read seldom", oversight.Mirror{Every: 10 * time.Minute, Reads: map[string]time.Time{"events": at(29 * time.Minute), "links": at(31 * time.Minute), "registrations": noon}}, "links"},
	} {
		if got := strings.Join(test.mirror.Behind(noon), " "); got != test.want {
			t.Errorf("%s: behind are %q, want %q", test.name, got, test.want)
		}
	}
}

func TestParked(t *testing.T) {
	s := &store{parked: []turnout.Registration{parkedRow("one", "soon"), parkedRow("forgotten", "soon"), parkedRow("old", "gone")}}
	list, more, err := desk(s).Parked(t.Context(), "acme", false, 2)
	if err != nil || !more || len(list) != 2 {
		t.Fatal(list, more, err)
	}
	if p := list[0]; !p.Readable || p.Says == "" || p.Title != "Event soon" || p.Form == nil {
		t.Errorf("%+v", p)
	}
	if list[1].Readable {
		t.Error("a forgotten person is readable")
	}
}

func TestRetryAndAmend(t *testing.T) {
	s := &store{parked: []turnout.Registration{parkedRow("one", "soon"), parkedRow("forgotten", "soon"), parkedRow("old", "gone")}}
	d := desk(s)
	if n, err := d.Retry(t.Context(), "acme", ""); n != 3 || err != nil || s.changed != 1 {
		t.Error(n, err)
	}
	if _, err := d.Retry(t.Context(), "acme", "done"); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Error(err)
	}
	if _, err := d.Retry(t.Context(), "nobody", ""); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Error(err)
	}
	for key, want := range map[turnout.Key]turnout.Code{"one": "", "forgotten": turnout.CodeForgotten, "old": turnout.CodeClosed, "done": turnout.CodeNotFound} {
		if err := d.Amend(t.Context(), "acme", key, turnout.Details{}); turnout.CodeOf(err) != want {
			t.Errorf("%s: %v", key, err)
		}
	}
	if s.amended.Person.Email != "ada@example.com" || s.amended.Invite == nil || s.changed != 2 {
		t.Errorf("%+v", s)
	}
	if err := d.Dismiss(t.Context(), "nobody", "one", true); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Error(err)
	}
	if err := d.Dismiss(t.Context(), "acme", "one", true); err != nil || !slices.Equal(s.dismissed, []string{"one true"}) {
		t.Error(err, s.dismissed)
	}
	err := d.Amend(t.Context(), "acme", "one", turnout.Details{Person: turnout.Person{Email: "bo@example.com"}})
	if turnout.CodeOf(err) != turnout.CodeInvalid {
		t.Error(err)
	}
}

func TestExport(t *testing.T) {
	s := &store{parked: []turnout.Registration{parkedRow("one", "soon"), parkedRow("forgotten", "soon")}}
	var names []string
	err := desk(s).Export(t.Context(), "acme", "", func(r oversight.Row) error {
		names = append(names, r.Details.Person.FirstName)
		return nil
	})
	if err != nil || len(names) != 2 || names[0] != "Ada" || names[1] != "" {
		t.Error(names, err)
	}
	stop := errors.New("stop")
	if err := desk(s).Export(t.Context(), "acme", "", func(oversight.Row) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}
