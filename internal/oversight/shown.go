package oversight

import (
	"time"

	"github.com/turnout-events/turnout"
)

// Org is how it goes with one org.
type Org struct {
	ID         turnout.OrgID `json:"id"`
	Name       string        `json:"name"`
	Hosts      []string      `json:"hosts"`
	Connection Connection    `json:"connection"`
	// Oldest is the longest waiting undelivered registration, nil for none.
	Oldest *Waiting `json:"oldest_undelivered"`
	// Parked counts to MostParked; MoreParked says that there are more.
	Parked     int    `json:"parked"`
	MoreParked bool   `json:"more_parked,omitempty"`
	Events     Counts `json:"events"`
	Mirror     Mirror `json:"mirror"`
	// Sessions are those that were seen lately, on all instances; nil where nobody
	// counts them.
	Sessions *int `json:"sessions,omitempty"`
}

// Counts are an org's events.
type Counts struct {
	Published   int `json:"published"`
	Unpublished int `json:"unpublished"`
	// Faulty events are published in Salesforce but cannot be shown.
	Faulty int `json:"faulty"`
}

// Waiting is a time and how long ago it was.
type Waiting struct {
	Since   time.Time `json:"since"`
	Seconds int64     `json:"seconds"`
}

// Age is how long it has been.
func (w Waiting) Age() time.Duration { return time.Duration(w.Seconds) * time.Second }

// Connection is how it goes with writing to an org's Salesforce.
type Connection struct {
	// State is StateUnknown, the empty one, until something was sent.
	State ConnectionState `json:"state"`
	// Failures counts failed calls in a row, Cause says why the last one failed.
	Failures int          `json:"failures"`
	Cause    turnout.Code `json:"cause,omitempty"`
	// Until is when the next call is made, on StatePaused.
	Until time.Time `json:"until,omitzero"`
	// Used and Limit are the API requests of the last 24 hours, 0 before Salesforce told.
	Used  int64 `json:"api_used"`
	Limit int64 `json:"api_limit"`
	// Budget is how many of Limit Turnout may use.
	Budget int64 `json:"api_budget"`
}

// ConnectionState says in a word how it goes.
type ConnectionState string

// The states of a connection.
const (
	StateUnknown   ConnectionState = ""
	StateConnected ConnectionState = "connected"
	StateFailing   ConnectionState = "failing"
	StatePaused    ConnectionState = "paused"
)

// StateOf derives the state from what deliveries tell.
func StateOf(failures int, paused bool) ConnectionState {
	switch {
	case paused:
		return StatePaused
	case failures > 0:
		return StateFailing
	}
	return StateConnected
}

func budget(c Connection, share float64) int64 {
	if share <= 0 {
		share = 0.8
	}
	return int64(share * float64(c.Limit))
}

// Percent is how much of the budget is used, from 0; over 100 when others use
// the org's requests too.
func (c Connection) Percent() int {
	if c.Budget <= 0 {
		return 0
	}
	return int(100 * c.Used / c.Budget)
}

// Mirror is how it goes with reading an org's Salesforce.
type Mirror struct {
	// Success is when it was last read to the end, by any instance: events, links
	// and registrations, of which the one that is furthest behind counts. Zero
	// for never.
	Success time.Time `json:"last_success,omitzero" doc:"When all of it was last read, by any instance."`
	// Reads is when each of them was last read, by name.
	Reads map[string]time.Time `json:"last_reads,omitempty" doc:"When events, links and registrations were last read, by any instance."`
	// Every is the time between two reads.
	Every time.Duration `json:"-"`
	// Cause says why it failed since, empty when it did not.
	Cause turnout.Code `json:"cause,omitempty"`
	// Elsewhere says that another instance has the turn to read: only that one
	// knows Cause.
	Elsewhere bool `json:"elsewhere,omitempty" doc:"Another instance reads; it alone knows why reading fails."`
	// Backfilling says that all links are being read.
	Backfilling bool `json:"backfilling,omitempty"`
	// Links counts the AttendeeLinks that the cache holds, nil when unknown.
	Links *int `json:"links,omitempty"`
	// Reading is how far it is with reading many links, the first time or since they
	// changed; nil where that is not under way.
	Reading *Reading `json:"reading_links,omitempty" doc:"How far reading many links is, by any instance; missing where that is not under way."`
	// Events are those that were read.
	Events map[turnout.EventID]Cached `json:"-"`
}

// Reading is how far it is with reading many links.
type Reading struct {
	// Done of Total were read and are kept; Total is 0 while Salesforce gathers them.
	Done  int `json:"done"`
	Total int `json:"total" doc:"0 while Salesforce still gathers them."`
	// Since is when it began, At when it last got further, zero for never.
	Since time.Time `json:"since"`
	At    time.Time `json:"at,omitzero" doc:"When it last got further."`
	// Rate is links a second, Left how long the rest takes at that; 0 when unknown.
	Rate float64 `json:"per_second" doc:"Since it was last taken up; 0 when unknown."`
	Left int64   `json:"seconds_left" doc:"What the rest takes at that rate; 0 when unknown."`
}

