package simulator

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Refusals come for Salesforce's reasons, in its codes and statuses.
func TestRefusals(t *testing.T) {
	o := open(t, Options{})
	event := o.event("fair")
	o.create("Turnout_Registration__c", `{"Idempotency_Key__c":"taken","Last_Name__c":"Oakhollow"}`)
	campaign := o.create("Campaign", `{"Name":"Appeal"}`)
	lead := o.create("Lead", `{"LastName":"Marlstone","Company":"Example"}`)
	o.create("CampaignMember", `{"CampaignId":"`+campaign+`","LeadId":"`+lead+`"}`)
	gone := o.create("Lead", `{"LastName":"Gone","Company":"Example"}`)
	o.want("DELETE", api+"/sobjects/Lead/"+gone, "", 204, "")
	reg, row := api+"/sobjects/Turnout_Registration__c", api+"/sobjects/Turnout_Event__c/"+event
	long := strings.Repeat("x", 81)

	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code, part               string
	}{
		{"required", "POST", reg, `{"Idempotency_Key__c":"a"}`, 400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Last_Name__c]"},
		{"length", "POST", reg, `{"Idempotency_Key__c":"a","Last_Name__c":"` + long + `"}`, 400, "STRING_TOO_LONG", "(max length=80)"},
		{"email", "POST", reg, `{"Idempotency_Key__c":"a","Last_Name__c":"B","Email__c":"a@b"}`, 400, "INVALID_EMAIL_ADDRESS", "Email__c"},
		{"picklist", "POST", reg, `{"Idempotency_Key__c":"a","Last_Name__c":"B","Status__c":"Perhaps"}`, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Perhaps"},
		{"number", "PATCH", row, `{"Seats__c":1e19}`, 400, "NUMBER_OUTSIDE_VALID_RANGE", "Seats__c"},
		{"number as word", "PATCH", row, `{"Seats__c":"many"}`, 400, "JSON_PARSER_ERROR", "double"},
		{"date", "PATCH", row, `{"Starts_At__c":"tomorrow"}`, 400, "JSON_PARSER_ERROR", "datetime"},
		{"boolean", "PATCH", row, `{"Online__c":12}`, 400, "JSON_PARSER_ERROR", "boolean"},
		{"unknown field", "PATCH", row, `{"Nope__c":1}`, 400, "INVALID_FIELD", "No such column 'Nope__c' on sobject of type Turnout_Event__c"},
		{"read-only field", "PATCH", row, `{"CreatedDate":"2026-01-01T00:00:00Z"}`, 400, "INVALID_FIELD_FOR_INSERT_UPDATE", "CreatedDate"},
		{"unique", "POST", reg, `{"Idempotency_Key__c":"taken","Last_Name__c":"B"}`, 400, "DUPLICATE_VALUE", "duplicate value found: Idempotency_Key__c duplicates value on record with id: "},
		{"bad id", "POST", reg, `{"Idempotency_Key__c":"a","Last_Name__c":"B","Event__c":"x"}`, 400, "MALFORMED_ID", "Event__c"},
		{"no such parent", "POST", reg, `{"Idempotency_Key__c":"a","Last_Name__c":"B","Event__c":"a00Sm0000000zzz"}`, 400, "INVALID_CROSS_REFERENCE_KEY", ""},
		{"no such parent key", "POST", reg, `{"Idempotency_Key__c":"a","Last_Name__c":"B","Event__r":{"Public_Id__c":"x"}}`, 400, "INVALID_FIELD", "Foreign key external ID: x not found for field Public_Id__c in entity Turnout_Event__c"},
		{"deleted parent", "POST", api + "/sobjects/CampaignMember", `{"CampaignId":"` + campaign + `","LeadId":"` + gone + `"}`, 404, "ENTITY_IS_DELETED", ""},
		{"member twice", "POST", api + "/sobjects/CampaignMember", `{"CampaignId":"` + campaign + `","LeadId":"` + lead + `"}`, 400, "DUPLICATE_VALUE", "Already a campaign member."},
		{"member status", "POST", api + "/sobjects/CampaignMemberStatus", `{"CampaignId":"` + campaign + `"}`, 400, "REQUIRED_FIELD_MISSING", "Label"},
		{"unknown object", "POST", api + "/sobjects/Nothing__c", `{}`, 404, "NOT_FOUND", ""},
		{"never existed", "GET", api + "/sobjects/Lead/00QSm0000000zzz", "", 404, "NOT_FOUND", ""},
		{"deleted twice", "DELETE", api + "/sobjects/Lead/" + gone, "", 404, "ENTITY_IS_DELETED", "entity is deleted"},
		{"not a key", "PATCH", api + "/sobjects/Lead/Company/x", `{}`, 404, "NOT_FOUND", "Provided external ID field does not exist or is not accessible: Company"},
		{"key in the body", "PATCH", reg + "/Idempotency_Key__c/k", `{"Idempotency_Key__c":"k","Last_Name__c":"B"}`, 400, "INVALID_FIELD", "should not be specified in the sobject data"},
		{"update only", "PATCH", reg + "/Idempotency_Key__c/none?updateOnly=true", `{"Last_Name__c":"B"}`, 404, "NOT_FOUND", ""},
		{"broken JSON", "POST", reg, `{`, 400, "JSON_PARSER_ERROR", ""},
		{"method", "PUT", reg, `{}`, 405, "METHOD_NOT_ALLOWED", ""},
		{"layouts", "GET", api + "/sobjects/Lead/describe/layouts", "", 404, "NOT_FOUND", "The requested resource does not exist"},
		{"search", "GET", api + "/search?q=" + url.QueryEscape("FIND {a}"), "", 404, "NOT_FOUND", "SOSL"},
		{"updated without a span", "GET", api + "/sobjects/Lead/updated", "", 400, "MALFORMED_QUERY", "start and end"},
		{"updated backwards", "GET", api + "/sobjects/Lead/updated?start=2999-01-02T00:00:00Z&end=2999-01-01T00:00:00Z", "", 400, "INVALID_REPLICATION_DATE", ""},
		{"deleted long ago", "GET", api + "/sobjects/Lead/deleted?start=2001-01-02T00:00:00Z&end=2001-01-03T00:00:00Z", "", 400, "INVALID_REPLICATION_DATE", "30 days"},
		{"batch in one", "POST", api + "/composite/batch", `{"batchRequests":[` + strings.Repeat(`{},`, 25) + `{}]}`, 400, "LIMIT_EXCEEDED", ""},
		{"tree of nothing", "POST", api + "/composite/tree/Nothing__c", `{"records":[]}`, 404, "NOT_FOUND", ""},
		{"tree without references", "POST", api + "/composite/tree/Lead", `{"records":[{"attributes":{"type":"Lead"}}]}`, 400, "INVALID_INPUT", "reference ID"},
		{"retired version", "GET", "/services/data/v30.0/sobjects", "", 410, "GONE", ""},
		{"future version", "GET", "/services/data/v68.0/sobjects", "", 404, "NOT_FOUND", ""},
		{"query type", "GET", api + "/query?q=select+count()+from+XYZZY", "", 400, "INVALID_TYPE", `ERROR at Row:1:Column:21\nsObject type 'XYZZY' is not supported.`},
		{"query offset", "GET", api + "/query?q=SELECT+Id+FROM+Lead+OFFSET+2001", "", 400, "NUMBER_OUTSIDE_VALID_RANGE", ""},
		{"query locator", "GET", api + "/query/01gxx-2000", "", 400, "INVALID_QUERY_LOCATOR", ""},
		{"quoted number", "GET", api + "/query?q=" + url.QueryEscape("SELECT Id FROM Turnout_Event__c WHERE Seats__c = '1'"), "", 400, "INVALID_FIELD", "should not be enclosed in quotes"},
		{"too many rows", "PATCH", upsertPath, registrations("fair", 0, 201, false), 400, "EXCEEDED_ID_LIMIT", ""},
		{"reparent a detail", "PATCH", upsertPath, `{"records":[{"Idempotency_Key__c":"x"}]}`, 400, "INVALID_INPUT", "attributes.type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := *o
			o.t = t
			text := o.want(c.method, c.path, c.body, c.status, `"errorCode":"`+c.code+`"`)
			if !strings.Contains(text, c.part) {
				t.Errorf("%q is not in %s", c.part, text)
			}
		})
	}
}

