// Package misbehave says how a simulated org misbehaves on request: latency,
// outages, errors, lost replies, row locks, a small daily limit and rows that
// are refused. The faults are read from JSON; what each does is up to the API.
package misbehave

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// DefaultDailyLimit is an Enterprise org with 15 licences.
const DefaultDailyLimit = 115_000

// Faults is how the org misbehaves, on /services/ only. The zero value is a
// healthy org. Rates are shares of calls, 0 to 1.
type Faults struct {
	LatencyMS     int     `json:"latency_ms"`     // added to every call, while it holds its locks
	OutageSeconds float64 `json:"outage_seconds"` // answers 503 with HTML for so long
	ErrorRate     float64 `json:"error_rate"`     // 500, 502, 503, 406 and 420 instead of an answer
	LoseReplyRate float64 `json:"lose_reply_rate"`
	LockRate      float64 `json:"lock_rate"`     // writes refused with UNABLE_TO_LOCK_ROW
	ExpireTokens  Switch  `json:"expire_tokens"` // ends all sessions once, when it is put
	DailyLimit    *int    `json:"daily_limit"`   // API requests in 24 hours; null for the default
	Reject        Rejects `json:"reject"`        // rows refused by the value of a field
}

// Switch is a yes or no that may also be written as a number: zero is no.
type Switch bool

// UnmarshalJSON accepts true, false, null and numbers.
func (s *Switch) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	switch value := value.(type) {
	case bool:
		*s = Switch(value)
	case float64:
		*s = value != 0
	case nil:
	default:
		return errors.New("it is true, false or a number")
	}
	return nil
}

// Limit is how many API requests the org allows in 24 hours.
func (f Faults) Limit() int {
	if f.DailyLimit != nil {
		return *f.DailyLimit
	}
	return DefaultDailyLimit
}

// Parse reads and checks the faults. A rejection must name a field that some
// object of the schema has: a misspelt one would never refuse anything.
func Parse(body []byte, known *schema.Schema) (Faults, error) {
	var f Faults
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return f, fmt.Errorf("send a JSON object with some of latency_ms, outage_seconds, error_rate, lose_reply_rate, lock_rate, "+
			"expire_tokens, daily_limit, reject: %w", err)
	}
	if decoder.More() {
		return f, errors.New("send one JSON object and nothing after it")
	}
	for name, rate := range map[string]float64{"error_rate": f.ErrorRate, "lose_reply_rate": f.LoseReplyRate, "lock_rate": f.LockRate} {
		if rate < 0 || rate > 1 {
			return f, fmt.Errorf("%s must be between 0 and 1", name)
		}
	}
	if f.LatencyMS < 0 || f.LatencyMS > 600_000 {
		return f, errors.New("latency_ms must be between 0 and 600000")
	}
	if f.OutageSeconds < 0 || f.OutageSeconds > 1e6 {
		return f, errors.New("outage_seconds must be between 0 and 1000000")
	}
	if f.DailyLimit != nil && *f.DailyLimit < 0 {
		return f, errors.New("daily_limit must not be negative")
	}
	for _, r := range f.Reject {
		if !known.HasField(r.Field) {
			return f, fmt.Errorf("reject: no object of this org has a field %q", r.Field)
		}
	}
	return f, nil
}

// Present holds the misbehaviour of now. Its methods are safe for concurrent use.
type Present struct {
	now   func() time.Time
	mu    sync.Mutex
	set   Faults
	until time.Time // end of the outage
}

// New makes a healthy org's.
func New(now func() time.Time) *Present { return &Present{now: now} }

// Put replaces the faults; an outage begins now.
func (f *Present) Put(set Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set = set
	f.until = f.now().Add(time.Duration(set.OutageSeconds * float64(time.Second)))
}

// Current is the misbehaviour now, with what is left of an outage.
func (f *Present) Current() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.set
	if out.OutageSeconds > 0 {
		out.OutageSeconds = max(0, f.until.Sub(f.now()).Seconds())
	}
	return out
}
