package simulator

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/bulk"
	"github.com/turnout-events/turnout/internal/simulator/query"
)

// maxMultipart is the largest job that may come with its data in one request,
// in characters, from the Bulk API guide.
const maxMultipart = 100_000

// defaultExport is how many rows a page of query results has when the client
// names no maxRecords.
const defaultExport = 50_000

// jobs routes /jobs/ingest/… and /jobs/query/…
func (c *call) jobs() reply {
	if len(c.rest) < 2 || c.rest[1] != "ingest" && c.rest[1] != "query" || c.nested {
		return notFound()
	}
	kind := bulk.Kind(c.rest[1])
	c.holder.wait()
	switch len(c.rest) {
	case 2:
		if c.method == http.MethodGet {
			c.operation = "bulk_jobs"
			return c.listJobs(kind)
		}
		if c.method != http.MethodPost {
			return notAllowed(c.method)
		}
		c.operation = "bulk_" + string(kind) + "_job"
		return c.createJob(kind)
	case 3:
		return c.job(kind, c.rest[2])
	case 4:
		return c.jobPart(kind, c.rest[2], c.rest[3])
	}
	return notFound()
}

func jobFailure(err error) reply {
	switch {
	case errors.Is(err, bulk.ErrNotFound):
		return failure(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
	case errors.Is(err, bulk.ErrState):
		return failure(http.StatusBadRequest, "INVALIDJOBSTATE", "The job is not in a state that allows this request")
	case errors.Is(err, bulk.ErrInput):
		return failure(http.StatusBadRequest, "INVALIDJOB", "InvalidJob : "+err.Error())
	}
	return failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", err.Error())
}

type jobRequest struct {
	Object     string `json:"object"`
	Operation  string `json:"operation"`
	ExternalID string `json:"externalIdFieldName"`
	Query      string `json:"query"`
	Delimiter  string `json:"columnDelimiter"`
	LineEnding string `json:"lineEnding"`
	Content    string `json:"contentType"`
	State      string `json:"state"`
}

func (c *call) createJob(kind bulk.Kind) reply {
	body, data, err := c.jobBody()
	if err != nil {
		return failure(http.StatusBadRequest, "INVALIDJOB", err.Error())
	}
	var ask jobRequest
	if fault := decode(body, &ask); fault != nil {
		return refusal(fault)
	}
	if ask.Content != "" && ask.Content != "CSV" {
		return failure(http.StatusBadRequest, "INVALIDJOB", "InvalidJob : contentType must be CSV")
	}
	info := bulk.Info{Kind: kind, Operation: ask.Operation, Object: ask.Object, ExternalID: ask.ExternalID, Query: ask.Query,
		Delimiter: ask.Delimiter, LineEnding: ask.LineEnding, Version: c.version, User: c.userID()}
	var refused *reply
	if kind == bulk.Query {
		refused = c.checkQueryJob(&info)
	} else {
		refused = c.checkIngestJob(info)
	}
	if refused != nil {
		return *refused
	}
	if info, err = c.s.jobs.Create(info); err != nil {
		return jobFailure(err)
	}
	if data != nil {
		if err = c.s.jobs.Upload(info.ID, data); err == nil {
			info, err = c.s.jobs.Move(kind, info.ID, bulk.UploadComplete)
		}
		if err != nil {
			return jobFailure(err)
		}
	}
	return c.jobReply(info)
}

// jobBody is the job's JSON and, of a multipart request, the data that came
// with it.
func (c *call) jobBody() (body, data []byte, err error) {
	kind, params, _ := mime.ParseMediaType(c.header.Get("Content-Type"))
	if !strings.HasPrefix(kind, "multipart/") {
		return c.body, nil, nil
	}
	if len(c.body) > maxMultipart+10_000 {
		return nil, nil, errors.New("a multipart job must not be longer than 100000 characters")
	}
	reader := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		switch part.FormName() {
		case "job":
			body = content
		case "content":
			data = content
		}
	}
	if body == nil || data == nil {
		return nil, nil, errors.New("a multipart job needs the parts job and content")
	}
	return body, data, nil
}

func (c *call) checkIngestJob(info bulk.Info) *reply {
	refuse := func(code, message string) *reply {
		out := failure(http.StatusBadRequest, code, message)
		return &out
	}
	object := c.s.store.Schema().Object(info.Object)
	if object == nil || object.ReadOnly {
		return refuse("INVALIDENTITY", "InvalidEntity : Entity '"+info.Object+"' is not supported by the Bulk API.")
	}
	switch info.Operation {
	case "insert", "update", "delete", "hardDelete":
	case "upsert":
		if key := object.Field(info.ExternalID); key == nil || !key.Key() {
			return refuse("INVALIDJOB", "InvalidJob : Field name provided, "+info.ExternalID+" does not match an External ID, Salesforce Id, or indexed field for "+object.Name)
		}
	default:
		return refuse("INVALIDJOB", "InvalidJob : operation '"+info.Operation+"' is unknown")
	}
	return nil
}

func (c *call) checkQueryJob(info *bulk.Info) *reply {
	if info.Operation != "query" && info.Operation != "queryAll" {
		out := failure(http.StatusBadRequest, "INVALIDJOB", "InvalidJob : operation must be query or queryAll")
		return &out
	}
	plan, err := query.Compile(c.s.store.Schema(), info.Query, c.s.now())
	if err != nil {
		out := soqlFailure(err)
		return &out
	}
	if !plan.Exportable() {
		out := failure(http.StatusBadRequest, "API_ERROR", "Aggregate functions, GROUP BY, OFFSET and parent-to-child queries are not supported in a bulk query")
		return &out
	}
	info.Object = plan.Object.Name
	return nil
}

