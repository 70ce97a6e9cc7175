package hook

import (
	"slices"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
)

// The types of hint.
const (
	EventPublished   = "event.published"
	EventUpdated     = "event.updated"
	EventUnpublished = "event.unpublished"
	AttendeeChanged  = "attendee.changed"
	PersonForgotten  = "person.forgotten"
)

// MaxIDs is how many records one hook may name: as many as one Apex trigger
// sees at once.
const MaxIDs = 200

// Hint is a hook's body: which records to look at again. It is never believed
// further than that.
type Hint struct {
	Type string   `json:"type"`
	IDs  []string `json:"ids"`
}

// ParseHint reads a body: CodeMalformed, or CodeInvalid with the field. Ids
// are Salesforce record ids or public ids, 1 to 64 of A-Z, a-z, 0-9, "-", "_".
func ParseHint(body []byte) (Hint, error) {
	var h Hint
	if err := endpoint.Decode(body, &h); err != nil {
		return Hint{}, err
	}
	if !slices.Contains([]string{EventPublished, EventUpdated, EventUnpublished, AttendeeChanged, PersonForgotten}, h.Type) {
		return Hint{}, invalid("type", "Send one of event.published, event.updated, event.unpublished, attendee.changed, person.forgotten")
	}
	if len(h.IDs) < 1 || len(h.IDs) > MaxIDs {
		return Hint{}, invalid("ids", "Name 1 to 200 records")
	}
	if !allValid(h.IDs) {
		return Hint{}, invalid("ids", "Name records by their Salesforce id, or by a public id of 1 to 64 letters, digits, hyphens and underscores")
	}
	return h, nil
}

func invalid(field, message string) error {
	return &turnout.Error{Code: turnout.CodeInvalid, Op: "read hook", Fields: []turnout.FieldError{{Field: field, Message: message}}}
}

func allValid(ids []string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool {
		return len(id) < 1 || len(id) > 64 || slices.ContainsFunc([]byte(id), func(c byte) bool {
			return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
		})
	})
}
