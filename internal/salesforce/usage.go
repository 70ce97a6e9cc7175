package salesforce

import (
	"strconv"
	"strings"
)

// parseUsage reads a Sforce-Limit-Info header, "api-usage=18/15000" with or
// without "; per-app-api-usage=17/250(appName=…)" after it.
func parseUsage(header string) (used, limit int64, ok bool) {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ';' || r == ',' }) {
		value, found := strings.CutPrefix(strings.TrimSpace(part), "api-usage=")
		if !found {
			continue
		}
		before, after, found := strings.Cut(value, "/")
		if !found {
			return 0, 0, false
		}
		used, errUsed := strconv.ParseInt(strings.TrimSpace(before), 10, 64)
		limit, errLimit := strconv.ParseInt(strings.TrimSpace(after), 10, 64)
		if errUsed != nil || errLimit != nil || used < 0 || limit <= 0 {
			return 0, 0, false
		}
		return used, limit, true
	}
	return 0, 0, false
}
