//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestP2WhatIsDismissedGivesItsSeatBack: Salesforce refuses two registrations for an event
// with two seats. One is dismissed and keeps its place; the other is cancelled with it, and
// somebody else gets the seat. Neither is in Salesforce, and neither is lost (P1).
func TestP2WhatIsDismissedGivesItsSeatBack(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("refused", 2, nil)
	d.sim(http.MethodPut, "/_sim/faults", `{"reject": {"Last_Name__c": "Unwanted"}}`, nil)
	pages := map[string]string{}
	for _, key := range []string{"refused-1", "refused-2"} {
		r, err := d.register("refused", key, map[string]any{"last_name": "Unwanted"})
		if err != nil || r.status != http.StatusCreated {
			t.Fatalf("%s: %d %s %v", key, r.status, r.body, err)
		}
		var made struct{ Page string }
		if err := json.Unmarshal([]byte(r.body), &made); err != nil {
			t.Fatal(err)
		}
		pages[key] = made.Page
	}
	admin := strings.TrimSuffix(d.ready.Console, "/console/") + "/admin/v1/orgs/" + d.ready.Org
	parked := func(query string) string {
		r, err := d.do(http.MethodGet, admin+"/parked"+query, "", "")
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("parked: %d %s %v", r.status, r.body, err)
		}
		return r.body
	}
	d.within(30*time.Second, "two parked registrations", func() bool {
		list := parked("")
		return strings.Contains(list, "refused-1") && strings.Contains(list, "refused-2")
	})
	if r, err := d.register("refused", "late-1", nil); err != nil || r.status != http.StatusConflict {
		t.Fatalf("a third of two seats: %d %v", r.status, err)
	}
	for key, body := range map[string]string{"refused-1": `{}`, "refused-2": `{"cancel": true}`} {
		if r, err := d.do(http.MethodPost, admin+"/parked/"+key+"/dismiss", "application/json", body); err != nil || r.status != http.StatusOK {
			t.Fatalf("dismiss %s: %d %s %v", key, r.status, r.body, err)
		}
	}
	d.within(30*time.Second, "both dismissed, after the cancellation was refused as well", func() bool {
		if list := parked(""); strings.Contains(list, "refused-") {
			t.Fatalf("still to be decided: %s", list)
		}
		list := parked("?dismissed=true")
		return strings.Contains(list, "refused-1") && strings.Contains(list, "refused-2")
	})
	for key, want := range map[string]string{"refused-1": "You’re registered", "refused-2": "This registration is cancelled"} {
		if page := d.get(pages[key]); page.status != http.StatusOK || !strings.Contains(page.body, want) {
			t.Errorf("%s sees %d without %q", key, page.status, want)
		}
	}
	if r, err := d.register("refused", "late-2", nil); err != nil || r.status != http.StatusCreated {
		t.Errorf("P2: the seat that came free: %d %s %v", r.status, r.body, err)
	}
	if r, err := d.register("refused", "late-3", nil); err != nil || r.status != http.StatusConflict {
		t.Errorf("P2: oversold: %d %v", r.status, err)
	}
	d.sim(http.MethodPut, "/_sim/faults", `{}`, nil)
	d.within(30*time.Second, "the one that Salesforce takes", func() bool { return len(d.arrived(id)) == 1 })
	if r, err := d.do(http.MethodPost, admin+"/parked/refused-1/retry", "application/json", ""); err != nil || r.status != http.StatusOK {
		t.Errorf("what was dismissed is not sent again: %d %s %v", r.status, r.body, err)
	}
	d.within(30*time.Second, "the one that was dismissed, sent again", func() bool { return d.arrived(id)["refused-1"] != nil })
}
