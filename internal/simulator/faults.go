package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/records"
)

// Faults is how the org misbehaves, on /services/ only. The zero value is a
// healthy org. Rates are shares of calls, 0 to 1.
type Faults struct {
	LatencyMS     int     `json:"latency_ms"`     // added to every call, while it holds its locks
	OutageSeconds float64 `json:"outage_seconds"` // answers 503 with HTML for so long
	ErrorRate     float64 `json:"error_rate"`     // 500, 502, 503, 406 and 420 instead of an answer
	LoseReplyRate float64 `json:"lose_reply_rate"`
	LockRate      float64 `json:"lock_rate"`     // writes refused with UNABLE_TO_LOCK_ROW
	ExpireTokens  bool    `json:"expire_tokens"` // ends all sessions once, when it is put
	DailyLimit    *int    `json:"daily_limit"`   // API requests in 24 hours; null for the default
	Reject        Rejects `json:"reject"`        // rows refused by the value of a field
}

// Reject refuses rows whose field has a value, as a validation rule would.
type Reject struct {
	Field   string `json:"field"`
	Value   string `json:"value"`
	Code    string `json:"code,omitempty"`    // FIELD_CUSTOM_VALIDATION_EXCEPTION when empty
	Message string `json:"message,omitempty"` // a sentence that names the field when empty
}

// Rejects reads either a list of rejections or a map of field to value.
type Rejects []Reject

// UnmarshalJSON accepts {"Last_Name__c":"value"} beside the list form.
func (r *Rejects) UnmarshalJSON(data []byte) error {
	*r = nil
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		var byField map[string]any
		if err := json.Unmarshal(data, &byField); err != nil {
			return err
		}
		for field, value := range byField {
			values, ok := value.([]any)
			if !ok {
				values = []any{value}
			}
			for _, one := range values {
				*r = append(*r, Reject{Field: field, Value: fmt.Sprint(one)})
			}
		}
		return nil
	}
	var list []Reject
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		return fmt.Errorf("reject is a map of field to value or a list of {field, value, code, message}: %w", err)
	}
	for _, one := range list {
		if one.Field == "" {
			return errors.New("reject: an entry has no field")
		}
	}
	*r = list
	return nil
}

func (f Faults) limit() int {
	if f.DailyLimit != nil {
		return *f.DailyLimit
	}
	return defaultDailyLimit
}

// refuse is the fault of a row that a rejection names; nil for the others.
func (f Faults) refuse(w *records.Write) *records.Fault {
	for _, r := range f.Reject {
		matches := func(field, value string) bool { return strings.EqualFold(field, r.Field) && value == r.Value }
		hit := w.Key != nil && matches(w.Key.Name, w.Value)
		for _, set := range w.Sets {
			hit = hit || set.By == nil && matches(set.Field.Name, set.Value)
		}
		if !hit {
			continue
		}
		fault := &records.Fault{Code: r.Code, Message: r.Message, Fields: []string{r.Field}}
		if fault.Code == "" {
			fault.Code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
		}
		if fault.Message == "" {
			fault.Message = "This value of " + r.Field + " is not allowed here."
		}
		return fault
	}
	return nil
}

// ParseFaults reads and checks the body of PUT /_sim/faults.
func ParseFaults(body []byte) (Faults, error) {
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
	return f, nil
}

// faults holds the present misbehaviour.
type faults struct {
	now   func() time.Time
	mu    sync.Mutex
	set   Faults
	until time.Time // end of the outage
}

func newFaults(now func() time.Time) *faults { return &faults{now: now} }

func (f *faults) put(set Faults) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set = set
	f.until = f.now().Add(time.Duration(set.OutageSeconds * float64(time.Second)))
}

// current is the misbehaviour now, with what is left of an outage.
func (f *faults) current() Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.set
	if out.OutageSeconds > 0 {
		out.OutageSeconds = max(0, f.until.Sub(f.now()).Seconds())
	}
	return out
}
