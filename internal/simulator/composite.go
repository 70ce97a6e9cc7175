package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/records"
)

// Limits of composite requests, from the REST API guide.
const (
	maxSubrequests = 25
	maxHeavy       = 5 // queries and collections among them
)

type subrequest struct {
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ReferenceID string            `json:"referenceId"`
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
}

type subreply struct {
	Body        json.RawMessage   `json:"body"`
	Headers     map[string]string `json:"httpHeaders"`
	Status      int               `json:"httpStatusCode"`
	ReferenceID string            `json:"referenceId"`
}

type compositeBody struct {
	AllOrNone bool         `json:"allOrNone"`
	Collate   bool         `json:"collateSubrequests"`
	Requests  []subrequest `json:"compositeRequest"`
}

// errRolledBack ends the transaction of an all-or-nothing request.
var errRolledBack = errors.New("a subrequest failed")

func (c *call) composite() reply {
	if c.nested {
		return failure(http.StatusBadRequest, "INVALID_INPUT", "composite requests cannot be nested")
	}
	var body compositeBody
	if fault := decode(c.body, &body); fault != nil {
		return refusal(fault)
	}
	if fault := checkComposite(body.Requests); fault != nil {
		return refusal(fault)
	}
	c.s.meter.batch(c.operation, len(body.Requests))
	var replies []subreply
	if !body.AllOrNone {
		replies = c.subrequests(body.Requests, nil)
		return jsonReply(http.StatusOK, map[string]any{"compositeResponse": replies})
	}
	c.holder.wait()
	err := c.s.store.Write(func(tx *records.Tx) error {
		replies = c.subrequests(body.Requests, tx)
		for _, r := range replies {
			if r.Status >= 400 {
				return errRolledBack
			}
		}
		return nil
	})
	if errors.Is(err, errRolledBack) {
		halt(replies)
	} else if err != nil {
		c.s.log.Error("writing records", "error", err)
		return failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "the simulator cannot write to its disk")
	}
	return jsonReply(http.StatusOK, map[string]any{"compositeResponse": replies})
}

func checkComposite(requests []subrequest) *records.Fault {
	if len(requests) > maxSubrequests {
		return &records.Fault{Code: "LIMIT_EXCEEDED", Message: fmt.Sprintf("The number of subrequests must not be more than %d", maxSubrequests)}
	}
	heavy := 0
	seen := map[string]bool{}
	for _, r := range requests {
		if !referenceName.MatchString(r.ReferenceID) {
			return badReference(r.ReferenceID)
		}
		if seen[r.ReferenceID] {
			return &records.Fault{Code: "INVALID_INPUT", Message: "Duplicate referenceId '" + r.ReferenceID + "'"}
		}
		seen[r.ReferenceID] = true
		if strings.Contains(r.URL, "/composite/") || strings.Contains(r.URL, "/query") {
			heavy++
		}
	}
	if heavy > maxHeavy {
		return &records.Fault{Code: "LIMIT_EXCEEDED", Message: fmt.Sprintf("The number of queries and collections must not be more than %d", maxHeavy)}
	}
	return nil
}

var referenceName = regexp.MustCompile(`^[A-Za-z0-9]\w*$`)

func badReference(id string) *records.Fault {
	return &records.Fault{Code: "INVALID_INPUT", Message: "Provided referenceId ('" + id + "') must start with a letter or a number, and can contain only letters, numbers and underscores."}
}

// halt turns the innocent parts of a failed request into PROCESSING_HALTED.
func halt(replies []subreply) {
	for i := range replies {
		if replies[i].Status >= 400 {
			continue
		}
		halted := failure(http.StatusBadRequest, "PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed.")
		replies[i] = subreply{Body: halted.body, Headers: map[string]string{}, Status: halted.status, ReferenceID: replies[i].ReferenceID}
	}
}

// subrequests runs the parts in order; later ones may refer to earlier answers.
func (c *call) subrequests(requests []subrequest, tx *records.Tx) []subreply {
	answers := map[string]any{}
	replies := make([]subreply, 0, len(requests))
	failed := false
	for _, r := range requests {
		var out reply
		if failed && tx != nil {
			out = failure(http.StatusBadRequest, "PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed.")
		} else {
			out = c.subrequest(r, answers, tx)
		}
		failed = failed || out.status >= 400
		sub := subreply{Body: out.body, Headers: map[string]string{}, Status: out.status, ReferenceID: r.ReferenceID}
		if location := out.header.Get("Location"); location != "" {
			sub.Headers["Location"] = location
		}
		if len(out.body) == 0 {
			sub.Body = json.RawMessage("null")
		} else {
			answers[r.ReferenceID] = parsed(out.body)
		}
		replies = append(replies, sub)
	}
	return replies
}

func parsed(body []byte) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return nil
	}
	return value
}

func (c *call) subrequest(r subrequest, answers map[string]any, tx *records.Tx) reply {
	address, err := substitute(r.URL, answers)
	if err != nil {
		return failure(http.StatusBadRequest, "PROCESSING_HALTED", err.Error())
	}
	body, err := substitute(string(r.Body), answers)
	if err != nil {
		return failure(http.StatusBadRequest, "PROCESSING_HALTED", err.Error())
	}
	target, err := url.Parse(strings.ReplaceAll(address, " ", "%20"))
	if err != nil {
		return failure(http.StatusBadRequest, "INVALID_INPUT", "The url cannot be read: "+address)
	}
	return c.part(r, target, []byte(body), tx, "composite:")
}

// part runs one request of several and counts it under its operation.
func (c *call) part(r subrequest, target *url.URL, body []byte, tx *records.Tx, count string) reply {
	segments := split(target)
	if len(segments) < 4 || segments[0] != "services" || segments[1] != "data" {
		return notFound()
	}
	version, refused := offered(segments[2])
	if refused != nil {
		return *refused
	}
	header := http.Header{}
	for key, value := range r.Headers {
		header.Set(key, value)
	}
	part := &call{s: c.s, method: strings.ToUpper(r.Method), query: target.Query(), header: header, body: body, version: version,
		base: "/services/data/" + segments[2], rest: segments[3:], origin: c.origin, holder: c.holder, tx: tx, nested: true}
	out := part.resource()
	if part.operation != "" {
		c.s.meter.count(count + part.operation)
	}
	return out
}

var reference = regexp.MustCompile(`@\{([A-Za-z0-9_]+)((?:\.[A-Za-z0-9_]+|\[\d+\])*)\}`)

// substitute replaces @{reference.path} by values of earlier answers. Names are
// case-sensitive. Texts go in without quotes: a reference stands inside some.
func substitute(text string, answers map[string]any) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(text, func(match string) string {
		parts := reference.FindStringSubmatch(match)
		value, ok := lookUp(answers[parts[1]], parts[2])
		if !ok {
			failed = fmt.Errorf("Invalid reference specified. No value for %s found in %s. Please make sure the reference is correct", parts[2], parts[1]) //nolint:staticcheck // the words as Salesforce says them
			return match
		}
		quoted, err := json.Marshal(fmt.Sprint(value))
		if err != nil {
			failed = err
			return match
		}
		return string(quoted[1 : len(quoted)-1])
	})
	return out, failed
}

func lookUp(value any, path string) (any, bool) {
	for step := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch at := value.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(at) {
				return nil, false
			}
			value = at[i]
		default:
			return nil, false
		}
	}
	return value, value != nil
}
