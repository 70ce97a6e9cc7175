package seed

import (
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/sample"
)

// row makes a trusted create of field names and canonical values in pairs;
// empty values are left out.
func row(v records.View, object string, pairs ...string) records.Write {
	o := v.Schema().Object(object)
	w := records.Write{Op: records.Create, Object: o, Trusted: true, Sets: make([]records.Set, 0, len(pairs)/2)}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			w.Sets = append(w.Sets, records.Set{Field: o.Field(pairs[i]), Value: pairs[i+1]})
		}
	}
	return w
}

func applied(results []records.Result) error {
	for _, r := range results {
		if !r.OK() {
			return r.Faults[0]
		}
	}
	return nil
}

func linkRow(v records.View, token, event string, p sample.Person) records.Write {
	return row(v, "Turnout_Link__c", "Token__c", token, "Event__c", event, "First_Name__c", p.First, "Last_Name__c", p.Last,
		"Email__c", p.Email, "Title__c", p.Title, "Company__c", p.Company)
}