func TestOAuth(t *testing.T) {
	o := open(t, Options{ClientSecret: "s3"})
	post := func(form url.Values, change func(*http.Request)) (int, string) {
		request, err := http.NewRequest("POST", o.url+"/services/oauth2/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(request)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var b strings.Builder
		_ = response.Write(&b)
		return response.StatusCode, b.String()
	}
	plain := func(*http.Request) {}
	basic := func(r *http.Request) { r.SetBasicAuth("demo", "s3") }
	for _, c := range []struct {
		form   url.Values
		change func(*http.Request)
		status int
		part   string
	}{
		{url.Values{"grant_type": {"client_credentials"}}, basic, 200, `"token_type":"Bearer"`},
		{url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo"}, "client_secret": {"no"}}, plain, 400, `"error":"invalid_client"`},
		{url.Values{"grant_type": {"client_credentials"}, "client_id": {"no"}, "client_secret": {"s3"}}, plain, 400, `"error":"invalid_client_id"`},
		{url.Values{"grant_type": {"device"}}, plain, 400, `"error":"unsupported_grant_type"`},
		{url.Values{"grant_type": {"password"}}, plain, 400, `"error":"invalid_client_id"`},
		{url.Values{"grant_type": {"password"}, "username": {"demo"}, "password": {"s3"}}, basic, 200, `"instance_url":"http://`},
		{url.Values{"grant_type": {"password"}, "username": {"demo"}, "password": {"demo"}}, basic, 400, `"error_description":"authentication failure"`},
		{url.Values{"grant_type": {"password"}, "username": {"who"}, "password": {"s3"}}, basic, 400, `"error":"invalid_grant"`},
		{url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"s3"}}, basic, 200, `"token_type":"Bearer"`},
		{url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"old"}}, basic, 400, `"error_description":"expired access/refresh token"`},
		{url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"a.b.c"}}, plain, 400, `"error":"invalid_grant"`},
	} {
		if status, body := post(c.form, c.change); status != c.status || !strings.Contains(body, c.part) {
			t.Errorf("%v: %d %s", c.form, status, body)
		}
	}
	o.want("GET", "/services/oauth2/userinfo", "", 200, `"organization_id":"00DSm0`)
	o.want("POST", "/services/oauth2/revoke?token="+url.QueryEscape(o.token), "", 200, "")
	o.want("GET", api+"/limits", "", 401, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
}

// Known clients send the header of a packed body where there is none.
func TestEmptyBodyMayBePacked(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("Content-Encoding", "gzip")
	if body, err := readBody(httptest.NewRecorder(), r); err != nil || len(body) != 0 {
		t.Errorf("%q, %v", body, err)
	}
}
