package simulator

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Limits of sObject Collections, from the REST API guide.
const (
	maxCollection = 200
	maxRead       = 2000
	maxChunks     = 10 // runs of one object in a mixed call
)

// composites routes /composite/…
func (c *call) composites() reply {
	switch {
	case len(c.rest) == 1:
		if c.method != http.MethodPost {
			return notAllowed(c.method)
		}
		c.operation = "composite"
		return c.composite()
	case c.rest[1] == "batch" && len(c.rest) == 2:
		if c.method != http.MethodPost {
			return notAllowed(c.method)
		}
		c.operation = "batch"
		return c.batch()
	case c.rest[1] == "tree" && len(c.rest) == 3:
		if c.method != http.MethodPost {
			return notAllowed(c.method)
		}
		c.operation = "tree"
		return c.tree(c.rest[2])
	case c.rest[1] != "sobjects":
		return notFound()
	case len(c.rest) == 2:
		return c.collection()
	case len(c.rest) == 3:
		return c.readCollection(c.rest[2])
	case len(c.rest) == 4 && c.method == http.MethodPatch:
		c.operation = "collections_upsert"
		return c.upsertCollection(c.rest[2], c.rest[3])
	}
	return notFound()
}

func (c *call) collection() reply {
	switch c.method {
	case http.MethodPost:
		c.operation = "collections_create"
		return c.saveCollection(records.Create)
	case http.MethodPatch:
		c.operation = "collections_update"
		return c.saveCollection(records.Update)
	case http.MethodDelete:
		c.operation = "collections_delete"
		return c.deleteCollection()
	}
	return notAllowed(c.method)
}

type collectionBody struct {
	AllOrNone bool     `json:"allOrNone"`
	Records   []record `json:"records"`
}

func (c *call) collectionBody() (collectionBody, *reply) {
	var body collectionBody
	if fault := decode(c.body, &body); fault != nil {
		out := refusal(fault)
		return body, &out
	}
	if len(body.Records) > maxCollection {
		out := failure(http.StatusBadRequest, "EXCEEDED_ID_LIMIT", fmt.Sprintf("record limit reached. cannot submit more than %d records into this call", maxCollection))
		return body, &out
	}
	return body, nil
}

// objectOf finds the object of a row by its attributes.
func (c *call) objectOf(row record) (*schema.Object, *records.Fault) {
	kind := row.kind()
	if kind == "" {
		return nil, &records.Fault{Code: "INVALID_INPUT", Message: "attributes.type is required in each record"}
	}
	object := c.s.store.Schema().Object(kind)
	if object == nil || object.ReadOnly {
		return nil, &records.Fault{Code: "INVALID_TYPE", Message: "sObject type '" + kind + "' is not supported."}
	}
	return object, nil
}

func (c *call) saveCollection(op records.Op) reply {
	body, refused := c.collectionBody()
	if refused != nil {
		return *refused
	}
	writes := make([]records.Write, len(body.Records))
	chunks := 0
	for i, row := range body.Records {
		object, fault := c.objectOf(row)
		if fault != nil {
			return refusal(fault)
		}
		if i == 0 || writes[i-1].Object != object {
			chunks++
		}
		list, fault := sets(c.s.store.Schema(), object, row, isID)
		if fault != nil {
			return refusal(fault)
		}
		id, _ := row.id()
		writes[i] = records.Write{Op: op, Object: object, ID: id, Sets: list}
		switch {
		case op == records.Update && id == "":
			writes[i].Fault = &records.Fault{Code: "MISSING_ARGUMENT", Message: "Id not specified in an update call"}
		case op == records.Create && id != "":
			writes[i].Fault = &records.Fault{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Message: "cannot specify Id in an insert call", Fields: []string{"Id"}}
		}
	}
	if chunks > maxChunks {
		return failure(http.StatusBadRequest, "INVALID_INPUT", fmt.Sprintf(
			"The request cannot process more than %d chunks of different types. Sort the records by type.", maxChunks))
	}
	return c.saveAll(writes, body.AllOrNone, false)
}

func (c *call) saveAll(writes []records.Write, allOrNone, upsert bool) reply {
	results, broken := c.write(writes, allOrNone)
	if broken != nil {
		return *broken
	}
	c.s.meter.batch(c.operation, len(writes))
	out := make([]saved, len(results))
	for i, result := range results {
		out[i] = savedRow(result, upsert)
	}
	return jsonReply(http.StatusOK, out)
}

