package salesforce

import (
	"net/http"
	"strings"

	"github.com/turnout-events/turnout"
)

// codes says what each Salesforce code means for Turnout. Codes that are not
// here are decided by the HTTP status. See the REST API developer guide,
// "Status Codes and Error Responses", and the SOAP guide's list of StatusCode.
func codes() map[string]turnout.Code {
	return map[string]turnout.Code{
		// The whole call, to be made again.
		"INVALID_SESSION_ID":       turnout.CodeExpired,
		"REQUEST_LIMIT_EXCEEDED":   turnout.CodeThrottled, // unless it is the daily one, see codeFor
		"SERVER_UNAVAILABLE":       turnout.CodeUnavailable,
		"UNKNOWN_EXCEPTION":        turnout.CodeUnavailable,
		"TOO_MANY_APEX_REQUESTS":   turnout.CodeThrottled,
		"rate_limit_exceeded":      turnout.CodeThrottled,
		"QUERY_TIMEOUT":            turnout.CodeTooSlow,
		"REQUEST_RUNNING_TOO_LONG": turnout.CodeTooSlow,
		"Timeout":                  turnout.CodeTooSlow,
		"EXCEEDED_ID_LIMIT":        turnout.CodeTooLarge,
		"LIMIT_EXCEEDED":           turnout.CodeExhausted,
		"ExceededQuota":            turnout.CodeExhausted,
		"EXCEEDED_QUOTA":           turnout.CodeExhausted,
		// A cursor that is gone: the query starts again.
		"INVALID_QUERY_LOCATOR":        turnout.CodeUnavailable,
		"QUERY_LOCATOR_EXPIRED":        turnout.CodeUnavailable,
		"TEMPORARY_QUERY_MORE_FAILURE": turnout.CodeUnavailable,

		// Locks, and rows that suffered with others.
		"UNABLE_TO_LOCK_ROW":                turnout.CodeLocked,
		"TooManyLockFailure":                turnout.CodeLocked,
		"ALL_OR_NONE_OPERATION_ROLLED_BACK": turnout.CodeUnavailable,
		"PROCESSING_HALTED":                 turnout.CodeUnavailable,

		// What the org runs on the record: a few times, then a person looks.
		"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": turnout.CodeAutomation,
		"CANNOT_EXECUTE_FLOW_TRIGGER":          turnout.CodeAutomation,
		"TXN_SECURITY_METERING_ERROR":          turnout.CodeAutomation,

		// The record, for good.
		"REQUIRED_FIELD_MISSING":                        turnout.CodeRefused,
		"STRING_TOO_LONG":                               turnout.CodeRefused,
		"INVALID_EMAIL_ADDRESS":                         turnout.CodeRefused,
		"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST":       turnout.CodeRefused,
		"NUMBER_OUTSIDE_VALID_RANGE":                    turnout.CodeRefused,
		"FIELD_CUSTOM_VALIDATION_EXCEPTION":             turnout.CodeRefused,
		"FIELD_FILTER_VALIDATION_EXCEPTION":             turnout.CodeRefused,
		"FIELD_INTEGRITY_EXCEPTION":                     turnout.CodeRefused,
		"INVALID_CROSS_REFERENCE_KEY":                   turnout.CodeRefused,
		"MALFORMED_ID":                                  turnout.CodeRefused,
		"ENTITY_IS_DELETED":                             turnout.CodeRefused,
		"DUPLICATE_VALUE":                               turnout.CodeRefused,
		"DUPLICATES_DETECTED":                           turnout.CodeRefused,
		"DUPLICATE_EXTERNAL_ID":                         turnout.CodeRefused,
		"INVALID_FIELD_FOR_INSERT_UPDATE":               turnout.CodeRefused,
		"CANNOT_UPDATE_CONVERTED_LEAD":                  turnout.CodeRefused,
		"DELETE_FAILED":                                 turnout.CodeRefused,
		"TRANSFER_REQUIRES_READ":                        turnout.CodeRefused,
		"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": turnout.CodeMisconfigured,

		// The org, until its admin acts.
		"STORAGE_LIMIT_EXCEEDED":          turnout.CodeStorage,
		"INSUFFICIENT_ACCESS":             turnout.CodeMisconfigured,
		"INSUFFICIENT_ACCESS_OR_READONLY": turnout.CodeMisconfigured,
		"API_DISABLED_FOR_ORG":            turnout.CodeForbidden,
		"API_CURRENTLY_DISABLED":          turnout.CodeForbidden,
		"FUNCTIONALITY_NOT_ENABLED":       turnout.CodeMisconfigured,
		"FeatureNotEnabled":               turnout.CodeMisconfigured,
		"INVALID_FIELD":                   turnout.CodeMisconfigured,
		"INVALID_TYPE":                    turnout.CodeMisconfigured,
		"MALFORMED_QUERY":                 turnout.CodeMisconfigured,
		"JSON_PARSER_ERROR":               turnout.CodeMisconfigured,
		"NOT_FOUND":                       turnout.CodeMisconfigured,
		"METHOD_NOT_ALLOWED":              turnout.CodeMisconfigured,
		"UNSUPPORTED_API_VERSION":         turnout.CodeMisconfigured,
		"GONE":                            turnout.CodeMisconfigured,
		"LOGIN_MUST_USE_SECURITY_TOKEN":   turnout.CodeUnauthorized,
		"INVALID_AUTH_HEADER":             turnout.CodeUnauthorized,

		// Signing in: nothing that is delivered is at fault.
		"invalid_grant":          turnout.CodeUnauthorized,
		"invalid_client":         turnout.CodeUnauthorized,
		"invalid_client_id":      turnout.CodeUnauthorized,
		"invalid_app_access":     turnout.CodeUnauthorized,
		"invalid_request":        turnout.CodeUnauthorized,
		"invalid_scope":          turnout.CodeUnauthorized,
		"unsupported_grant_type": turnout.CodeUnauthorized,
		"inactive_user":          turnout.CodeUnauthorized,
		"inactive_org":           turnout.CodeUnauthorized,
	}
}

