package salesforce

import (
	"strings"
	"time"
)

// Quote makes s a string literal of SOQL. Both the backslash and the quote are
// escaped: with only one of them escaped, a value could end the literal.
func Quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`, "\r", `\r`).Replace(s) + "'"
}

// QuoteAll makes values the inside of an IN list.
func QuoteAll(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = Quote(v)
	}
	return strings.Join(quoted, ",")
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// Time writes t as SOQL and JSON bodies take it, in milliseconds and UTC.
func Time(t time.Time) string { return t.UTC().Format(timeLayout) }

// APIName reports whether s can be the API name of an object, a field or a
// relationship, and so can stand in a query unquoted.
func APIName(s string) bool {
	if len(s) < 1 || len(s) > 100 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
		if !letter && (i == 0 || ((c < '0' || c > '9') && c != '_')) {
			return false
		}
	}
	return true
}
