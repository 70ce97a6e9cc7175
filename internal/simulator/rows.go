package simulator

import (
	"net/http"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/describe"
	"github.com/turnout-events/turnout/internal/simulator/query"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// saved is the answer to one row, in the shape of sObject Collections and of a
// single create.
type saved struct {
	ID      *string    `json:"id,omitempty"`
	Success bool       `json:"success"`
	Errors  []rowError `json:"errors"`
	Created *bool      `json:"created,omitempty"`
}

type rowError struct {
	Code    string   `json:"statusCode"`
	Message string   `json:"message"`
	Fields  []string `json:"fields"`
}

func savedRow(r records.Result, upsert bool) saved {
	out := saved{Success: r.OK(), Errors: []rowError{}}
	if r.ID != "" {
		out.ID = &r.ID
	}
	if upsert {
		out.Created = &r.Created
	}
	for _, fault := range r.Faults {
		fields := fault.Fields
		if fields == nil {
			fields = []string{}
		}
		out.Errors = append(out.Errors, rowError{fault.Code, fault.Message, fields})
	}
	return out
}

// sobjects routes /sobjects/…: describe, rows and upserts.
func (c *call) sobjects() reply {
	if len(c.rest) == 1 {
		c.operation = "describe_global"
		return c.describeGlobal()
	}
	object := c.s.store.Schema().Object(c.rest[1])
	if object == nil {
		return notFound()
	}
	switch {
	case len(c.rest) == 2:
		return c.objectRoot(object)
	case len(c.rest) == 3 && c.rest[2] == "describe":
		c.operation = "describe"
		return c.describe(object)
	case len(c.rest) == 3 && (c.rest[2] == "updated" || c.rest[2] == "deleted"):
		if c.method != http.MethodGet {
			return notAllowed(c.method)
		}
		c.operation = c.rest[2]
		return c.changes(object, c.rest[2] == "deleted")
	case len(c.rest) == 3:
		return c.row(object, c.rest[2])
	case len(c.rest) >= 4 && c.rest[2] == "describe":
		return notFound() // describe/layouts and its like: this org has none
	case len(c.rest) == 4:
		return c.rowByKey(object, c.rest[2], c.rest[3])
	}
	return notFound()
}

func (c *call) objectRoot(object *schema.Object) reply {
	switch c.method {
	case http.MethodGet:
		c.operation = "object_info"
		return jsonReply(http.StatusOK, map[string]any{"objectDescribe": c.summary(object), "recentItems": []any{}})
	case http.MethodPost:
		c.operation = "create"
		return c.create(object)
	}
	return notAllowed(c.method)
}

func (c *call) body1(object *schema.Object, skip func(string) bool) (record, []records.Set, *records.Fault) {
	var row record
	if fault := decode(c.body, &row); fault != nil {
		return nil, nil, fault
	}
	list, fault := sets(c.s.store.Schema(), object, row, skip)
	return row, list, fault
}

func (c *call) create(object *schema.Object) reply {
	if object.ReadOnly {
		return notAllowed(c.method)
	}
	row, list, fault := c.body1(object, isID)
	if fault != nil {
		return refusal(fault)
	}
	if id, given := row.id(); given && id != "" {
		return failure(http.StatusBadRequest, "INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", "Id")
	}
	results, broken := c.write([]records.Write{{Op: records.Create, Object: object, Sets: list}}, false)
	if broken != nil {
		return *broken
	}
	c.s.meter.batch(c.operation, 1)
	if !results[0].OK() {
		return refusal(results[0].Faults...)
	}
	return jsonReply(http.StatusCreated, savedRow(results[0], false)).with("Location", c.base+"/sobjects/"+object.Name+"/"+results[0].ID)
}

func isID(name string) bool { return strings.EqualFold(name, "Id") }

// row reads, changes or deletes a record by id.
func (c *call) row(object *schema.Object, id string) reply {
	switch c.method {
	case http.MethodGet, http.MethodHead:
		c.operation = "get"
		c.holder.wait()
		return c.get(object, id)
	case http.MethodPatch:
		c.operation = "update"
		row, list, fault := c.body1(object, isID)
		if fault != nil {
			return refusal(fault)
		}
		if given, there := row.id(); there && given != "" {
			return failure(http.StatusBadRequest, "INVALID_FIELD", "The Id field should not be specified in the sobject data.")
		}
		return c.change(records.Write{Op: records.Update, Object: object, ID: id, Sets: list})
	case http.MethodDelete:
		c.operation = "delete"
		return c.change(records.Write{Op: records.Delete, Object: object, ID: id})
	}
	return notAllowed(c.method)
}

// change does one update or delete and answers 204.
func (c *call) change(w records.Write) reply {
	if w.Object.ReadOnly {
		return notAllowed(c.method)
	}
	results, broken := c.write([]records.Write{w}, false)
	if broken != nil {
		return *broken
	}
	c.s.meter.batch(c.operation, 1)
	if results[0].OK() {
		return reply{status: http.StatusNoContent}
	}
	if results[0].Faults[0].Code == "INVALID_CROSS_REFERENCE_KEY" && len(results[0].Faults[0].Fields) == 0 {
		return notFound()
	}
	return refusal(results[0].Faults...)
}

// get writes a record, or the fields that ?fields= names.
func (c *call) get(object *schema.Object, id string) reply {
	out := notFound()
	c.read(func(v records.View) {
		if !records.WellFormed(id) {
			return
		}
		table := v.Table(object)
		row := table.ByID(id)
		if row == nil {
			return
		}
		if row.Deleted {
			out = refusal(&records.Fault{Code: "ENTITY_IS_DELETED", Message: "entity is deleted"})
			return
		}
		out = c.renderRow(v, table, row)
	})
	return out
}

func (c *call) renderRow(v records.View, table *records.Table, row *records.Row) reply {
	fields := table.Object.Fields
	if names := c.query.Get("fields"); names != "" {
		fields = nil
		for name := range strings.SplitSeq(names, ",") {
			field := table.Object.Field(strings.TrimSpace(name))
			if field == nil {
				return refusal(noColumn(table.Object, name))
			}
			fields = append(fields, field)
		}
	}
	return reply{status: http.StatusOK, body: appendRecord(nil, v, table, row, fields, c.base)}
}

// appendRecord writes a record with its attributes and these fields.
func appendRecord(b []byte, v records.View, table *records.Table, row *records.Row, fields []*schema.Field, base string) []byte {
	b = query.AppendAttributes(append(b, `{"attributes":`...), table, row, base)
	for _, field := range fields {
		b = append(b, `,"`...)
		b = append(append(b, field.Name...), `":`...)
		b = query.AppendValue(b, field, v.Value(table, row, field))
	}
	return append(b, '}')
}

// likeFile reports whether a key ends like the name of a file, as a@b.inc does.
// Salesforce takes such an end of an address for a format that it does not have,
// and answers 404 whatever there is (SALESFORCE.md, section 1.3).
func likeFile(value string) bool {
	dot := strings.LastIndexByte(value, '.')
	end := value[dot+1:]
	return dot >= 0 && len(end) >= 2 && len(end) <= 4 &&
		!strings.ContainsFunc(end, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
}

// rowByKey reads, upserts or deletes by an external id.
func (c *call) rowByKey(object *schema.Object, name, value string) reply {
	key := object.Field(name)
	if key == nil || !key.Key() {
		return failure(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+name)
	}
	text, fault := records.Canonical(key, value)
	if fault != nil || likeFile(value) {
		return notFound()
	}
	if c.method == http.MethodPatch {
		c.operation = "upsert"
		return c.upsert(object, key, text)
	}
	var found []string
	c.read(func(v records.View) {
		table := v.Table(object)
		for _, pos := range table.Find(key, text) {
			found = append(found, table.ID(table.At(pos)))
		}
	})
	switch {
	case len(found) == 0:
		return notFound()
	case len(found) > 1:
		return c.multiple(object, found)
	}
	return c.row(object, found[0])
}

// multiple answers 300 with the addresses of all matches.
func (c *call) multiple(object *schema.Object, ids []string) reply {
	urls := make([]string, len(ids))
	for i, id := range ids {
		urls[i] = c.base + "/sobjects/" + object.Name + "/" + id
	}
	return jsonReply(http.StatusMultipleChoices, urls)
}

// upsertSince46 is the version from which an upsert says what it did.
const upsertSince46 = 46

func (c *call) upsert(object *schema.Object, key *schema.Field, value string) reply {
	if object.ReadOnly {
		return notAllowed(c.method)
	}
	row, list, fault := c.body1(object, isID)
	if fault != nil {
		return refusal(fault)
	}
	for name := range row {
		if strings.EqualFold(name, key.Name) {
			return failure(http.StatusBadRequest, "INVALID_FIELD", "The "+key.Name+" field should not be specified in the sobject data.")
		}
	}
	results, broken := c.write([]records.Write{{Op: records.Upsert, Object: object, Key: key, Value: value, Sets: list,
		UpdateOnly: c.query.Get("updateOnly") == "true"}}, false)
	if broken != nil {
		return *broken
	}
	c.s.meter.batch(c.operation, 1)
	result := results[0]
	switch {
	case len(result.Matches) > 0:
		return c.multiple(object, result.Matches)
	case !result.OK():
		return refusal(result.Faults...)
	case result.Created:
		return jsonReply(http.StatusCreated, savedRow(result, c.version >= upsertSince46)).with("Location", c.base+"/sobjects/"+object.Name+"/"+result.ID)
	case c.version < upsertSince46:
		return reply{status: http.StatusNoContent}
	}
	return jsonReply(http.StatusOK, savedRow(result, true))
}

func (c *call) describeGlobal() reply {
	list := []describe.Summary{}
	for _, object := range c.s.store.Schema().Objects() {
		list = append(list, c.summary(object))
	}
	return jsonReply(http.StatusOK, map[string]any{"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": list})
}

func (c *call) summary(object *schema.Object) describe.Summary {
	return describe.Summarize(object, c.base)
}

func (c *call) describe(object *schema.Object) reply {
	return jsonReply(http.StatusOK, describe.Describe(object, c.base))
}

// maxSpan is the longest span that updated and deleted answer for.
const maxSpan = 30 * 24 * time.Hour

// wireTime is how replies write moments, in UTC.
const wireTime = "2006-01-02T15:04:05.000+0000"

// changes lists what was written, or deleted, from ?start= until before ?end=.
// Shapes and codes are [from the docs].
func (c *call) changes(object *schema.Object, deleted bool) reply {
	start, ok := moment(c.query.Get("start"))
	end, also := moment(c.query.Get("end"))
	switch {
	case !ok || !also:
		return failure(http.StatusBadRequest, "MALFORMED_QUERY", "start and end must be given as ISO 8601 date-times, like 2026-05-01T10:00:00Z")
	case !start.Before(end):
		return failure(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate cannot be same as or after endDate")
	case start.Before(c.s.now().Add(-maxSpan)):
		return failure(http.StatusBadRequest, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
	}
	type gone struct {
		ID string `json:"id"`
		At string `json:"deletedDate"`
	}
	ids, removed := []string{}, []gone{}
	c.holder.wait()
	c.read(func(v records.View) {
		table := v.Table(object)
		table.Since(start.UnixMilli(), func(row *records.Row) bool {
			if row.Stamp >= end.UnixMilli() {
				return false
			}
			if row.Deleted {
				removed = append(removed, gone{table.ID(row), time.UnixMilli(row.Stamp).UTC().Format(wireTime)})
			} else {
				ids = append(ids, table.ID(row))
			}
			return true
		})
	})
	covered := end
	if now := c.s.now(); now.Before(end) {
		covered = now
	}
	out := map[string]any{"latestDateCovered": covered.UTC().Format(wireTime)}
	if deleted {
		out["deletedRecords"], out["earliestDateAvailable"] = removed, c.s.now().Add(-maxSpan).UTC().Format(wireTime)
	} else {
		out["ids"] = ids
	}
	return jsonReply(http.StatusOK, out)
}

// moment reads a date-time of a query string, where a plus sign that was not
// escaped has become a space.
func moment(text string) (time.Time, bool) {
	return records.ParseTime(strings.ReplaceAll(text, " ", "+"))
}
