package simulator

import (
	"net/url"
	"strings"
	"testing"
)

func TestHaving(t *testing.T) {
	o := open(t, Options{})
	for _, row := range []string{`"A","NumberOfEmployees":10,"Type":"Partner"`, `"B","NumberOfEmployees":20,"Type":"Partner"`, `"C","NumberOfEmployees":5,"Type":"Customer"`, `"D","Type":"Prospect"`} {
		o.create("Account", `{"Name":`+row+`}`)
	}
	for having, want := range map[string]string{
		"COUNT(Id) > 1":                                    "Partner",
		"COUNT() = 1 ORDER BY Type":                        "Customer Prospect",
		"SUM(NumberOfEmployees) >= 30":                     "Partner",
		"AVG(NumberOfEmployees) < 10":                      "Customer",
		"MAX(NumberOfEmployees) = null":                    "Prospect",
		"MIN(Name) LIKE 'C%' OR Type = 'partner'":          "Customer Partner",
		"NOT (COUNT(Id) IN (2, 3)) AND Type != 'Prospect'": "Customer",
		"COUNT_DISTINCT(Name) > 5":                         "",
	} {
		query := "SELECT Type, COUNT(Id) FROM Account GROUP BY Type HAVING " + having
		if !strings.Contains(query, "ORDER") {
			query += " ORDER BY Type"
		}
		var types []string
		for part := range strings.SplitSeq(o.soql(query), `"Type":"`) {
			if name, _, ok := strings.Cut(part, `","expr0"`); ok {
				types = append(types, name)
			}
		}
		if got := strings.Join(types, " "); got != want {
			t.Errorf("%s: %q, want %q", having, got, want)
		}
	}
	for query, code := range map[string]string{
		"SELECT Type FROM Account GROUP BY Type HAVING Name = 'A'":                                  "Field must be grouped or aggregated: Name",
		"SELECT Type FROM Account GROUP BY Type HAVING COUNT(Id) > 'many'":                          "INVALID_FIELD",
		"SELECT Type FROM Account GROUP BY Type HAVING FORMAT(Name) = 'A'":                          "MALFORMED_QUERY",
		"SELECT Type FROM Account GROUP BY Type HAVING COUNT(Nope) = 1":                             "INVALID_FIELD",
		"SELECT Type FROM Account GROUP BY Type HAVING":                                             "MALFORMED_QUERY",
		"SELECT Type FROM Account HAVING COUNT(Id) > 1":                                             "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE COUNT(Id) > 1":                                                "MALFORMED_QUERY",
		"SELECT Type FROM Account GROUP BY Type HAVING Type IN (SELECT Name FROM Account) LIMIT 1":  "MALFORMED_QUERY",
		"SELECT Type FROM Account GROUP BY Type HAVING COUNT(Id) > 1 AND COUNT(Id) < 3 OR Type='A'": "MALFORMED_QUERY",
	} {
		o.want("GET", api+"/query?q="+url.QueryEscape(query), "", 400, code)
	}
}