func (c *call) upsertCollection(kind, keyName string) reply {
	if c.version < upsertSince46 {
		return notFound()
	}
	object := c.s.store.Schema().Object(kind)
	if object == nil || object.ReadOnly {
		return notFound()
	}
	key := object.Field(keyName)
	if key == nil || !key.Key() {
		return failure(http.StatusNotFound, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: "+keyName)
	}
	body, refused := c.collectionBody()
	if refused != nil {
		return *refused
	}
	writes := make([]records.Write, len(body.Records))
	for i, row := range body.Records {
		of, fault := c.objectOf(row)
		if fault == nil && of != object {
			fault = &records.Fault{Code: "INVALID_INPUT", Message: "All records must be of type " + object.Name}
		}
		if fault != nil {
			return refusal(fault)
		}
		if writes[i], fault = c.upsertWrite(object, key, row); fault != nil {
			return refusal(fault)
		}
	}
	return c.saveAll(writes, body.AllOrNone, true)
}

// upsertWrite takes the key out of the row. A key in the row's Id beside
// another one is refused, as by Salesforce.
func (c *call) upsertWrite(object *schema.Object, key *schema.Field, row record) (records.Write, *records.Fault) {
	w := records.Write{Op: records.Upsert, Object: object, Key: key}
	for name, value := range row {
		if strings.EqualFold(name, key.Name) {
			text, fault := records.Canonical(key, value)
			if fault != nil {
				return w, fault
			}
			w.Value = text
		}
	}
	list, fault := sets(c.s.store.Schema(), object, row, func(name string) bool { return isID(name) || strings.EqualFold(name, key.Name) })
	if fault != nil {
		return w, fault
	}
	w.Sets = list
	if id, _ := row.id(); id != "" && key.Index != schema.AtID {
		w.Fault = &records.Fault{Code: "INVALID_FIELD", Message: "cannot specify both an external ID reference " + key.Name + " and a salesforce id, " + id}
	}
	return w, nil
}

func (c *call) deleteCollection() reply {
	ids := strings.FieldsFunc(c.query.Get("ids"), func(r rune) bool { return r == ',' })
	if len(ids) == 0 {
		return failure(http.StatusBadRequest, "MISSING_ARGUMENT", "The ids parameter is required")
	}
	if len(ids) > maxCollection {
		return failure(http.StatusBadRequest, "EXCEEDED_ID_LIMIT", fmt.Sprintf("record limit reached. cannot submit more than %d records into this call", maxCollection))
	}
	writes := make([]records.Write, len(ids))
	for i, id := range ids {
		id = strings.TrimSpace(id)
		w := records.Write{Op: records.Delete, ID: id, Object: c.s.store.Schema().Object("Account")}
		var object *schema.Object
		if records.WellFormed(id) {
			object = c.s.store.Schema().ByPrefix(id[:3])
		}
		if object == nil || object.ReadOnly {
			w.Fault = &records.Fault{Code: "MALFORMED_ID", Message: "malformed id " + id}
		} else {
			w.Object = object
		}
		writes[i] = w
	}
	return c.saveAll(writes, c.query.Get("allOrNone") == "true", false)
}

// readCollection answers the records of many ids, null where there is none.
func (c *call) readCollection(kind string) reply {
	c.operation = "collections_read"
	object := c.s.store.Schema().Object(kind)
	if object == nil {
		return notFound()
	}
	var ask struct {
		IDs    []string `json:"ids"`
		Fields []string `json:"fields"`
	}
	switch c.method {
	case http.MethodGet:
		ask.IDs = strings.Split(c.query.Get("ids"), ",")
		ask.Fields = strings.Split(c.query.Get("fields"), ",")
	case http.MethodPost:
		if fault := decode(c.body, &ask); fault != nil {
			return refusal(fault)
		}
	default:
		return notAllowed(c.method)
	}
	if len(ask.IDs) > maxRead {
		return failure(http.StatusBadRequest, "EXCEEDED_ID_LIMIT", fmt.Sprintf("cannot read more than %d records in one call", maxRead))
	}
	fields := []*schema.Field{object.Field("Id")}
	for _, name := range ask.Fields {
		field := object.Field(strings.TrimSpace(name))
		if field == nil {
			return refusal(noColumn(object, name))
		}
		if field != fields[0] {
			fields = append(fields, field)
		}
	}
	c.holder.wait()
	return c.readAll(object, ask.IDs, fields)
}

func (c *call) readAll(object *schema.Object, ids []string, fields []*schema.Field) reply {
	b := []byte{'['}
	c.read(func(v records.View) {
		table := v.Table(object)
		for i, id := range ids {
			if i > 0 {
				b = append(b, ',')
			}
			row := table.ByID(strings.TrimSpace(id))
			if row == nil || row.Deleted {
				b = append(b, "null"...)
				continue
			}
			b = appendRecord(b, v, table, row, fields, c.base)
		}
	})
	c.s.meter.batch(c.operation, len(ids))
	return reply{status: http.StatusOK, body: append(b, ']')}
}
