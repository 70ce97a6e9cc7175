package records

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Fault is a refusal in Salesforce's words.
type Fault struct {
	Code    string // one of Salesforce's error codes, such as STRING_TOO_LONG
	Message string
	Fields  []string
}

func (f *Fault) Error() string { return f.Code + ": " + f.Message }

// Canonical brings a JSON value (nil, bool, string, json.Number) to the
// canonical text of a field's type. A value of the wrong kind is the fault of
// the whole call, as it is for Salesforce.
func Canonical(field *schema.Field, value any) (string, *Fault) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case bool:
		if field.Type == schema.Boolean {
			return boolText(v), nil
		}
		if !textual(field) {
			return "", mismatch(field, "VALUE_"+strings.ToUpper(boolText(v)), boolText(v))
		}
		return boolText(v), nil
	case json.Number:
		switch {
		case field.Type == schema.Double || field.Type == schema.Int:
			return canonicalNumber(field, v.String(), "VALUE_NUMBER")
		case textual(field):
			return v.String(), nil
		}
		return "", mismatch(field, "VALUE_NUMBER", v.String())
	case string:
		return canonicalText(field, v)
	}
	return "", mismatch(field, "START_OBJECT", "")
}

func textual(field *schema.Field) bool {
	switch field.Type {
	case schema.Boolean, schema.Double, schema.Int, schema.Date, schema.DateTime:
		return false
	}
	return true
}

func canonicalText(field *schema.Field, v string) (string, *Fault) {
	switch field.Type {
	case schema.Boolean:
		switch strings.ToLower(v) {
		case "true", "1":
			return "true", nil
		case "false", "0", "":
			return "false", nil
		}
		return "", mismatch(field, "VALUE_STRING", v)
	case schema.Double, schema.Int:
		return canonicalNumber(field, v, "VALUE_STRING")
	case schema.Date:
		return canonicalDate(field, v)
	case schema.DateTime:
		return canonicalDateTime(field, v)
	}
	// Leading and trailing white space goes, as on every text field.
	return strings.TrimSpace(v), nil
}

func canonicalNumber(field *schema.Field, v, token string) (string, *Fault) {
	v = strings.TrimSpace(v)
	if v == "" {
		return "", nil
	}
	number, err := strconv.ParseFloat(v, 64)
	if err != nil || number != number || number > 1e300 || number < -1e300 {
		return "", mismatch(field, token, v)
	}
	text := strconv.FormatFloat(number, 'f', field.Scale, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		text = "0"
	}
	return text, nil
}

func canonicalDate(field *schema.Field, v string) (string, *Fault) {
	if v == "" {
		return "", nil
	}
	if at, ok := ParseTime(v); ok {
		return at.Format("2006-01-02"), nil
	}
	return "", mismatch(field, "VALUE_STRING", v)
}

func canonicalDateTime(field *schema.Field, v string) (string, *Fault) {
	if v == "" {
		return "", nil
	}
	at, ok := ParseTime(v)
	if !ok {
		return "", mismatch(field, "VALUE_STRING", v)
	}
	return FormatTime(at.UnixMilli()), nil
}

// ParseTime reads the date-time forms that Salesforce accepts: ISO 8601 with
// Z, +hh:mm or +hhmm, fractions optional, and a bare date as midnight UTC.
func ParseTime(v string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if at, err := time.Parse(layout, v); err == nil {
			if year := at.UTC().Year(); year < 1700 || year > 4000 {
				return time.Time{}, false // the range of Salesforce's own dates
			}
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

func mismatch(field *schema.Field, token, value string) *Fault {
	kind := string(field.Type)
	message := fmt.Sprintf("Cannot deserialize instance of %s from %s value %s or request may be missing a required field", kind, token, value)
	return &Fault{Code: "JSON_PARSER_ERROR", Message: message}
}
