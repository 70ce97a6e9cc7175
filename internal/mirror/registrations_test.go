package mirror

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
)

// TestTheirs is the table of who wins.
func TestTheirs(t *testing.T) {
	at := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	settled := turnout.Registration{Status: turnout.StatusRegistered, Revision: 3, Delivered: 3, ChangedAt: at}
	on := settled
	on.Delivered = 2
	leaving := on
	leaving.Status = turnout.StatusCancelled
	undelivered := settled
	undelivered.Revision, undelivered.Delivered = 0, 0
	c := func(revision int64, status turnout.Status, attendance turnout.Attendance, after time.Duration) turnout.RegistrationCopy {
		return turnout.RegistrationCopy{Revision: revision, Status: status, Attendance: attendance, Modified: at.Add(after)}
	}
	for name, test := range map[string]struct {
		r    turnout.Registration
		c    turnout.RegistrationCopy
		want bool
	}{
		"the same":                    {settled, c(3, turnout.StatusRegistered, "", time.Minute), false},
		"cancelled there":             {settled, c(3, turnout.StatusCancelled, "", time.Minute), true},
		"attended":                    {settled, c(3, turnout.StatusRegistered, turnout.AttendanceAttended, time.Minute), true},
		"no status":                   {settled, c(3, "", "", time.Minute), false},
		"of an older delivery":        {settled, c(2, turnout.StatusCancelled, "", time.Minute), false},
		"cancelled under an edit":     {on, c(2, turnout.StatusCancelled, "", time.Minute), true},
		"attended under an edit":      {on, c(2, turnout.StatusRegistered, turnout.AttendanceAttended, time.Minute), true},
		"a place from the waitlist":   {on, c(2, turnout.StatusWaitlisted, "", time.Minute), false},
		"our cancel on its way":       {leaving, c(2, turnout.StatusRegistered, "", time.Minute), false},
		"ours and older":              {on, c(1, turnout.StatusCancelled, "", time.Minute), false},
		"never delivered":             {undelivered, c(0, turnout.StatusCancelled, "", time.Minute), false},
		"no revision field, later":    {settled, c(0, turnout.StatusCancelled, "", time.Minute), true},
		"no revision field, earlier":  {settled, c(0, turnout.StatusCancelled, "", -time.Minute), false},
		"no revision field, the same": {settled, c(0, turnout.StatusRegistered, "", time.Minute), false},
	} {
		if got := theirs(test.r.Standing(), test.c); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestOrganisersChangesAreTakenOver by poll and by hint, each once.
func TestOrganisersChangesAreTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		claims := []turnout.Claim{{Pool: turnout.PoolEvent, Seats: 2}}
		h.regs["k1"] = turnout.Registration{Key: "k1", Person: turnout.PersonID{1}, Status: turnout.StatusRegistered, Claims: claims, Revision: 2, Delivered: 2}
		h.conflicts = 1
		m := h.mirror("a", one(s))
		defer running(t, m)()
		h.pass(2 * time.Second)
		set := func(status turnout.Status, attendance turnout.Attendance) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.registrations = []turnout.RegistrationCopy{{Record: "a0R000000000001AAA", Key: "k1", Event: eventID(1), Revision: 2, Status: status, Attendance: attendance, Modified: stamp()},
				{Record: "a0R000000000002AAA", Key: "elsewhere", Event: eventID(1), Revision: 1, Status: turnout.StatusCancelled, Modified: stamp()}}
		}
		set(turnout.StatusRegistered, turnout.AttendanceApproved)
		must(t, m.Hint(t.Context(), "acme", "attendee.changed", []string{"a0R000000000001AAA"}))
		h.pass(time.Second)
		if r := h.regs["k1"]; r.Attendance != turnout.AttendanceApproved || len(h.revisions) != 1 {
			t.Fatalf("after a hint: %+v, %d revisions", r, len(h.revisions))
		}
		set(turnout.StatusCancelled, turnout.AttendanceApproved)
		h.pass(5 * time.Minute)
		if r := h.regs["k1"]; r.Status != turnout.StatusCancelled || len(h.revisions) != 2 {
			t.Fatalf("after polls: %+v, %d revisions", r, len(h.revisions))
		}
		if v := h.revisions[1]; v.Source != turnout.SourceSalesforce || v.From != 2 || v.Sealed != nil || len(v.Claims) != 1 {
			t.Errorf("revision %+v", v)
		}
	})
}

