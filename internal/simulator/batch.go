package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Limits of batches and trees, from the REST API guide.
const (
	maxBatch     = 25
	maxTree      = 200 // records
	maxTreeDepth = 5
	maxTreeTypes = 5
)

type batchBody struct {
	HaltOnError bool `json:"haltOnError"`
	Requests    []struct {
		Method string          `json:"method"`
		URL    string          `json:"url"`
		Input  json.RawMessage `json:"richInput"`
	} `json:"batchRequests"`
}

type batchResult struct {
	Status int             `json:"statusCode"`
	Result json.RawMessage `json:"result"`
}

// batch runs independent requests in order, each counted like one of its own.
// Shapes are [from the docs].
func (c *call) batch() reply {
	if c.nested {
		return failure(http.StatusBadRequest, "INVALID_INPUT", "composite requests cannot be nested")
	}
	var body batchBody
	if fault := decode(c.body, &body); fault != nil {
		return refusal(fault)
	}
	if len(body.Requests) > maxBatch {
		return failure(http.StatusBadRequest, "LIMIT_EXCEEDED", fmt.Sprintf("The number of subrequests must not be more than %d", maxBatch))
	}
	c.s.meter.batch(c.operation, len(body.Requests))
	results := make([]batchResult, len(body.Requests))
	failed := false
	for i, r := range body.Requests {
		var out reply
		if failed && body.HaltOnError {
			out = failure(http.StatusPreconditionFailed, "BATCH_PROCESSING_HALTED", "Batch processing halted per request.")
		} else {
			out = c.batched(subrequest{Method: r.Method, URL: r.URL, Body: r.Input})
		}
		failed = failed || out.status >= 400
		results[i] = batchResult{Status: out.status, Result: out.body}
		if len(out.body) == 0 {
			results[i].Result = json.RawMessage("null")
		}
	}
	return jsonReply(http.StatusOK, map[string]any{"hasErrors": failed, "results": results})
}

// batched runs one request, whose address begins with the version.
func (c *call) batched(r subrequest) reply {
	if message := c.s.meter.use(c.holder.faults); message != "" {
		return failure(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", message)
	}
	if !strings.HasPrefix(r.URL, "/services/data/") {
		r.URL = "/services/data/" + strings.TrimPrefix(r.URL, "/")
	}
	target, err := url.Parse(strings.ReplaceAll(r.URL, " ", "%20"))
	if err != nil {
		return failure(http.StatusBadRequest, "INVALID_INPUT", "The url cannot be read: "+r.URL)
	}
	return c.part(r, target, r.Body, nil, "batch:")
}

// branch is a record of a tree and where it hangs.
type branch struct {
	reference string
	write     records.Write
	parent    int           // index of the branch it hangs from; -1 for a root
	lookup    *schema.Field // to the parent; nil for a root
}

type treeResult struct {
	Reference string     `json:"referenceId"`
	ID        string     `json:"id,omitempty"`
	Errors    []rowError `json:"errors,omitempty"`
}

// errTree ends the transaction of a tree of which a record was refused.
var errTree = errors.New("a record of the tree was refused")

// tree creates records with their children, all or none: only what was refused
// is named then. Shapes are [from the docs].
func (c *call) tree(kind string) reply {
	object := c.s.store.Schema().Object(kind)
	if object == nil || object.ReadOnly {
		return notFound()
	}
	var body struct {
		Records []record `json:"records"`
	}
	if fault := decode(c.body, &body); fault != nil {
		return refusal(fault)
	}
	if len(body.Records) == 0 {
		return failure(http.StatusBadRequest, "INVALID_INPUT", "The request has no records")
	}
	g := &grower{schema: c.s.store.Schema(), references: map[string]bool{}, types: map[*schema.Object]bool{}}
	for _, row := range body.Records {
		if fault := g.grow(object, row, branch{parent: -1}, 1); fault != nil {
			return refusal(fault)
		}
	}
	c.s.meter.batch(c.operation, len(g.branches))
	// One call takes its parents once. Those that it makes itself nobody else knows.
	writes := make([]records.Write, len(g.branches))
	for i, b := range g.branches {
		writes[i] = b.write
	}
	if fault := c.lock(writes); fault != nil {
		for i := range g.branches {
			g.branches[i].write.Fault = fault
		}
	}
	var results []treeResult
	failed := false
	plant := func(tx *records.Tx) error {
		part := *c
		part.tx, part.locked = tx, true
		results, failed = part.plant(g.branches)
		if failed {
			return errTree
		}
		return nil
	}
	var err error
	if c.tx != nil { // the composite request takes everything back
		err = plant(c.tx)
	} else {
		c.holder.wait()
		err = c.s.store.Write(plant)
	}
	if err != nil && !errors.Is(err, errTree) {
		c.s.log.Error("writing records", "error", err)
		return failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "the simulator cannot write to its disk")
	}
	status := http.StatusCreated
	if failed {
		status = http.StatusBadRequest
		results = slices.DeleteFunc(results, func(r treeResult) bool { return len(r.Errors) == 0 })
	}
	return jsonReply(status, map[string]any{"hasErrors": failed, "results": results})
}

