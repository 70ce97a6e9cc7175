package records

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// assign lays a write's sets over a row's values.
func (tx *Tx) assign(table *Table, values []string, w *Write, creating bool) []*Fault {
	var refused []string
	for _, set := range w.Sets {
		field := set.Field
		if field.Index < 0 || field.CopyOf != "" || !w.Trusted && !writable(field, creating) {
			if creating || field.Index < 0 || !unchanged(values, set) {
				refused = append(refused, field.Name)
			}
			continue
		}
		value := set.Value
		if set.By != nil {
			id, fault := tx.parentBy(set)
			if fault != nil {
				return []*Fault{fault}
			}
			value = id
		}
		if value == "" && field.Type == schema.Boolean {
			value = "false"
		}
		if field.Type == schema.Reference {
			value = Long(value)
		}
		values[field.Index] = table.share(field, value)
	}
	if refused != nil {
		return []*Fault{{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Fields: refused, Message: fmt.Sprintf(
			"Unable to create/update fields: %s. Please check the security settings of this field and verify that it is read/write for your profile or permission set.",
			strings.Join(refused, ", "))}}
	}
	derive(table.Object, values)
	return nil
}

func writable(field *schema.Field, creating bool) bool {
	if creating {
		return field.Createable()
	}
	return field.Updateable()
}

// unchanged lets an update repeat the value of a create-only field.
func unchanged(values []string, set Set) bool {
	return set.By == nil && set.Field.CreateOnly && set.Field.Index >= 0 && values[set.Field.Index] == set.Value
}

// parentBy finds the parent that a set names by the parent's own key.
func (v View) parentBy(set Set) (string, *Fault) {
	table := v.Table(set.Parent)
	found := table.Find(set.By, set.Value)
	switch {
	case set.Value == "":
		return "", nil
	case len(found) == 0:
		return "", &Fault{Code: "INVALID_FIELD", Message: fmt.Sprintf(
			"Foreign key external ID: %s not found for field %s in entity %s", strings.ToLower(set.Value), set.By.Name, set.Parent.Name)}
	case len(found) > 1:
		return "", &Fault{Code: "DUPLICATE_EXTERNAL_ID", Fields: []string{set.By.Name}, Message: fmt.Sprintf(
			"Foreign key external ID: %s matches more than one record of %s", set.Value, set.Parent.Name)}
	}
	return table.ID(table.At(found[0])), nil
}

// derive fills the full name of people.
func derive(object *schema.Object, values []string) {
	name, first, last := object.Field("Name"), object.Field("FirstName"), object.Field("LastName")
	if name == nil || first == nil || last == nil || !name.ReadOnly || first.CopyOf != "" {
		return
	}
	values[name.Index] = strings.TrimSpace(values[first.Index] + " " + values[last.Index])
}

// check holds a row's new values against the schema; old is nil for creates.
func (tx *Tx) check(table *Table, old *Row, values []string) []*Fault {
	if faults := tx.campaignRules(table, old, values); faults != nil {
		return faults
	}
	var missing []string
	for _, field := range table.Object.Fields {
		if field.Index >= 0 && field.Required && values[field.Index] == "" {
			missing = append(missing, field.Name)
		}
	}
	if missing != nil {
		return []*Fault{{Code: "REQUIRED_FIELD_MISSING", Fields: missing,
			Message: "Required fields are missing: [" + strings.Join(missing, ", ") + "]"}}
	}
	var faults []*Fault
	for _, field := range table.Object.Fields {
		if field.Index < 0 || values[field.Index] == "" || old != nil && old.Values[field.Index] == values[field.Index] {
			continue
		}
		if fault := tx.checkValue(field, values[field.Index]); fault != nil {
			faults = append(faults, fault)
		}
	}
	if faults != nil {
		return faults
	}
	return tx.checkUnique(table, old, values)
}

