package salesforce

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	"github.com/turnout-events/turnout"
)

// MaxCollection is how many records one collections call carries.
const MaxCollection = 200

// Row is what became of one record of a call.
type Row struct {
	// ID is the record's, 18 characters, when Code is empty.
	ID      string
	Created bool
	// Code is empty when the record was written.
	Code turnout.Code
	// Err is Salesforce's account, nil when the record was written. Its Message
	// may hold personal data.
	Err *APIError
}

// CollectionsUpsert writes up to 200 records of one object by their external
// id, which each of them holds, and returns one row for each, in order. No
// external id may come twice. An error means that the call as a whole failed;
// CodeUnknown, that it may have been done all the same.
func (c *Client) CollectionsUpsert(ctx context.Context, object, externalID string, records []Record) ([]Row, error) {
	path := "/composite/sobjects/" + url.PathEscape(object) + "/" + url.PathEscape(externalID)
	return c.collection(ctx, opUpsert, path, object, records)
}

// CollectionsUpdate changes up to 200 records of one object by the Id that
// each of them holds. It reports as CollectionsUpsert does.
func (c *Client) CollectionsUpdate(ctx context.Context, object string, records []Record) ([]Row, error) {
	return c.collection(ctx, opUpdate, "/composite/sobjects", object, records)
}

func (c *Client) collection(ctx context.Context, op, path, object string, records []Record) ([]Row, error) {
	switch {
	case len(records) == 0:
		return nil, nil
	case len(records) > MaxCollection:
		return nil, turnout.Errorf(turnout.CodeTooLarge, "salesforce "+op, "at most %d records fit one call", MaxCollection)
	}
	body, err := collectionJSON(object, records)
	if err != nil {
		return nil, unwritable(op)
	}
	var results []saveResult
	in := call{op: op, method: http.MethodPatch, path: c.data(path), body: body}
	if err := c.json(ctx, in, &results); err != nil {
		return nil, err
	}
	if len(results) != len(records) {
		return nil, turnout.Errorf(turnout.CodeUnknown, "salesforce "+op, "got %d results for %d records", len(results), len(records))
	}
	rows := make([]Row, len(results))
	for i, r := range results {
		rows[i] = r.row()
	}
	return rows, nil
}

type saveResult struct {
	ID      string     `json:"id"`
	Success bool       `json:"success"`
	Created bool       `json:"created"`
	Errors  []envelope `json:"errors"`
}

func (r saveResult) row() Row {
	if r.Success {
		return Row{ID: cmp.Or(ID(r.ID), r.ID), Created: r.Created}
	}
	apiErr := &APIError{HTTPStatus: http.StatusOK}
	if len(r.Errors) > 0 {
		apiErr = r.Errors[0].apiError(http.StatusOK)
	}
	return Row{Code: codeFor(apiErr), Err: apiErr}
}