// plant creates the records inside a transaction, parents before children. A
// child whose parent was refused is not tried.
func (c *call) plant(branches []branch) (results []treeResult, failed bool) {
	results = make([]treeResult, len(branches))
	for i, b := range branches {
		results[i].Reference = b.reference
		if b.parent >= 0 {
			if results[b.parent].ID == "" {
				continue
			}
			b.write.Sets = append(b.write.Sets, records.Set{Field: b.lookup, Value: results[b.parent].ID})
		}
		saved, _ := c.write([]records.Write{b.write}, false) // inside a transaction it does not touch the disk
		if saved[0].OK() {
			results[i].ID = saved[0].ID
			continue
		}
		results[i].Errors, failed = savedRow(saved[0], false).Errors, true
	}
	return results, failed
}

// grower flattens a tree of records, parents before children.
type grower struct {
	schema     *schema.Schema
	branches   []branch
	references map[string]bool
	types      map[*schema.Object]bool
}

// grow adds a record and its children. The fault is the whole call's.
func (g *grower) grow(object *schema.Object, row record, at branch, depth int) *records.Fault {
	invalid := func(format string, args ...any) *records.Fault {
		return &records.Fault{Code: "INVALID_INPUT", Message: fmt.Sprintf(format, args...)}
	}
	attributes, _ := row["attributes"].(map[string]any)
	at.reference, _ = attributes["referenceId"].(string)
	g.types[object] = true
	switch kind := row.kind(); {
	case at.reference == "":
		return invalid("Include a reference ID for each record in the request.")
	case !referenceName.MatchString(at.reference):
		return badReference(at.reference)
	case g.references[at.reference]:
		return invalid("Duplicate ReferenceId provided in the request: %s", at.reference)
	case g.schema.Object(kind) != object:
		return invalid("All records must be of type %s, not %q", object.Name, kind)
	case len(g.branches) == maxTree:
		return invalid("The request cannot have more than %d records", maxTree)
	case depth > maxTreeDepth || len(g.types) > maxTreeTypes:
		return invalid("The request cannot have more than %d levels and %d types", maxTreeDepth, maxTreeTypes)
	}
	g.references[at.reference] = true
	children := map[string]schema.Child{}
	for name := range row {
		if child, ok := object.Child(name); ok {
			children[name] = child
		}
	}
	list, fault := sets(g.schema, object, row, func(name string) bool { _, child := children[name]; return child || isID(name) })
	if fault != nil {
		return fault
	}
	at.write = records.Write{Op: records.Create, Object: object, Sets: list}
	if id, _ := row.id(); id != "" {
		at.write.Fault = &records.Fault{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Message: "cannot specify Id in an insert call", Fields: []string{"Id"}}
	}
	self := len(g.branches)
	g.branches = append(g.branches, at)
	for _, name := range slices.Sorted(maps.Keys(children)) {
		if row[name] == nil {
			continue
		}
		child := children[name]
		list, _ := row[name].(map[string]any)
		below, ok := list["records"].([]any)
		if !ok {
			return invalid("%s must be an object with a list of records", name)
		}
		for _, one := range below {
			one, ok := one.(map[string]any)
			if !ok {
				return invalid("%s.records must be objects", name)
			}
			if fault := g.grow(child.Object, one, branch{parent: self, lookup: child.Field}, depth+1); fault != nil {
				return fault
			}
		}
	}
	return nil
}
