package simulator

import (
	"encoding/json"
	"strings"
	"testing"
)

func (o *org) job(path, body string) string {
	o.t.Helper()
	var info struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(o.want("POST", path, body, 200, `"state":"`)), &info); err != nil {
		o.t.Fatal(err)
	}
	return path + "/" + info.ID
}

// ended polls a job until it has ended.
func (o *org) ended(job string) string {
	o.t.Helper()
	for {
		body := o.want("GET", job, "", 200, `"state":"`)
		if !strings.Contains(body, "UploadComplete") && !strings.Contains(body, "InProgress") {
			return body
		}
	}
}

func TestBulkDelimitersAndLineEndings(t *testing.T) {
	o := open(t, Options{})
	o.event("fair")
	for name, comma := range map[string]string{"COMMA": ",", "SEMICOLON": ";", "PIPE": "|", "TAB": "\t", "CARET": "^", "BACKQUOTE": "`"} {
		for ending, newline := range map[string]string{"LF": "\n", "CRLF": "\r\n"} {
			job := o.job(api+"/jobs/ingest", `{"object":"Turnout_Registration__c","operation":"insert","contentType":"CSV","columnDelimiter":"`+name+`","lineEnding":"`+ending+`"}`)
			csv := strings.Join([]string{
				strings.Join([]string{"Idempotency_Key__c", "Last_Name__c", "Company__c", "Event__r.Public_Id__c"}, comma),
				strings.Join([]string{name + ending, "Oakhollow", `"a` + comma + `""b"`, "fair"}, comma),
				strings.Join([]string{name + ending + "2", "", "#N/A", "fair"}, comma), ""}, newline)
			o.want("PUT", job+"/batches", csv, 201, "")
			o.want("PATCH", job, `{"id":"x","state":"UploadComplete"}`, 200, "UploadComplete")
			if body := o.ended(job); !strings.Contains(body, `"state":"JobComplete"`) || !strings.Contains(body, `"numberRecordsFailed":1`) {
				t.Fatal(body)
			}
			good := o.want("GET", job+"/successfulResults", "", 200, `"sf__Id"`+comma+`"sf__Created"`+comma)
			if !strings.Contains(good, `"a`+comma+`""b"`) || strings.HasSuffix(good, "\r\n") != (ending == "CRLF") {
				t.Errorf("%q", good)
			}
			o.want("GET", job+"/failedResults", "", 200, `""`+comma+`"REQUIRED_FIELD_MISSING:Required fields are missing: [Last_Name__c]:Last_Name__c --"`)
			o.want("GET", job+"/unprocessedrecords", "", 200, "Idempotency_Key__c")
		}
	}
}

func TestBulkJobLife(t *testing.T) {
	o := open(t, Options{})
	path := api + "/jobs/ingest"
	o.want("POST", path, `{"object":"Nothing__c","operation":"insert"}`, 400, "INVALIDENTITY")
	o.want("POST", path, `{"object":"Lead","operation":"upsert","externalIdFieldName":"Company"}`, 400, "INVALIDJOB")
	o.want("GET", path+"/750Sm0000000000AAA", "", 404, "NOT_FOUND")

	empty := o.job(path, `{"object":"Lead","operation":"insert"}`)
	o.want("PUT", empty+"/batches", "", 201, "")
	o.want("PUT", empty+"/batches", "", 400, "INVALIDJOBSTATE")
	o.want("PATCH", empty, `{"state":"UploadComplete"}`, 200, "")
	if body := o.ended(empty); !strings.Contains(body, "JobComplete") {
		t.Error(body)
	}
	o.want("DELETE", empty, "", 204, "")

	aborted := o.job(path, `{"object":"Lead","operation":"insert"}`)
	o.want("PUT", aborted+"/batches", "LastName,Company\nFerncastle,Example\n", 201, "")
	o.want("PATCH", aborted, `{"state":"Aborted"}`, 200, "Aborted")
	o.want("GET", aborted+"/unprocessedrecords", "", 200, "Ferncastle")
	o.want("PATCH", aborted, `{"state":"UploadComplete"}`, 400, "INVALIDJOBSTATE")

	bad := o.job(path, `{"object":"Lead","operation":"insert"}`)
	o.want("PUT", bad+"/batches", "Nope\n1\n", 201, "")
	o.want("PATCH", bad, `{"state":"UploadComplete"}`, 200, "")
	if body := o.ended(bad); !strings.Contains(body, `"state":"Failed"`) || !strings.Contains(body, "InvalidBatch : Field name not found : Nope") {
		t.Error(body)
	}

	body := "--B\r\nContent-Disposition: form-data; name=\"job\"\r\nContent-Type: application/json\r\n\r\n{\"object\":\"Lead\",\"operation\":\"insert\"}\r\n" +
		"--B\r\nContent-Disposition: form-data; name=\"content\"; filename=\"content\"\r\nContent-Type: text/csv\r\n\r\nLastName,Company\nFerncastle,Example\n\r\n--B--\r\n"
	status, text, _ := o.do("POST", path, body, "Content-Type", `multipart/form-data; boundary="B"`)
	if status != 200 || !strings.Contains(text, "UploadComplete") {
		t.Fatalf("multipart: %d %s", status, text)
	}

	query := o.job(api+"/jobs/query", `{"operation":"query","query":"SELECT Id, Name FROM User"}`)
	o.ended(query)
	_, text, header := o.do("GET", query+"/results?maxRecords=1", "")
	if header.Get("Sforce-Locator") != "null" || header.Get("Sforce-NumberOfRecords") != "1" || !strings.HasPrefix(text, "\"Id\",\"Name\"\n") {
		t.Errorf("%v %s", header, text)
	}
	o.want("GET", strings.Replace(query, "v65", "v64", 1)+"/results", "", 409, "")
	o.want("POST", api+"/jobs/query", `{"operation":"query","query":"SELECT COUNT(Id) FROM User"}`, 400, "API_ERROR")
}

// A job that was closed before the process died is done after the restart.
func TestBulkJobSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	sim, err := New(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Open(t.Context()); err != nil { // Run never runs: the job waits
		t.Fatal(err)
	}
	o := serve(t, sim)
	job := o.job(api+"/jobs/ingest", `{"object":"Lead","operation":"insert"}`)
	o.want("PUT", job+"/batches", "LastName,Company\nFerncastle,Example\n", 201, "")
	o.want("PATCH", job, `{"state":"UploadComplete"}`, 200, "UploadComplete")
	o = open(t, Options{Dir: dir})
	if body := o.ended(job); !strings.Contains(body, `"numberRecordsProcessed":1`) {
		t.Error(body)
	}
	o.want("GET", "/_sim/stats", "", 200, `"Lead":1`)
}
