package salesforce

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Record is one row as Salesforce sent it: field names to strings,
// json.Numbers, booleans, nil, and nested objects. Rows from a bulk query hold
// strings and nil only; the accessors read both alike.
type Record map[string]any

// decode keeps numbers as they were written.
func decode(data []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(out)
}

// value finds a field, "Event__r.Name" for one of a parent. Names are
// compared exactly first and without case after that.
func (r Record) value(field string) any {
	v, _ := r.find(field)
	return v
}

// Has reports whether the record has a field, null or not.
func (r Record) Has(field string) bool {
	_, ok := r.find(field)
	return ok
}

func (r Record) find(field string) (any, bool) {
	if v, ok := r[field]; ok {
		return v, true
	}
	if parent, rest, found := strings.Cut(field, "."); found {
		nested, ok := r.value(parent).(map[string]any)
		if !ok {
			return nil, false
		}
		return Record(nested).find(rest)
	}
	for name, v := range r {
		if strings.EqualFold(name, field) {
			return v, true
		}
	}
	return nil, false
}

// Text is a field as a string; "" if it is null or absent. Numbers and
// booleans are written out.
func (r Record) Text(field string) string {
	switch v := r.value(field).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// True is a checkbox.
func (r Record) True(field string) bool { return r.Text(field) == "true" }

// Number is a numeric field; false if it is null or no number.
func (r Record) Number(field string) (float64, bool) {
	n, err := strconv.ParseFloat(r.Text(field), 64)
	return n, err == nil
}

// Int is a numeric field cut to a whole number of at most 2^31-1; false if it
// is null or no number. Salesforce writes whole numbers as 12.0.
func (r Record) Int(field string) (int, bool) {
	n, ok := r.Number(field)
	if !ok || n > 1<<31-1 || n < -1<<31 || n != n {
		return 0, false
	}
	return int(n), true
}

// Time is a date and time field in UTC; false if it is null or unreadable.
func (r Record) Time(field string) (time.Time, bool) { return ParseTime(r.Text(field)) }

// ParseTime reads a date and time as replies (+0000) and bulk results (Z) write it.
func ParseTime(s string) (time.Time, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.000-0700", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// ID is a field that holds a record id, in 18 characters; "" if it has none.
func (r Record) ID(field string) string { return ID(r.Text(field)) }

// children is the first page of a subquery's rows.
func (r Record) children(relationship string) Page {
	nested, _ := r.value(relationship).(map[string]any)
	if nested == nil {
		return Page{Done: true}
	}
	page := Page{Done: true, Next: Record(nested).Text("nextRecordsUrl")}
	if page.Next != "" {
		page.Done = false
	}
	rows, _ := nested["records"].([]any)
	for _, row := range rows {
		if fields, ok := row.(map[string]any); ok {
			page.Records = append(page.Records, Record(fields))
		}
	}
	return page
}
