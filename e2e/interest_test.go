//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Operators and organisers see how far people came: who opened their link, who sent a
// form, who is registered; each person once, whichever instance they met.
func TestTheFunnelCountsWhoOpenedAndWhoSent(t *testing.T) {
	t.Parallel()
	d := startDemo(t)
	id := d.event("funnel", 10, nil)
	links := make([]string, 4)
	for i := range links {
		links[i] = d.link(id, fmt.Sprintf("funnel-link-%d-0123456789", i))
	}
	unread := d.salesforce(http.MethodPost, "/sobjects/Turnout_Link__c", map[string]any{
		"Token__c": "funnel-link-unread-0123", "Event__c": id, "First_Name__c": "Ada", "Last_Name__c": "Example", "Email__c": "unread@example.com",
	})["id"].(string)
	if r := d.hook("attendee.changed", unread); r.status != http.StatusAccepted {
		t.Fatalf("the hook got %d %s", r.status, r.body)
	}
	host := strings.TrimPrefix(d.ready.Public, "http://")
	for _, link := range links {
		for _, instance := range d.instances() {
			if r, err := d.do(http.MethodGet, instance+link, "", "", "Host", host); err != nil || r.status != http.StatusOK {
				t.Fatalf("%d %v", r.status, err)
			}
		}
	}
	const form = "application/x-www-form-urlencoded"
	for i, body := range []string{"first_name=A&last_name=B&email=one%40example.com&ticket=std", "first_name=&last_name=B&email=none&ticket=std"} {
		html := d.get(links[i]).body
		key, version := regexp.MustCompile(`name="key" value="([^"]+)"`).FindStringSubmatch(html), regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(html)
		if key == nil || version == nil {
			t.Fatalf("no form: %s", html)
		}
		for range 2 {
			r, err := d.do(http.MethodPost, d.ready.Public+links[i], form, "key="+key[1]+"&form="+version[1]+"&"+body, "Origin", d.ready.Public)
			if want := []int{http.StatusSeeOther, http.StatusUnprocessableEntity}[i]; err != nil || r.status != want {
				t.Fatalf("form %d: %d %v", i, r.status, err)
			}
		}
	}
	type funnel struct{ Invited, Opened, Started, Registered int }
	var got funnel
	d.within(60*time.Second, "the funnel", func() bool {
		r, err := d.do(http.MethodGet, strings.TrimSuffix(d.ready.Console, "/console/")+"/admin/v1/orgs/"+d.ready.Org+"/events", "", "")
		if err != nil || r.status != http.StatusOK {
			t.Fatalf("%d %v", r.status, err)
		}
		var answer struct {
			Events []struct {
				Slug   string
				Funnel funnel
			}
		}
		if err := json.Unmarshal([]byte(r.body), &answer); err != nil {
			t.Fatal(err)
		}
		for _, e := range answer.Events {
			if e.Slug == "funnel" {
				got = e.Funnel
			}
		}
		return got == funnel{Invited: 5, Opened: 4, Started: 2, Registered: 1}
	})
}
