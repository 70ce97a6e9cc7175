package simulator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/bulk"
	"github.com/turnout-events/turnout/internal/simulator/query"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// bulkRunner applies bulk jobs to the simulator's records.
type bulkRunner Simulator

// lockRetries is how often a chunk that meets a lock is tried, as the Bulk API
// itself does, before its rows fail.
const (
	lockRetries = 10
	lockPause   = 100 * time.Millisecond
)

// csvColumn is what a header names: a field, or a parent by its own key.
type csvColumn struct {
	field  *schema.Field
	by     *schema.Field
	parent *schema.Object
}

func resolveColumns(s *schema.Schema, object *schema.Object, header []string) ([]csvColumn, error) {
	columns := make([]csvColumn, len(header))
	for i, name := range header {
		relation, key, nested := strings.Cut(name, ".")
		if !nested {
			if columns[i].field = object.Field(name); columns[i].field == nil {
				return nil, fmt.Errorf("InvalidBatch : Field name not found : %s", name)
			}
			continue
		}
		lookup := object.Relationship(relation)
		if lookup == nil {
			return nil, fmt.Errorf("InvalidBatch : Field name not found : %s", name)
		}
		parent := s.Object(lookup.ReferenceTo[0])
		by := parent.Field(key)
		if by == nil || !by.Key() {
			return nil, fmt.Errorf("InvalidBatch : Field name not found : %s", name)
		}
		columns[i] = csvColumn{field: lookup, by: by, parent: parent}
	}
	return columns, nil
}

// Check refuses a job whose header names what the object does not have.
func (b *bulkRunner) Check(job bulk.Info, header []string) error {
	object := b.store.Schema().Object(job.Object)
	if _, err := resolveColumns(b.store.Schema(), object, header); err != nil {
		return err
	}
	has := func(name string) bool {
		for _, column := range header {
			if strings.EqualFold(column, name) {
				return true
			}
		}
		return false
	}
	if job.Operation == "upsert" && !has(job.ExternalID) {
		return fmt.Errorf("InvalidBatch : Field name not found : %s", job.ExternalID)
	}
	if (job.Operation == "update" || strings.HasSuffix(strings.ToLower(job.Operation), "delete")) && !has("Id") {
		return fmt.Errorf("InvalidBatch : Field name not found : Id")
	}
	return nil
}

// Apply writes a chunk.
func (b *bulkRunner) Apply(ctx context.Context, job bulk.Info, header []string, rows [][]string) ([]bulk.Outcome, error) {
	object := b.store.Schema().Object(job.Object)
	columns, err := resolveColumns(b.store.Schema(), object, header)
	if err != nil {
		return nil, err
	}
	s := (*Simulator)(b)
	for try := 1; ; try++ {
		writes := make([]records.Write, len(rows))
		for i, row := range rows {
			writes[i] = csvWrite(object, job, columns, row)
		}
		results, err := s.applyChunk(ctx, writes)
		if err != nil {
			return nil, err
		}
		if try < lockRetries && locked(results) && pause(ctx, lockPause) {
			continue
		}
		return outcomes(job, results), nil
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func locked(results []records.Result) bool {
	return len(results) > 0 && !results[0].OK() && results[0].Faults[0].Code == "UNABLE_TO_LOCK_ROW"
}

// applyChunk writes under the same locks and faults as a call of the API.
func (s *Simulator) applyChunk(ctx context.Context, writes []records.Write) ([]records.Result, error) {
	c := &call{s: s, holder: s.locks.holder(ctx, s.faults.Current())}
	defer c.holder.release()
	results, broken := c.write(writes, false)
	if broken != nil {
		return nil, errors.New("Unknown : the records cannot be written") //nolint:staticcheck // the words as Salesforce says them
	}
	s.meter.batch("bulk_chunk", len(writes))
	return results, nil
}

// csvWrite turns a CSV row into a write. Empty cells change nothing; #N/A
// clears a field.
func csvWrite(object *schema.Object, job bulk.Info, columns []csvColumn, row []string) records.Write {
	op := map[string]records.Op{"insert": records.Create, "update": records.Update, "upsert": records.Upsert,
		"delete": records.Delete, "hardDelete": records.Delete}[job.Operation]
	w := records.Write{Op: op, Object: object}
	if op == records.Upsert {
		w.Key = object.Field(job.ExternalID)
	}
	for i, cell := range row {
		column := columns[i]
		isKey := w.Key == column.field && column.by == nil
		switch {
		case cell == "":
			continue
		case column.field.Index == schema.AtID && !isKey:
			w.ID = cell
			if op == records.Create {
				w.Fault = &records.Fault{Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Message: "cannot specify Id in an insert call", Fields: []string{"Id"}}
			}
			continue
		case cell == "#N/A":
			cell = ""
		}
		of := column.field
		if column.by != nil {
			of = column.by
		}
		text, fault := records.Canonical(of, cell)
		if fault != nil {
			w.Fault = &records.Fault{Code: "INVALID_TYPE_ON_FIELD_IN_RECORD", Message: column.field.Label + ": value not of required type: " + cell, Fields: []string{column.field.Name}}
			continue
		}
		if isKey {
			w.Value = text
			continue
		}
		w.Sets = append(w.Sets, records.Set{Field: column.field, Value: text, By: column.by, Parent: column.parent})
	}
	return w
}

// outcomes writes results the way result files do:
// CODE:message:Field, Field --
func outcomes(job bulk.Info, results []records.Result) []bulk.Outcome {
	out := make([]bulk.Outcome, len(results))
	for i, result := range results {
		out[i] = bulk.Outcome{ID: result.ID, Created: result.Created && job.Operation != "update"}
		if result.OK() {
			continue
		}
		var texts []string
		for _, fault := range result.Faults {
			texts = append(texts, fault.Code+":"+fault.Message+":"+strings.Join(fault.Fields, ", ")+" --")
		}
		out[i].Error = strings.Join(texts, " ")
	}
	return out
}

// export is the answer of a bulk query: which records, read when asked for.
type export struct {
	store *records.Store
	plan  *query.Plan
	found []uint32
}

// Export runs a query.
func (b *bulkRunner) Export(text string, deleted bool) (bulk.Export, error) {
	plan, err := query.Compile(b.store.Schema(), text, b.now())
	if err != nil {
		return nil, err
	}
	out := &export{store: b.store, plan: plan}
	b.store.Read(func(v records.View) { out.found = plan.Find(v, deleted) })
	return out, nil
}

func (e *export) Columns() []string { return e.plan.Columns() }
func (e *export) Len() int          { return len(e.found) }

func (e *export) Rows(from, n int, emit func([]string)) {
	e.store.Read(func(v records.View) {
		for _, pos := range e.found[from : from+n] {
			emit(e.plan.Row(v, pos))
		}
	})
}