// codeFor turns Salesforce's account of a failure into one of Turnout's codes.
// Two codes mean different things by their words; these are Salesforce's own
// constants, not sentences for people.
func codeFor(e *APIError) turnout.Code {
	switch e.Status {
	case "REQUEST_LIMIT_EXCEEDED":
		if strings.Contains(e.Message, "TotalRequests") {
			return turnout.CodeExhausted
		}
	case "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER", "TXN_SECURITY_METERING_ERROR":
		// A trigger met a lock on its own errand.
		if strings.Contains(e.Message, "UNABLE_TO_LOCK_ROW") || strings.Contains(e.Message, "unable to obtain exclusive access") {
			return turnout.CodeLocked
		}
	case "INVALID_SESSION_ID":
		// A session that may not use the API is no better the second time.
		if strings.Contains(e.Message, "not valid for use with the REST API") {
			return turnout.CodeForbidden
		}
	case "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY", "FUNCTIONALITY_NOT_ENABLED", "FeatureNotEnabled":
		// As the answer to a call it is about the user or the org, in a row about
		// the record.
		if e.HTTPStatus != http.StatusOK {
			return turnout.CodeForbidden
		}
	}
	if code, ok := codes()[e.Status]; ok {
		return code
	}
	return codeForHTTP(e.HTTPStatus)
}

// codeForHTTP is for bodies without a known code. A row of a reply that
// succeeded as a whole has status 200: an unknown reason there is a refusal.
func codeForHTTP(status int) turnout.Code {
	switch status {
	case http.StatusOK, http.StatusBadRequest, http.StatusMultipleChoices, http.StatusConflict, http.StatusPreconditionFailed:
		return turnout.CodeRefused
	case http.StatusUnauthorized:
		return turnout.CodeUnauthorized
	case http.StatusForbidden:
		return turnout.CodeForbidden
	case http.StatusNotAcceptable, 420: // seen from the edge while an instance moves; they pass
		return turnout.CodeUnavailable
	case http.StatusTooManyRequests:
		return turnout.CodeThrottled
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge:
		return turnout.CodeTooLarge
	case http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return turnout.CodeTooSlow
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
		return turnout.CodeUnavailable
	}
	if status >= 500 {
		return turnout.CodeUnavailable
	}
	return turnout.CodeMisconfigured
}

// advice says what an admin does about the failures that need one.
func advice(e *APIError) string {
	if help, ok := help()[e.Status]; ok {
		return help
	}
	if e.HTTPStatus/100 == 3 && e.HTTPStatus != http.StatusMultipleChoices {
		return "salesforce redirects elsewhere, which is not followed; check login_url"
	}
	return ""
}

func help() map[string]string {
	return map[string]string{
		"invalid_grant":                   "check the username, that the user is approved for the app, and that the key belongs to it",
		"invalid_client":                  "check client_id and the client secret",
		"invalid_client_id":               "check client_id",
		"invalid_app_access":              "approve the integration user for the app",
		"inactive_user":                   "activate the integration user",
		"inactive_org":                    "the org is not active",
		"API_DISABLED_FOR_ORG":            "the org's edition has no API access, or the user lacks the right to use it",
		"STORAGE_LIMIT_EXCEEDED":          "the org's data storage is full",
		"INSUFFICIENT_ACCESS_OR_READONLY": "give the integration user rights on the object and its fields",
	}
}