// TestP2ForgottenStayCancelled: what Salesforce still says of a person who was
// forgotten gives them no seat; it is told again that they are cancelled.
func TestP2ForgottenStayCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		h.regs["k1"] = turnout.Registration{Key: "k1", Status: turnout.StatusCancelled, Revision: 2, Delivered: 2}
		defer running(t, h.mirror("a", one(s)))()
		h.pass(2 * time.Second)
		set := func(status turnout.Status) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.registrations = []turnout.RegistrationCopy{{Record: "a0R000000000001AAA", Key: "k1", Event: eventID(1), Revision: 2, Status: status, Modified: stamp()}}
		}
		set(turnout.StatusRegistered)
		h.pass(2 * time.Minute)
		set(turnout.StatusCancelled)
		h.pass(2 * time.Minute)
		defer h.lock()()
		if h.regs["k1"].Status != turnout.StatusCancelled || len(h.revisions) != 0 || len(h.resent) != 1 {
			t.Errorf("%+v, revised %v, sent again %v", h.regs["k1"], h.revisions, h.resent)
		}
	})
}

// TestHandCounts: asked for when something changed, and all now and then.
func TestHandCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.publish(1, "Spring")
		s.publish(2, "Autumn")
		s.hands = []turnout.HandCount{{Event: eventID(1), Pool: turnout.PoolEvent, Seats: 4}}
		defer running(t, h.mirror("a", one(s)))()
		h.pass(2 * time.Minute)
		if h.outside[eventID(1)] != 4 {
			t.Fatalf("counted %v", h.outside)
		}
		before, asked := s.called("HandCounts"), s.asked["HandCounts"]
		s.mu.Lock()
		s.hands[0].Seats = 5
		s.registrations = []turnout.RegistrationCopy{{Record: "a0R000000000001AAA", Event: eventID(1), Status: turnout.StatusRegistered, Modified: stamp()}}
		s.mu.Unlock()
		h.pass(time.Minute)
		if h.outside[eventID(1)] != 5 || s.called("HandCounts") != before+1 || s.asked["HandCounts"] != asked+1 {
			t.Errorf("counted %v with %d calls for %d events", h.outside, s.called("HandCounts")-before, s.asked["HandCounts"]-asked)
		}
		s.mu.Lock()
		s.hands = nil // deleted: nothing tells of it
		s.mu.Unlock()
		h.pass(recountEvery + time.Minute)
		if h.outside[eventID(1)] != 0 {
			t.Errorf("counted %v", h.outside)
		}
		if n := s.called("HandCounts") - before; n > 3 {
			t.Errorf("%d calls in twelve minutes", n)
		}
	})
}

// TestQuietOrgCostsThreeCallsAMinute: the budget that Options.Every states.
func TestQuietOrgCostsThreeCallsAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.publish(1, "Spring")
		defer running(t, h.mirror("a", one(s)))()
		h.pass(10 * time.Minute)
		before := s.total()
		h.pass(24 * time.Hour)
		n := s.total() - before
		t.Logf("%d calls a day", n)
		if n > 3*1440*115/100 {
			t.Errorf("%d calls a day", n)
		}
	})
}

// What a rush wrote is read back at a walk, with one question for each list of it, and
// what an organiser did meanwhile is found among it.
func TestARushIsReadBackAtAWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, s := newHouse(t), newSalesforce()
		s.registrationsPage, h.slow = 1000, 20*time.Millisecond
		for n := range 2500 {
			key := turnout.Key(fmt.Sprint("k", n))
			h.regs[key] = turnout.Registration{Key: key, Person: turnout.PersonID{1}, Status: turnout.StatusRegistered, Revision: 1, Delivered: 1}
			s.registrations = append(s.registrations, turnout.RegistrationCopy{Key: key, Event: eventID(1), Revision: 1, Status: turnout.StatusRegistered, Modified: stamp()})
		}
		s.registrations[1234].Status = turnout.StatusCancelled
		defer running(t, h.mirror("a", one(s)))()
		h.pass(5 * time.Second)
		defer h.lock()()
		if len(h.lookups) != 3 || h.alone != 1 || len(h.revisions) != 1 || h.revisions[0].Key != "k1234" {
			t.Fatalf("%d questions, %d registrations asked for alone, revised %v", len(h.lookups), h.alone, h.revisions)
		}
		for i := range 2 {
			if got, want := h.lookups[i+1].Sub(h.lookups[i]), h.slow+strollFor*h.slow; got != want {
				t.Errorf("list %d is looked up %v after the one before, want %v", i+1, got, want)
			}
		}
	})
}

func TestStrolling(t *testing.T) {
	for _, test := range []struct {
		copies     int
		took, want time.Duration
	}{
		{1, time.Second, 0}, {strollFrom - 1, time.Second, 0}, {2000, 0, 0}, {2000, 10 * time.Millisecond, 30 * time.Millisecond}, {2000, time.Second, strollMost},
	} {
		if got := strolling(test.copies, test.took); got != test.want {
			t.Errorf("after %d in %v: %v, want %v", test.copies, test.took, got, test.want)
		}
	}
}
