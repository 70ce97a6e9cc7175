package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// record is one row as a client sent it.
type record map[string]any

// kind is the object that a row's attributes name.
func (r record) kind() string {
	attributes, _ := r["attributes"].(map[string]any)
	kind, _ := attributes["type"].(string)
	return kind
}

// id is the row's Id under either spelling; null counts as absent.
func (r record) id() (string, bool) {
	for _, key := range [...]string{"Id", "id", "ID"} {
		if value, ok := r[key]; ok {
			text, _ := value.(string)
			return text, true
		}
	}
	return "", false
}

// decode reads a JSON body, numbers kept as written. The fault is the whole
// call's.
func decode(body []byte, into any) *records.Fault {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return &records.Fault{Code: "JSON_PARSER_ERROR", Message: fmt.Sprintf("The HTTP entity body could not be read as JSON: %v at [line:1, column:%d]", err, decoder.InputOffset()+1)}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return &records.Fault{Code: "JSON_PARSER_ERROR", Message: fmt.Sprintf("Unexpected content after the JSON value at [line:1, column:%d]", decoder.InputOffset()+1)}
	}
	return nil
}

// sets turns a row's members into field values. Members named in skip are left
// out. An unknown field or a value of the wrong kind refuses the whole call.
func sets(s *schema.Schema, object *schema.Object, row record, skip func(string) bool) ([]records.Set, *records.Fault) {
	out := make([]records.Set, 0, len(row))
	for name, value := range row {
		if name == "attributes" || skip(name) {
			continue
		}
		if parent, nested := value.(map[string]any); nested {
			set, fault := parentSet(s, object, name, parent)
			if fault != nil {
				return nil, fault
			}
			if set != nil {
				out = append(out, *set)
			}
			continue
		}
		field := object.Field(name)
		if field == nil {
			if value == nil && object.Relationship(name) != nil {
				continue
			}
			return nil, noColumn(object, name)
		}
		text, fault := records.Canonical(field, value)
		if fault != nil {
			fault.Message += " at [line:1, column:1]"
			return nil, fault
		}
		out = append(out, records.Set{Field: field, Value: text})
	}
	return out, nil
}

func noColumn(object *schema.Object, name string) *records.Fault {
	return &records.Fault{Code: "INVALID_FIELD", Message: fmt.Sprintf("No such column '%s' on sobject of type %s", name, object.Name)}
}

// parentSet reads "Event__r":{"Public_Id__c":"…"}: a parent by its own key.
func parentSet(s *schema.Schema, object *schema.Object, name string, parent record) (*records.Set, *records.Fault) {
	lookup := object.Relationship(name)
	if lookup == nil {
		return nil, noColumn(object, name)
	}
	target := s.Object(lookup.ReferenceTo[0])
	if kind := parent.kind(); kind != "" {
		if target = s.Object(kind); target == nil {
			return nil, &records.Fault{Code: "INVALID_TYPE", Message: "sObject type '" + kind + "' is not supported."}
		}
	}
	var set *records.Set
	for key, value := range parent {
		if key == "attributes" {
			continue
		}
		by := target.Field(key)
		if by == nil || !by.Key() {
			return nil, &records.Fault{Code: "INVALID_FIELD", Message: fmt.Sprintf("%s is not an External ID or indexed field for %s", key, target.Name)}
		}
		text, fault := records.Canonical(by, value)
		if fault != nil {
			return nil, fault
		}
		if set != nil {
			return nil, &records.Fault{Code: "INVALID_FIELD", Message: "More than 1 field provided in an external foreign key reference in entity: " + target.Name}
		}
		if by.Index == schema.AtID {
			set = &records.Set{Field: lookup, Value: text}
		} else {
			set = &records.Set{Field: lookup, Value: text, By: by, Parent: target}
		}
	}
	return set, nil
}

// read looks at the records, inside the composite transaction when there is one.
func (c *call) read(look func(records.View)) {
	if c.tx != nil {
		look(c.tx.View)
		return
	}
	c.s.store.Read(look)
}

// write does the writes of one call: it takes the parents' locks, spends the
// latency while holding them, and applies what the faults leave.
func (c *call) write(writes []records.Write, allOrNone bool) ([]records.Result, *reply) {
	for i := range writes {
		if writes[i].Fault == nil {
			writes[i].Fault = c.holder.faults.Refuse(&writes[i])
		}
	}
	if !c.locked {
		if fault := c.lock(writes); fault != nil {
			for i := range writes {
				writes[i].Fault = fault
			}
		}
	}
	var results []records.Result
	var err error
	if c.tx != nil {
		results = c.tx.Apply(writes, allOrNone)
	} else {
		c.holder.wait()
		err = c.s.store.Write(func(tx *records.Tx) error {
			results = tx.Apply(writes, allOrNone)
			return nil
		})
	}
	if err != nil {
		c.s.log.Error("writing records", "error", err)
		broken := failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "the simulator cannot write to its disk")
		return nil, &broken
	}
	c.s.countDuplicates(results)
	return results, nil
}

// lock takes the parents of the writes; one contested parent refuses the whole
// call, as it does in an org.
func (c *call) lock(writes []records.Write) *records.Fault {
	var parents []string
	c.read(func(v records.View) {
		for _, some := range v.Parents(writes) {
			parents = append(parents, some...)
		}
	})
	contested, most := c.holder.take(parents)
	c.s.meter.heldBy(most)
	if contested == "" && rand.Float64() < c.holder.faults.LockRate {
		contested = "the parent"
		if len(parents) > 0 {
			contested = parents[0]
		}
	}
	if contested == "" {
		return nil
	}
	c.s.meter.locked()
	return &records.Fault{Code: "UNABLE_TO_LOCK_ROW", Message: "unable to obtain exclusive access to this record or 1 records: " + contested}
}

func (s *Simulator) countDuplicates(results []records.Result) {
	n := 0
	for _, result := range results {
		for _, fault := range result.Faults {
			if fault.Code == "DUPLICATE_VALUE" {
				n++
				break
			}
		}
	}
	if n > 0 {
		s.meter.refusedDuplicates(n)
	}
}

// status is the HTTP status that a row's code has as a whole reply.
func status(code string) int {
	switch code {
	case "NOT_FOUND", "ENTITY_IS_DELETED":
		return http.StatusNotFound
	case "METHOD_NOT_ALLOWED":
		return http.StatusMethodNotAllowed
	}
	return http.StatusBadRequest
}

func refusal(faults ...*records.Fault) reply {
	list := make([]restError, len(faults))
	for i, fault := range faults {
		list[i] = restError{Message: fault.Message, Code: fault.Code, Fields: fault.Fields}
		if list[i].Fields == nil && strings.HasPrefix(fault.Code, "ENTITY") {
			list[i].Fields = []string{}
		}
	}
	return jsonReply(status(faults[0].Code), list)
}
