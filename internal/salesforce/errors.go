package salesforce

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
)

// APIError is Salesforce's own account of a failure. Message may repeat what a
// person typed, so Error leaves it out; whoever reads the field seals it.
type APIError struct {
	HTTPStatus int
	// Status is Salesforce's code, such as UNABLE_TO_LOCK_ROW, or an OAuth error
	// such as invalid_grant; empty when the body held none.
	Status  string
	Message string
	// Fields are the API names of the fields it is about.
	Fields []string
}

// Error gives the HTTP status, the code and the fields, and nothing else.
func (e *APIError) Error() string {
	parts := []string{"http " + strconv.Itoa(e.HTTPStatus)}
	if e.Status != "" {
		parts = append(parts, e.Status)
	}
	if len(e.Fields) > 0 {
		parts = append(parts, "fields "+strings.Join(e.Fields, ", "))
	}
	return strings.Join(parts, ", ")
}

// maxMessage is how much of Salesforce's sentence is kept, in bytes.
const maxMessage = 2000

// replyError reads a reply that is not a success. Its body may be any of the
// three envelopes, HTML, or empty.
func replyError(op string, reply *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(reply.Body, maxErrorReply)) // what was read is enough
	apiErr := parseError(reply.StatusCode, body)
	return &turnout.Error{
		Code: codeFor(apiErr), Op: op, Detail: advice(apiErr), Err: apiErr,
		RetryAfter: retryAfter(reply.Header.Get("Retry-After")),
	}
}

// retryAfter reads a wait in whole seconds; Salesforce's own replies have
// none, but what stands before it may.
func retryAfter(header string) time.Duration {
	seconds, err := strconv.Atoi(header)
	if err != nil || seconds < 0 || seconds > 24*60*60 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// envelope is one error of any shape: errorCode at the top level, statusCode
// in a row, error and error_description from the token endpoint.
type envelope struct {
	Message     string   `json:"message"`
	ErrorCode   string   `json:"errorCode"`
	StatusCode  string   `json:"statusCode"`
	OAuth       string   `json:"error"`
	Description string   `json:"error_description"`
	Fields      []string `json:"fields"`
}

func (e envelope) apiError(httpStatus int) *APIError {
	return &APIError{
		HTTPStatus: httpStatus,
		Status:     plainCode(firstOf(e.ErrorCode, e.StatusCode, e.OAuth)),
		Message:    clip(firstOf(e.Message, e.Description)),
		Fields:     plainNames(e.Fields),
	}
}

// parseError reads an error body. Anything that is none of the envelopes
// leaves only the HTTP status.
func parseError(httpStatus int, body []byte) *APIError {
	var many []envelope
	if json.Unmarshal(body, &many) == nil && len(many) > 0 {
		return many[0].apiError(httpStatus)
	}
	var one envelope
	if json.Unmarshal(body, &one) == nil {
		return one.apiError(httpStatus)
	}
	if httpStatus == http.StatusMultipleChoices { // a list of URLs
		return &APIError{HTTPStatus: httpStatus, Status: "DUPLICATE_EXTERNAL_ID"}
	}
	return &APIError{HTTPStatus: httpStatus}
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func clip(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage]
	}
	return strings.ToValidUTF8(s, "")
}

// plainCode lets nothing but a code through, since it is logged and shown.
func plainCode(s string) string {
	if len(s) > 80 || strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_'
	}) {
		return "UNREADABLE"
	}
	return s
}

// plainNames keeps what can be the name of a field, for the same reason.
func plainNames(names []string) []string {
	var plain []string
	for _, name := range names {
		if APIName(name) && len(plain) < 20 {
			plain = append(plain, name)
		}
	}
	return plain
}