// stalledAfter is well over what a page of a bulk job takes.
const stalledAfter = 2 * time.Minute

// Stalled reports whether it got no further for a while. Salesforce may gather
// for as long as it wants.
func (r *Reading) Stalled(now time.Time) bool {
	return r != nil && r.Total > 0 && now.Sub(r.At) > stalledAfter
}

// Percent is how much of it is done.
func (r *Reading) Percent() int {
	if r == nil || r.Total <= 0 {
		return 0
	}
	return min(100, 100*r.Done/r.Total)
}

// Remaining is how long the rest takes, 0 when unknown.
func (r *Reading) Remaining() time.Duration { return time.Duration(r.Left) * time.Second }

// fewReads is when a mirror counts as behind: three polls of a minute (P5).
const fewReads = 3

// Behind are the names of what was not read for longer than a few polls, never
// included. None means that all is up to date.
func (m Mirror) Behind(now time.Time) []string {
	late := fewReads * max(m.Every, time.Minute)
	var behind []string
	for _, what := range []string{"events", "links", "registrations"} {
		at, ok := m.Reads[what]
		if what == "links" && !ok && m.Backfilling {
			continue // all of them are on their way
		}
		if !ok || now.Sub(at) > late {
			behind = append(behind, what)
		}
	}
	return behind
}

// Cached is an event as the mirror brought it.
type Cached struct {
	// At is when the data was fetched that its pages are made from, zero when unknown.
	At time.Time
	// Faults say why it cannot be shown.
	Faults []turnout.FieldError
}

// Event is how it goes with one event.
type Event struct {
	ID        turnout.EventID `json:"id"`
	Slug      string          `json:"slug,omitempty"`
	Title     string          `json:"title"`
	Published bool            `json:"published"`
	Private   bool            `json:"private,omitempty"`
	Starts    time.Time       `json:"starts,omitzero"`
	Zone      string          `json:"zone,omitempty"`
	Pools     []Pool          `json:"pools"`
	// Fetched is the age of what the pages were made from, nil when unknown.
	Fetched *Waiting             `json:"fetched,omitempty"`
	Faults  []turnout.FieldError `json:"faults,omitempty"`
	// PictureFault says why the event's picture cannot be shown, empty for nothing.
	PictureFault string  `json:"picture_fault,omitempty" doc:"Why its picture cannot be shown. It is tried again within an hour, and when the event changes."`
	Funnel       *Funnel `json:"funnel,omitempty"`
}

// Pool is how the seats of one pool stand.
type Pool struct {
	Pool turnout.Pool `json:"pool"`
	Name string       `json:"name"`
	// Limit is nil where there is none.
	Limit *int `json:"limit"`
	Taken int  `json:"taken"`
	// Outside are people whom the organiser added in Salesforce by hand.
	Outside int `json:"outside"`
	Waiting int `json:"waiting"`
	// Over is how many more seats are taken than there are, through Outside or
	// a limit that was lowered.
	Over int `json:"over,omitempty"`
}

// Percent is how much of the limit is taken, at most 100; 0 without a limit.
// A limit of no seats is taken in full.
func (p Pool) Percent() int {
	switch {
	case p.Limit == nil:
		return 0
	case *p.Limit <= 0:
		return 100
	}
	return min(100, 100*(p.Taken+p.Outside) / *p.Limit)
}

// Funnel counts by how far people came. A nil number is not known.
type Funnel struct {
	// Invited counts personal links.
	Invited *int `json:"invited" doc:"Personal links to the event."`
	// Opened and Started are people by what they did, give or take 2 %, and some seconds
	// late. Scanners of mail open links, too.
	Opened  *int `json:"opened" doc:"Personal links that were opened, by people or by scanners of their mail; about."`
	Started *int `json:"started" doc:"People who sent a form, whether or not it was taken; about."`
	// Registered are registrations that hold a place; guests and those who wait
	// in line are not counted. Of them, Delivered are in Salesforce as they are
	// here, Parked were refused there, and Dismissed stay so; the rest is on the way.
	Registered *int `json:"registered" doc:"Registrations that hold a place, without guests. Those that are neither delivered nor parked nor dismissed are on the way."`
	Delivered  *int `json:"delivered"`
	Parked     *int `json:"parked"`
	// Those who hold no place, but for Dismissed.
	Waitlisted *int `json:"waitlisted" doc:"Registrations that wait in line."`
	Cancelled  *int `json:"cancelled" doc:"Registrations that were cancelled, by whomever."`
	Declined   *int `json:"declined" doc:"Invitations that were answered with not coming."`
	Dismissed  *int `json:"dismissed" doc:"Refused by Salesforce, and somebody decided that nothing is to be done: those that hold a place."`
}

// OnTheWay is how many of the registered are neither in Salesforce nor parked nor dismissed.
func (f Funnel) OnTheWay() int {
	if f.Registered == nil || f.Delivered == nil || f.Parked == nil || f.Dismissed == nil {
		return 0
	}
	return max(0, *f.Registered-*f.Delivered-*f.Parked-*f.Dismissed)
}
