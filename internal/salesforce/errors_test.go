package salesforce

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

func replyWith(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

// The catalogue of SALESFORCE.md, section 1.6, and the transport's statuses.
func TestCodes(t *testing.T) {
	for _, test := range []struct {
		http            int
		status, message string
		want            turnout.Code
	}{
		{401, "INVALID_SESSION_ID", "Session expired or invalid", turnout.CodeExpired},
		{401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API", turnout.CodeForbidden},
		{403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", turnout.CodeExhausted},
		{403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", turnout.CodeThrottled},
		{403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.", turnout.CodeThrottled},
		{503, "SERVER_UNAVAILABLE", "", turnout.CodeUnavailable},
		{500, "UNKNOWN_EXCEPTION", "", turnout.CodeUnavailable},
		{502, "", "", turnout.CodeUnavailable},
		{503, "", "", turnout.CodeUnavailable},
		{504, "", "", turnout.CodeTooSlow},
		{406, "", "", turnout.CodeUnavailable},
		{420, "", "", turnout.CodeUnavailable},
		{429, "", "", turnout.CodeThrottled},
		{400, "UNABLE_TO_LOCK_ROW", "", turnout.CodeLocked},
		{200, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 200 records: 001", turnout.CodeLocked},
		{200, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Trg: execution of AfterInsert caused by: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access", turnout.CodeLocked},
		{200, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Trg: execution of AfterInsert caused by: NullPointer", turnout.CodeAutomation},
		{200, "CANNOT_EXECUTE_FLOW_TRIGGER", "We can't save this record because the flow failed.", turnout.CodeAutomation},
		{200, "CANNOT_EXECUTE_FLOW_TRIGGER", "the flow failed: UNABLE_TO_LOCK_ROW", turnout.CodeLocked},
		{200, "TXN_SECURITY_METERING_ERROR", "", turnout.CodeAutomation},
		{403, "TXN_SECURITY_METERING_ERROR", "", turnout.CodeAutomation},
		{200, "TooManyLockFailure", "", turnout.CodeLocked},
		{400, "TOO_MANY_APEX_REQUESTS", "", turnout.CodeThrottled},
		{400, "QUERY_TIMEOUT", "", turnout.CodeTooSlow},
		{400, "REQUEST_RUNNING_TOO_LONG", "", turnout.CodeTooSlow},
		{200, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "", turnout.CodeUnavailable},
		{400, "PROCESSING_HALTED", "", turnout.CodeUnavailable},
		{400, "LIMIT_EXCEEDED", "", turnout.CodeExhausted},
		{400, "ExceededQuota", "", turnout.CodeExhausted},
		{200, "STORAGE_LIMIT_EXCEEDED", "", turnout.CodeStorage},
		{200, "DUPLICATE_VALUE", "", turnout.CodeRefused},
		{200, "DUPLICATES_DETECTED", "Use one of these records?", turnout.CodeRefused},
		{300, "DUPLICATE_EXTERNAL_ID", "", turnout.CodeRefused},
		{200, "REQUIRED_FIELD_MISSING", "", turnout.CodeRefused},
		{200, "STRING_TOO_LONG", "", turnout.CodeRefused},
		{200, "INVALID_EMAIL_ADDRESS", "", turnout.CodeRefused},
		{200, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "", turnout.CodeRefused},
		{200, "NUMBER_OUTSIDE_VALID_RANGE", "", turnout.CodeRefused},
		{200, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "", turnout.CodeRefused},
		{200, "FIELD_INTEGRITY_EXCEPTION", "", turnout.CodeRefused},
		{200, "INVALID_CROSS_REFERENCE_KEY", "", turnout.CodeRefused},
		{200, "MALFORMED_ID", "", turnout.CodeRefused},
		{404, "ENTITY_IS_DELETED", "", turnout.CodeRefused},
		{400, "INSUFFICIENT_ACCESS_OR_READONLY", "", turnout.CodeForbidden},
		{403, "INSUFFICIENT_ACCESS", "", turnout.CodeForbidden},
		{200, "INSUFFICIENT_ACCESS", "", turnout.CodeMisconfigured},
		{200, "INSUFFICIENT_ACCESS_OR_READONLY", "", turnout.CodeMisconfigured},
		{200, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "", turnout.CodeMisconfigured},
		{403, "API_DISABLED_FOR_ORG", "", turnout.CodeForbidden},
		{403, "FUNCTIONALITY_NOT_ENABLED", "", turnout.CodeForbidden},
		{400, "INVALID_FIELD", "", turnout.CodeMisconfigured},
		{400, "INVALID_TYPE", "", turnout.CodeMisconfigured},
		{400, "MALFORMED_QUERY", "", turnout.CodeMisconfigured},
		{400, "JSON_PARSER_ERROR", "", turnout.CodeMisconfigured},
		{404, "NOT_FOUND", "", turnout.CodeMisconfigured},
		{405, "METHOD_NOT_ALLOWED", "", turnout.CodeMisconfigured},
		{410, "GONE", "", turnout.CodeMisconfigured},
		{400, "INVALID_QUERY_LOCATOR", "", turnout.CodeUnavailable},
		{414, "", "", turnout.CodeTooLarge},
		{431, "", "", turnout.CodeTooLarge},
		{302, "", "", turnout.CodeUnavailable},
		{301, "", "", turnout.CodeMisconfigured},
		{401, "", "", turnout.CodeUnauthorized},
		{403, "", "", turnout.CodeForbidden},
		{403, "SOMETHING_NEW", "", turnout.CodeForbidden},
		{400, "SOMETHING_NEW", "", turnout.CodeRefused},
		{200, "SOMETHING_NEW", "", turnout.CodeRefused},
		{503, "SOMETHING_NEW", "", turnout.CodeUnavailable},
		{400, "invalid_grant", "expired access/refresh token", turnout.CodeUnauthorized},
		{400, "rate_limit_exceeded", "", turnout.CodeThrottled},
	} {
		if got := codeFor(&APIError{HTTPStatus: test.http, Status: test.status, Message: test.message}); got != test.want {
			t.Errorf("%d %s %q = %s, want %s", test.http, test.status, test.message, got, test.want)
		}
	}
}

func TestEnvelopes(t *testing.T) {
	for _, test := range []struct {
		name    string
		status  int
		body    string
		want    string
		message string
		fields  int
	}{
		{"REST array", 400, `[{"message":"bad","errorCode":"INVALID_FIELD","fields":["A__c"]}]`, "INVALID_FIELD", "bad", 1},
		{"collections row", 400, `{"statusCode":"STRING_TOO_LONG","message":"long","fields":["LastName"]}`, "STRING_TOO_LONG", "long", 1},
		{"OAuth", 400, `{"error":"invalid_grant","error_description":"user hasn't approved this consumer"}`, "invalid_grant", "user hasn't approved this consumer", 0},
		{"duplicate external id", 300, `["/services/data/v65.0/sobjects/Lead/a","/services/data/v65.0/sobjects/Lead/b"]`, "DUPLICATE_EXTERNAL_ID", "", 0},
		{"HTML", 503, `<html><body>Down for maintenance</body></html>`, "", "", 0},
		{"empty", 502, ``, "", "", 0},
		{"empty array", 500, `[]`, "", "", 0},
		{"wrong types", 400, `[{"message":7,"errorCode":{}}]`, "", "", 0},
		{"huge", 500, strings.Repeat("x", 10<<20), "", "", 0},
		{"huge message", 400, `[{"message":"` + strings.Repeat("x", 30_000) + `","errorCode":"INVALID_FIELD"}]`, "INVALID_FIELD", strings.Repeat("x", maxMessage), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := replyError("salesforce test", replyWith(test.status, test.body))
			var apiErr *APIError
			if !errors.As(err, &apiErr) {
				t.Fatal("no APIError in the chain")
			}
			if apiErr.HTTPStatus != test.status || apiErr.Status != test.want || apiErr.Message != test.message || len(apiErr.Fields) != test.fields {
				t.Errorf("%+v", apiErr)
			}
			if test.message != "" && strings.Contains(err.Error(), test.message) {
				t.Errorf("the error repeats the message: %v", err)
			}
		})
	}
	reply := replyWith(503, "")
	reply.Header.Set("Retry-After", "7")
	if got := turnout.RetryAfterOf(replyError("x", reply)); got != 7*time.Second {
		t.Errorf("Retry-After gives %v", got)
	}
}

func TestUsageHeader(t *testing.T) {
	for header, want := range map[string][2]int64{
		"api-usage=10018/100000": {10018, 100000}, "api-usage=25/5000; per-app-api-usage=17/250(appName=sample-app)": {25, 5000},
		"per-app-api-usage=17/250(appName=x), api-usage=3/4": {3, 4},
		"": {}, "api-usage=": {}, "api-usage=5": {}, "api-usage=-1/5": {}, "api-usage=1/0": {}, "api-usage=x/y": {}, "api-usage=99999999999999999999/5": {},
	} {
		used, limit, ok := parseUsage(header)
		if used != want[0] || limit != want[1] || ok != (want[1] > 0) {
			t.Errorf("%q = %d/%d %v", header, used, limit, ok)
		}
	}
}

func TestRecordIDs(t *testing.T) {
	for in, want := range map[string]string{
		"001x0000003DHPF":    "001x0000003DHPFAA4", // with the three characters that Salesforce's own help gives for it
		"001x0000003DHPFAA4": "001x0000003DHPFAA4",
		"001x0000003DHPFaa4": "001x0000003DHPFAA4",
		"001x0000003DHPFAA5": "", "001x0000003DHP": "", "": "", "001x0000003DH'F": "", "001x0000003DHPFAA": "",
	} {
		if got := ID(in); got != want {
			t.Errorf("ID(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzReplies(f *testing.F) {
	for _, seed := range []string{`[{"message":"m","errorCode":"X","fields":["a"]}]`, `{"error":"e"}`, `["/a"]`, `<html>`, `[{"id":"1","success":false,"errors":[{"statusCode":"X"}]}]`,
		`{"totalSize":1,"done":true,"records":[{"A":{"records":[{"b":1}],"nextRecordsUrl":"/x"}}]}`} {
		f.Add(400, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		apiErr := parseError(status, body)
		if codeFor(apiErr) == "" {
			t.Error("a failure without a code")
		}
		if len(apiErr.Message) > maxMessage || strings.ContainsAny(apiErr.Error(), "@\n<") {
			t.Errorf("error text %q", apiErr.Error())
		}
		var rows []saveResult
		if decode(body, &rows) == nil {
			for _, r := range rows {
				if row := r.row(); row.Code == "" && !r.Success {
					t.Error("a refused row counts as written")
				}
			}
		}
		var page Page
		if decode(body, &page) == nil {
			for _, r := range page.Records {
				r.children("A")
				r.Int("A")
				r.Time("A")
				r.Text("A.b")
			}
		}
	})
}

func FuzzUsage(f *testing.F) {
	f.Add("api-usage=10018/100000; per-app-api-usage=17/250(appName=x)")
	f.Fuzz(func(t *testing.T, header string) {
		if used, limit, ok := parseUsage(header); ok && (used < 0 || limit <= 0) {
			t.Errorf("%q = %d/%d", header, used, limit)
		}
	})
}
