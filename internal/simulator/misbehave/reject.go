package misbehave

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Reject refuses rows whose field has a value, as a validation rule would.
type Reject struct {
	Field   string `json:"field"`
	Value   string `json:"value"`
	Code    string `json:"code,omitempty"`    // FIELD_CUSTOM_VALIDATION_EXCEPTION when empty
	Message string `json:"message,omitempty"` // a sentence that names the field when empty
}

// Rejects reads one rejection, a list of them, or a map of field to value.
type Rejects []Reject

// UnmarshalJSON tells the forms apart: an object that has a field and nothing
// but the names of a rejection is one, any other object is a map, as in
// {"Last_Name__c":"value"} or {"Last_Name__c":["one","another"]}.
func (r *Rejects) UnmarshalJSON(data []byte) error {
	*r = nil
	data = bytes.TrimSpace(data)
	if !bytes.HasPrefix(data, []byte("{")) {
		var list []Reject
		if err := json.Unmarshal(data, &list); err != nil {
			return fmt.Errorf("reject is a map of field to value, or one or a list of {field, value, code, message}: %w", err)
		}
		*r = list
		return nil
	}
	var byField map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&byField); err != nil {
		return err
	}
	if isReject(byField) {
		var one Reject
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*r = Rejects{one}
		return nil
	}
	for field, value := range byField {
		values, several := value.([]any)
		if !several {
			values = []any{value}
		}
		for _, one := range values {
			text, err := asText(one)
			if err != nil {
				return fmt.Errorf("reject: %s: %w", field, err)
			}
			*r = append(*r, Reject{Field: field, Value: text})
		}
	}
	return nil
}

func isReject(object map[string]any) bool {
	for name := range object {
		switch name {
		case "field", "value", "code", "message":
		default:
			return false
		}
	}
	return object["field"] != nil
}

// UnmarshalJSON accepts a value of any simple kind: fields keep their values
// as text.
func (r *Reject) UnmarshalJSON(data []byte) error {
	var written struct {
		Field   string `json:"field"`
		Value   any    `json:"value"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&written); err != nil {
		return err
	}
	if written.Field == "" {
		return errors.New("reject: an entry has no field")
	}
	text, err := asText(written.Value)
	if err != nil {
		return fmt.Errorf("reject: %s: %w", written.Field, err)
	}
	*r = Reject{Field: written.Field, Value: text, Code: written.Code, Message: written.Message}
	return nil
}

// asText is a simple JSON value as text; null is the empty value.
func asText(value any) (string, error) {
	switch value.(type) {
	case nil:
		return "", nil
	case map[string]any, []any:
		return "", errors.New("a value is text, a number, true, false or null")
	}
	return fmt.Sprint(value), nil
}

// names reports whether the rejection is about this value of a field. It may be
// written in any form that the field takes: 12.0 is 12.
func (r Reject) names(field *schema.Field, value string) bool {
	if !strings.EqualFold(field.Name, r.Field) {
		return false
	}
	canonical, fault := records.Canonical(field, r.Value)
	return fault == nil && canonical == value
}

// Refuse is the fault of a row that a rejection names; nil for the others.
func (f Faults) Refuse(w *records.Write) *records.Fault {
	for _, r := range f.Reject {
		hit := w.Key != nil && r.names(w.Key, w.Value)
		for _, set := range w.Sets {
			hit = hit || set.By == nil && r.names(set.Field, set.Value)
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
