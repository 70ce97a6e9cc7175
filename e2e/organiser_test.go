//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// made is the API's answer to a registration.
type made struct {
	Token    string
	Revision int
	State    string
	Status   string
}

func (d *demo) own(r reply) made {
	d.t.Helper()
	var m made
	if r.status >= 300 || json.Unmarshal([]byte(r.body), &m) != nil || m.Token == "" {
		d.t.Fatalf("%d %s", r.status, r.body)
	}
	return m
}

// delivered waits until Salesforce has a revision of a registration.
func (d *demo) delivered(event, key string, revision int) map[string]any {
	d.t.Helper()
	var record map[string]any
	d.within(20*time.Second, fmt.Sprintf("revision %d of %s", revision, key), func() bool {
		record = d.arrived(event)[key]
		n, _ := record["Revision__c"].(float64)
		return int(n) >= revision
	})
	return record
}

// P5: an organiser's cancellation is not undone by an edit that goes out before
// Turnout has heard of it, and frees the seat.
func TestP5OrganisersCancellationStands(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("cancelled", 3, nil)
	r, err := d.register("cancelled", "cancelled-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := d.own(r)
	record := d.delivered(id, "cancelled-1", 1)
	d.salesforce(http.MethodPatch, "/sobjects/Turnout_Registration__c/"+record["Id"].(string), map[string]any{"Status__c": "Cancelled"})
	edit := fmt.Sprintf(`{"revision":%d,"first_name":"Test","last_name":"Renamed","email":"cancelled-1@example.com"}`, m.Revision)
	if r, err := d.do(http.MethodPut, d.ready.Public+"/api/v1/registrations/"+m.Token, "application/json", edit); err != nil || r.status != http.StatusOK {
		t.Fatalf("the edit got %d %s %v", r.status, r.body, err)
	}
	record = d.delivered(id, "cancelled-1", 2)
	if record["Status__c"] != "Cancelled" || record["Last_Name__c"] != "Renamed" {
		t.Errorf("after the edit Salesforce has %v, %v", record["Status__c"], record["Last_Name__c"])
	}
	if r := d.hook("attendee.changed", record["Id"].(string)); r.status != http.StatusAccepted {
		t.Fatalf("the hook got %d", r.status)
	}
	d.within(10*time.Second, "the seat is free again", func() bool { return d.seatsLeft("cancelled") == 3 })
}

// P2, P8: the seat of somebody who was forgotten stays free, whatever Salesforce
// still says of them, and Salesforce is told that they are cancelled.
func TestP2ForgottenSeatStaysFree(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("forgotten", 1, nil)
	if r, err := d.register("forgotten", "forgotten-1", nil); err != nil || r.status != http.StatusCreated {
		t.Fatalf("%d %s %v", r.status, r.body, err)
	}
	record := d.delivered(id, "forgotten-1", 1)
	command(t, filepath.Join(d.dir, "demo", "data"), "forget", "--org", d.ready.Org, "--email", "forgotten-1@example.com")
	if r := d.hook("attendee.changed", record["Id"].(string)); r.status != http.StatusAccepted {
		t.Fatalf("the hook got %d", r.status)
	}
	if record = d.delivered(id, "forgotten-1", 2); record["Status__c"] != "Cancelled" {
		t.Errorf("Salesforce has %v", record["Status__c"])
	}
	if r, err := d.register("forgotten", "forgotten-2", nil); err != nil || r.status != http.StatusCreated {
		t.Fatalf("the next one got %d %s %v", r.status, r.body, err)
	}
	d.delivered(id, "forgotten-2", 1)
	if left := d.seatsLeft("forgotten"); left != 0 {
		t.Errorf("%d seats left", left)
	}
}
