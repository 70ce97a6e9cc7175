package simulator

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBatch(t *testing.T) {
	o := open(t, Options{})
	body := func(halt bool) string {
		return fmt.Sprintf(`{"haltOnError":%v,"batchRequests":[
		{"method":"POST","url":"v65.0/sobjects/Lead","richInput":{"LastName":"Ferncastle","Company":"Example"}},
		{"method":"GET","url":"v65.0/sobjects/Lead/nothing"},
		{"method":"GET","url":"/services/data/v65.0/query?q=SELECT Id FROM Lead"}]}`, halt)
	}
	text := o.want("POST", api+"/composite/batch", body(false), 200, `"hasErrors":true`)
	if !strings.Contains(text, `{"statusCode":201,"result":{"id":"00Q`) || !strings.Contains(text, `"totalSize":1`) {
		t.Error(text)
	}
	o.want("POST", api+"/composite/batch", body(true), 200, `{"statusCode":412,"result":[{"message":"Batch processing halted per request.","errorCode":"BATCH_PROCESSING_HALTED"}]}`)
	o.want("POST", api+"/composite/batch", `{"batchRequests":[{"method":"GET","url":"v20.0/limits"}]}`, 200, `"statusCode":410`)
	// What is in a batch counts like calls of its own.
	o.want("GET", "/_sim/stats", "", 200, `"api_usage":9`)
	o.want("POST", api+"/composite", `{"compositeRequest":[{"method":"POST","url":"`+api+`/composite/batch","referenceId":"b","body":{}}]}`, 200, "cannot be nested")
}

func TestTree(t *testing.T) {
	o := open(t, Options{})
	body := func(email string) string {
		return `{"records":[{"attributes":{"type":"Account","referenceId":"acme"},"Name":"Acme","Contacts":{"records":[
		{"attributes":{"type":"Contact","referenceId":"one"},"LastName":"One","Email":"` + email + `"},
		{"attributes":{"type":"Contact","referenceId":"two"},"LastName":"Two"}]}},
		{"attributes":{"type":"Account","referenceId":"other"},"Name":"Other"}]}`
	}
	text := o.want("POST", api+"/composite/tree/Account", body("nobody"), 400, `{"hasErrors":true,"results":[{"referenceId":"one","errors":[{"statusCode":"INVALID_EMAIL_ADDRESS"`)
	if strings.Contains(text, "acme") {
		t.Errorf("the innocent are named: %s", text)
	}
	o.want("GET", "/_sim/stats", "", 200, `"Account":0`)
	o.want("POST", api+"/composite/tree/Account/", body("a@example.com"), 201, `{"hasErrors":false,"results":[{"referenceId":"acme","id":"001`)
	if got := o.soql("SELECT Account.Name FROM Contact WHERE LastName = 'Two'"); !strings.Contains(got, `"Name":"Acme"`) {
		t.Error(got)
	}
	for _, bad := range []string{
		`{"records":[{"attributes":{"type":"Lead","referenceId":"a"}}]}`,
		`{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Contacts":{"records":[7]}}]}`,
		`{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"A"},{"attributes":{"type":"Account","referenceId":"a"},"Name":"B"}]}`,
	} {
		o.want("POST", api+"/composite/tree/Account", bad, 400, "INVALID_INPUT")
	}
	for _, children := range []string{`[{"attributes":{"type":"Contact","referenceId":"b"},"LastName":"B"}]`, `{"recordz":[]}`, `7`, `{"records":{}}`} {
		o.want("POST", api+"/composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"a"},"Name":"A","Contacts":`+children+`}]}`,
			400, "Contacts must be an object with a list of records")
	}
	o.want("POST", api+"/composite/tree/Account", `{"records":[]}`, 400, "no records")
	o.want("POST", api+"/composite/tree/Account", `{"records":[{"attributes":{"type":"Account","referenceId":"a b!"},"Name":"A"}]}`, 400, "must start with a letter")
	// Inside an all-or-nothing request a refused tree takes the rest back.
	o.want("POST", api+"/composite", `{"allOrNone":true,"compositeRequest":[
		{"method":"POST","url":"`+api+`/sobjects/Lead","referenceId":"lead","body":{"LastName":"L","Company":"C"}},
		{"method":"POST","url":"`+api+`/composite/tree/Account","referenceId":"tree","body":`+body("nobody")+`}]}`, 200, "PROCESSING_HALTED")
	o.want("GET", "/_sim/stats", "", 200, `"Lead":0`)
	o.want("GET", "/_sim/stats", "", 200, `"Account":2`)
}

