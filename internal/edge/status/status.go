// Package status is what operators see of an edge and press: GET /edge/status as JSON
// and as a page, metrics, and the buttons. It shows what an Edge says and decides
// nothing. There is nothing of any visitor in it (P8), and no page of another site
// can press a button.
package status

import (
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/pool"
)

// Status is what the edge is doing, for GET /edge/status. Times are UTC,
// durations in seconds.
type Status struct {
	// Since is when the table came into force; Former says that there is one to
	// go back to.
	Since  time.Time `json:"since"`
	Former bool      `json:"former"`
	Pools  []Pool    `json:"pools"`
	Orgs   []Org     `json:"orgs"`
	// Rooms are the waiting rooms that there are now.
	Rooms []Room `json:"rooms"`
	// Dropped are lines of the access log that could not be written, Throttled
	// requests beyond one client address's rate. They are shown as metrics alone.
	Dropped   int64 `json:"-"`
	Throttled int64 `json:"-"`
}

// Pool is a pool's.
type Pool struct {
	Stack     string     `json:"stack"`
	Region    string     `json:"region"`
	Panic     bool       `json:"panic"`
	Upstreams []Upstream `json:"upstreams"`
}

// Upstream is an upstream's.
type Upstream struct {
	Name      string         `json:"name"`
	Condition pool.Condition `json:"condition"`
	// DrainsUntil is when a draining one loses its sessions.
	DrainsUntil *time.Time `json:"drains_until,omitempty"`
	// Weight is its part of new sessions beside others', under 1 while it starts slowly.
	Weight   float64 `json:"weight"`
	InFlight int     `json:"in_flight"`
	Places   int     `json:"places"`
	Latency  float64 `json:"latency_seconds"`
	Requests int64   `json:"requests"`
	Failures int64   `json:"failures"`
	// Sessions are those that began here or moved here since the edge started.
	Sessions int64 `json:"sessions"`
}

// Org is an org's.
type Org struct {
	Org     turnout.OrgID `json:"org"`
	Hosts   []string      `json:"hosts"`
	Stack   string        `json:"stack"`
	Leaving string        `json:"leaving,omitempty"`
	Regions []string      `json:"regions"`
	// Active sessions were seen within five minutes, here.
	Active int `json:"sessions_active"`
	// PerSecond and Burst are its allowance, null where there is no limit.
	PerSecond *float64 `json:"per_second"`
	Burst     *int     `json:"burst"`
	Share     float64  `json:"share"`
	InFlight  int      `json:"in_flight"`
	Waiting   int64    `json:"waiting"` // requests, for one of the org's places
	Requests  int64    `json:"requests"`
	Refused   int64    `json:"refused"`
	Lost      int64    `json:"lost"`
	Began     int64    `json:"sessions_began"`
	Moved     int64    `json:"sessions_moved"`
}

// Room is a waiting room's.
type Room struct {
	Name string `json:"name"`
	// Waiting is over all edges, the rest is this one's view.
	Waiting int `json:"waiting"`
	Inside  int `json:"inside"`
	Holds   int `json:"holds"`
	// PerMinute is people let in from the line, Longest the wait of the first in
	// it in seconds, NoShow the part of those called who do not come.
	PerMinute float64 `json:"per_minute"`
	Longest   float64 `json:"longest_seconds"`
	NoShow    float64 `json:"no_show"`
	// Refused are places that were not given, since their client had many.
	Refused int64 `json:"refused"`
}
