package salesforce

import (
	"encoding/json"
	"net/http"

	"github.com/turnout-events/turnout"
)

// compositeReply is the answer to several requests in one. The call itself
// succeeds; each part has a status of its own.
type compositeReply struct {
	Replies []compositePart `json:"compositeResponse"`
}

type compositePart struct {
	Body   json.RawMessage `json:"body"`
	Status int             `json:"httpStatusCode"`
}

// page reads a part that answers a query.
func (p compositePart) page() (Page, error) {
	if p.Status != http.StatusOK {
		apiErr := parseError(p.Status, p.Body)
		return Page{}, &turnout.Error{Code: codeFor(apiErr), Op: "salesforce query", Detail: advice(apiErr), Err: apiErr}
	}
	var page Page
	if err := decode(p.Body, &page); err != nil {
		return Page{}, turnout.Errorf(turnout.CodeUnavailable, "salesforce query", "the reply is not a page of rows")
	}
	return page, nil
}