func (tx *Tx) checkUnique(table *Table, old *Row, values []string) []*Fault {
	for _, field := range table.Object.Fields {
		if !field.Unique || field.Index < 0 || values[field.Index] == "" {
			continue
		}
		found := table.Find(field, values[field.Index])
		if len(found) == 0 || old != nil && found[0] == old.Pos {
			continue
		}
		return []*Fault{{Code: "DUPLICATE_VALUE", Fields: []string{field.Name}, Message: fmt.Sprintf(
			"duplicate value found: %s duplicates value on record with id: %s", field.Name, table.ID(table.At(found[0]))[:15])}}
	}
	return nil
}

// checkValue holds one value that is not null against its field.
func (tx *Tx) checkValue(field *schema.Field, value string) *Fault {
	refuse := func(code, format string, args ...any) *Fault {
		return &Fault{Code: code, Message: field.Label + ": " + fmt.Sprintf(format, args...), Fields: []string{field.Name}}
	}
	switch field.Type {
	case schema.Boolean, schema.Date, schema.DateTime:
		return nil
	case schema.Int, schema.Double:
		if tooWide(field, value) {
			return refuse("NUMBER_OUTSIDE_VALID_RANGE", "value outside of valid range on numeric field: %s", value)
		}
		return nil
	case schema.Reference:
		return tx.checkReference(field, value)
	case schema.Picklist:
		if field.Restricted && !among(field.Values, value) {
			return refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field: %s", value)
		}
	case schema.Multi:
		for part := range strings.SplitSeq(value, ";") {
			if field.Restricted && !among(field.Values, part) {
				return refuse("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field: %s", part)
			}
		}
	}
	if utf8.RuneCountInString(value) > field.Length {
		return refuse("STRING_TOO_LONG", "data value too large: %s (max length=%d)", value, field.Length)
	}
	if field.Type == schema.Email && !emailLike(value) {
		return refuse("INVALID_EMAIL_ADDRESS", "invalid email address: %s", value)
	}
	return nil
}

func (v View) checkReference(field *schema.Field, id string) *Fault {
	fields := []string{field.Name}
	if !WellFormed(id) {
		return &Fault{Code: "MALFORMED_ID", Message: field.Label + ": id value of incorrect type: " + id, Fields: fields}
	}
	fits := false
	for _, target := range field.ReferenceTo {
		if object := v.s.schema.Object(target); object != nil && object.Prefix == id[:3] {
			fits = true
		}
	}
	if !fits {
		return &Fault{Code: "FIELD_INTEGRITY_EXCEPTION", Message: field.Label + ": id value of incorrect type: " + id, Fields: fields}
	}
	_, row := v.ByID(id)
	if row == nil {
		return &Fault{Code: "INVALID_CROSS_REFERENCE_KEY", Message: "invalid cross reference id", Fields: fields}
	}
	if row.Deleted {
		return &Fault{Code: "ENTITY_IS_DELETED", Message: "entity is deleted", Fields: fields}
	}
	return nil
}

func among(values []string, value string) bool {
	for _, v := range values {
		if strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

// tooWide reports whether a canonical number has more whole digits than the
// field's precision leaves before the point.
func tooWide(field *schema.Field, value string) bool {
	whole, _, _ := strings.Cut(strings.TrimPrefix(value, "-"), ".")
	return len(whole) > field.Precision-field.Scale
}

// emailLike is about as strict as Salesforce: one @, a dotted domain, no
// spaces, nothing outside ASCII in the domain.
func emailLike(value string) bool {
	local, domain, ok := strings.Cut(value, "@")
	if !ok || local == "" || len(local) > 64 || strings.ContainsAny(value, " \t\r\n,;:<>()[]\"\\") || strings.Contains(domain, "@") {
		return false
	}
	if strings.HasPrefix(local, ".") || strings.HasSuffix(local, ".") || strings.Contains(value, "..") {
		return false
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 || len(labels[len(labels)-1]) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
	}
	return strings.IndexFunc(domain, func(r rune) bool { return r > 127 || r == '_' }) < 0
}

// autoNumber fills a format such as R-{00000}.
func autoNumber(format string, n int) string {
	open, rest, ok := strings.Cut(format, "{")
	zeros, tail, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return format + strconv.Itoa(n)
	}
	return fmt.Sprintf("%s%0*d%s", open, len(zeros), n, tail)
}