func (c *call) listJobs(kind bulk.Kind) reply {
	list := []map[string]any{}
	for _, info := range c.s.jobs.List(kind) {
		list = append(list, c.jobJSON(info))
	}
	return jsonReply(http.StatusOK, map[string]any{"done": true, "records": list, "nextRecordsUrl": nil})
}

func (c *call) job(kind bulk.Kind, id string) reply {
	switch c.method {
	case http.MethodGet:
		c.operation = "bulk_status"
		info, err := c.s.jobs.Get(kind, id)
		if err != nil {
			return jobFailure(err)
		}
		return c.jobReply(info)
	case http.MethodPatch:
		c.operation = "bulk_close"
		var ask jobRequest // clients send the whole job back; only its state counts
		if fault := decode(c.body, &ask); fault != nil {
			return refusal(fault)
		}
		info, err := c.s.jobs.Move(kind, id, bulk.State(ask.State))
		if err != nil {
			return jobFailure(err)
		}
		return c.jobReply(info)
	case http.MethodDelete:
		c.operation = "bulk_delete"
		if err := c.s.jobs.Delete(kind, id); err != nil {
			return jobFailure(err)
		}
		return reply{status: http.StatusNoContent}
	}
	return notAllowed(c.method)
}

func (c *call) jobPart(kind bulk.Kind, id, part string) reply {
	if kind == bulk.Ingest && part == "batches" {
		if c.method != http.MethodPut {
			return notAllowed(c.method)
		}
		c.operation = "bulk_upload"
		if err := c.s.jobs.Upload(id, c.body); err != nil {
			return jobFailure(err)
		}
		return reply{status: http.StatusCreated}
	}
	if c.method != http.MethodGet {
		return notAllowed(c.method)
	}
	c.operation = "bulk_results"
	if kind == bulk.Query {
		if part != "results" {
			return notFound()
		}
		return c.exported(id)
	}
	body, _, err := c.s.jobs.Results(id, part)
	if err != nil {
		return jobFailure(err)
	}
	return csvReply(body)
}

func csvReply(body []byte) reply {
	return reply{status: http.StatusOK, body: body}.with("Content-Type", "text/csv")
}

// exported is a page of query results. The locator is the text "null" at the end.
func (c *call) exported(id string) reply {
	info, err := c.s.jobs.Get(bulk.Query, id)
	if err != nil {
		return jobFailure(err)
	}
	if info.Version != c.version {
		return failure(http.StatusConflict, "API_VERSION_MISMATCH", "Use the API version that the job was made with")
	}
	from, most := 0, defaultExport
	if locator := c.query.Get("locator"); locator != "" && locator != "null" {
		if from, err = strconv.Atoi(strings.TrimPrefix(locator, "MTA")); err != nil {
			return failure(http.StatusBadRequest, "INVALIDLOCATOR", "The locator is not of this job")
		}
	}
	if text := c.query.Get("maxRecords"); text != "" {
		if most, err = strconv.Atoi(text); err != nil || most < 1 {
			return failure(http.StatusBadRequest, "INVALID_INPUT", "maxRecords must be a positive whole number")
		}
	}
	body, rows, next, err := c.s.jobs.Exported(id, from, most)
	if err != nil {
		return jobFailure(err)
	}
	locator := "null"
	if next >= 0 {
		locator = "MTA" + strconv.Itoa(next)
	}
	return csvReply(body).with("Sforce-Locator", locator).with("Sforce-NumberOfRecords", strconv.Itoa(rows))
}

func (c *call) jobReply(info bulk.Info) reply { return jsonReply(http.StatusOK, c.jobJSON(info)) }

// jobJSON is a job in the API's shape; numbers appear once there are some.
func (c *call) jobJSON(info bulk.Info) map[string]any {
	out := map[string]any{
		"id": info.ID, "operation": info.Operation, "object": info.Object, "createdById": info.User,
		"createdDate": info.Created.Format(wireTime), "systemModstamp": info.Stamp.Format(wireTime), "state": info.State,
		"concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": info.Version,
		"lineEnding": info.LineEnding, "columnDelimiter": info.Delimiter,
	}
	if info.Kind == bulk.Ingest {
		out["jobType"] = "V2Ingest"
		if info.State == bulk.Open {
			out["contentUrl"] = strings.TrimPrefix(c.base, "/") + "/jobs/ingest/" + info.ID + "/batches"
		}
		if info.ExternalID != "" {
			out["externalIdFieldName"] = info.ExternalID
		}
		out["apexProcessingTime"], out["apiActiveProcessingTime"] = 0, info.Millis
	} else {
		out["jobType"] = "V2Query"
	}
	if c.operation == "bulk_status" || info.Kind == bulk.Ingest && c.operation == "bulk_close" {
		out["numberRecordsProcessed"], out["retries"], out["totalProcessingTime"] = info.Processed, 0, info.Millis
		if info.Kind == bulk.Ingest {
			out["numberRecordsFailed"] = info.Failures
		}
	}
	if info.Error != "" {
		out["errorMessage"] = info.Error
	}
	return out
}