// A tree has at most 200 records, five levels and five types.
func TestTreesAreBounded(t *testing.T) {
	o := open(t, Options{})
	leads := func(n int) string {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"attributes":{"type":"Lead","referenceId":"r%d"},"LastName":"L","Company":"C"}`, i)
		}
		return `{"records":[` + strings.Join(rows, ",") + `]}`
	}
	o.want("POST", api+"/composite/tree/Lead", leads(maxTree), 201, `"hasErrors":false`)
	o.want("POST", api+"/composite/tree/Lead", leads(maxTree+1), 400, "more than 200 records")
	deep := func(levels int) string { // accounts below accounts
		row := ""
		for i := range levels {
			below := ""
			if row != "" {
				below = `,"ChildAccounts":{"records":[` + row + `]}`
			}
			row = fmt.Sprintf(`{"attributes":{"type":"Account","referenceId":"r%d"},"Name":"A"%s}`, i, below)
		}
		return `{"records":[` + row + `]}`
	}
	o.want("POST", api+"/composite/tree/Account", deep(maxTreeDepth), 201, `"hasErrors":false`)
	o.want("POST", api+"/composite/tree/Account", deep(maxTreeDepth+1), 400, "more than 5 levels")
}

// A tree is one call: it takes its parents once, holds them while it takes its
// time, and the lock rate is thrown once for all of its records.
func TestTreesMeetTheRowLock(t *testing.T) {
	o := open(t, Options{})
	event := o.event("fair")
	tree := func(from, n int) string {
		rows := make([]string, n)
		for i := range rows {
			rows[i] = fmt.Sprintf(`{"attributes":{"type":"Turnout_Registration__c","referenceId":"r%d"},"Idempotency_Key__c":"tree-%d","Event__c":"%s","Last_Name__c":"L","Email__c":"l@example.com","Status__c":"Registered"}`, i, from+i, event)
		}
		return `{"records":[` + strings.Join(rows, ",") + `]}`
	}
	o.want("PUT", "/_sim/faults", `{"latency_ms":400}`, 200, "")
	var answers [2]string
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { _, answers[i], _ = o.do("POST", api+"/composite/tree/Turnout_Registration__c", tree(100*i, 3)) })
	}
	group.Wait()
	if n := strings.Count(answers[0]+answers[1], "UNABLE_TO_LOCK_ROW"); n != 3 {
		t.Errorf("%d rows met the lock, not 3: %v", n, answers)
	}
	o.want("GET", "/_sim/stats", "", 200, `"max_in_flight_per_parent":2`)
	o.want("PUT", "/_sim/faults", `{"lock_rate":1}`, 200, "")
	o.want("POST", api+"/composite/tree/Turnout_Registration__c", tree(300, 1), 400, "UNABLE_TO_LOCK_ROW")
	o.want("PUT", "/_sim/faults", `{"lock_rate":0.05}`, 200, "")
	passed := 0
	for i := range 20 { // thrown for each row, one in ten thousand would pass
		if status, _, _ := o.do("POST", api+"/composite/tree/Turnout_Registration__c", tree(1000+1000*i, 180)); status == 201 {
			passed++
		}
	}
	if passed == 0 {
		t.Error("the lock rate is thrown for every row")
	}
}

func TestUpdatedAndDeleted(t *testing.T) {
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	o := open(t, Options{Now: func() time.Time { return now }})
	kept := o.create("Lead", `{"LastName":"Kept","Company":"Example"}`)
	gone := o.create("Lead", `{"LastName":"Gone","Company":"Example"}`)
	o.want("DELETE", api+"/sobjects/Lead/"+gone, "", 204, "")
	span := "?start=2026-05-04T09:59:00%2B00:00&end=2026-05-04T10:01:00%2B00:00"
	o.want("GET", api+"/sobjects/Lead/updated/"+span, "", 200, `{"ids":["`+kept+`"],"latestDateCovered":"2026-05-04T10:00:00.000+0000"}`)
	o.want("GET", api+"/sobjects/Lead/deleted/"+span, "", 200, `{"deletedRecords":[{"id":"`+gone+`","deletedDate":"2026-05-04T10:00:00.000+0000"}],"earliestDateAvailable":"2026-04-04T10:00:00.000+0000",`)
	// A plus sign that was not escaped, and the form without a colon.
	before := "?start=2026-05-04T09:58:00+0000&end=" + url.QueryEscape("2026-05-04T11:59:00+02:00")
	o.want("GET", api+"/sobjects/Lead/updated"+before, "", 200, `{"ids":[],"latestDateCovered":"2026-05-04T09:59:00.000+0000"}`)
	o.want("POST", api+"/sobjects/Lead/updated"+span, "{}", 405, "METHOD_NOT_ALLOWED")
}

func TestSOAP(t *testing.T) {
	o := open(t, Options{})
	envelope := func(header, body string) string {
		return `<?xml version="1.0" encoding="utf-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>` + header + `</env:Header><env:Body>` + body + `</env:Body></env:Envelope>`
	}
	login := func(password string) string {
		return envelope("", `<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>demo</n1:username><n1:password>`+password+`</n1:password></n1:login>`)
	}
	text := o.want("POST", "/services/Soap/u/59.0", login("demo"), 200, "<serverUrl>"+o.url+"/services/Soap/u/59.0/00DSm")
	_, rest, _ := strings.Cut(text, "<sessionId>")
	o.token, _, _ = strings.Cut(rest, "</sessionId>")
	o.want("GET", api+"/limits", "", 200, "DailyApiRequests")
	o.want("POST", "/services/Soap/u/59.0", login("wrong"), 500, "<faultstring>INVALID_LOGIN: Invalid username, password, security token; or user locked out.</faultstring>")
	out := envelope("<SessionHeader><sessionId>"+o.token+"</sessionId></SessionHeader>", "<logout/>")
	o.want("POST", "/services/Soap/u/59.0/00DSm0000000001", out, 200, "<logoutResponse/>")
	o.want("POST", "/services/Soap/u/59.0", out, 500, "<sf:exceptionCode>INVALID_SESSION_ID</sf:exceptionCode>")
	o.want("GET", api+"/limits", "", 401, "INVALID_SESSION_ID")
	o.want("POST", "/services/Soap/u/59.0", envelope("", "<query/>"), 500, "INVALID_OPERATION")
	o.want("POST", "/services/Soap/u/59.0", "{}", 500, "MALFORMED_REQUEST")
	o.want("POST", "/services/Soap/u/20.0", login("demo"), 500, "UNSUPPORTED_API_VERSION")
	o.want("GET", "/services/Soap/u/59.0", "", 405, "METHOD_NOT_ALLOWED")
	o.want("POST", "/services/Soap/m/59.0", login("demo"), 404, "NOT_FOUND")
}
