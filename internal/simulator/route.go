package simulator

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout/internal/simulator/misbehave"
	"github.com/turnout-events/turnout/internal/simulator/records"
)

// The API versions on offer, see the versions resource. What is older than
// oldestVersion but not retired is simply unknown here.
const (
	oldestVersion  = 45
	newestVersion  = 67
	retiredVersion = 30
	// maxBody is the largest request body, in bytes: a bulk upload.
	maxBody = 160 << 20
)

// reply is a whole answer, kept back until the call is over so that it can be
// lost, packed or put into a composite one.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) with(key, value string) reply {
	if r.header == nil {
		r.header = http.Header{}
	}
	r.header.Set(key, value)
	return r
}

func jsonReply(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		return failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "the reply cannot be written")
	}
	return reply{status: status, body: body}
}

// restError is an element of the error array of REST replies.
type restError struct {
	Message string   `json:"message"`
	Code    string   `json:"errorCode"`
	Fields  []string `json:"fields,omitempty"`
}

func failure(status int, code, message string, fields ...string) reply {
	return jsonReply(status, []restError{{Message: message, Code: code, Fields: fields}})
}

func notFound() reply {
	return failure(http.StatusNotFound, "NOT_FOUND", "The requested resource does not exist")
}

func notAllowed(method string) reply {
	return failure(http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "HTTP Method '"+method+"' not allowed. Allowed are other methods")
}

// call is one API request, or one part of a composite request.
type call struct {
	s       *Simulator
	request *http.Request
	method  string
	query   url.Values
	header  http.Header
	body    []byte
	version int
	base    string   // "/services/data/v65.0"
	rest    []string // path segments after the version
	origin  string   // "https://host" of this request

	operation string
	holder    *holder     // what this HTTP request holds locked
	tx        *records.Tx // of an all-or-nothing composite request
	nested    bool        // part of a composite request
	locked    bool        // parents were taken and the lock rate was applied
}

// split cuts a path into its decoded segments. Empty ones vanish: clients join
// with double slashes and put a slash before the query.
func split(u *url.URL) []string {
	var segments []string
	for segment := range strings.SplitSeq(u.EscapedPath(), "/") {
		if segment == "" {
			continue
		}
		if text, err := url.PathUnescape(segment); err == nil {
			segment = text
		}
		segments = append(segments, segment)
	}
	return segments
}

// serveAPI runs one HTTP request through the faults, the session check and the
// resource, and writes what came of it.
func (s *Simulator) serveAPI(w http.ResponseWriter, r *http.Request, segments []string) {
	if len(r.RequestURI) > 16384 {
		s.send(w, r, failure(http.StatusRequestURITooLong, "URI_TOO_LONG", "The URI is longer than 16384 bytes"))
		return
	}
	faults := s.faults.Current()
	if segments[0] == "services" {
		if broken, ok := s.misbehave(faults); ok {
			s.send(w, r, broken)
			return
		}
	}
	body, err := readBody(w, r)
	if err != nil {
		s.send(w, r, failure(http.StatusBadRequest, "INVALID_CONTENT", "the request body cannot be read: "+err.Error()))
		return
	}
	c := &call{s: s, request: r, method: r.Method, query: r.URL.Query(), header: r.Header, body: body, origin: origin(r),
		holder: s.locks.holder(r.Context(), faults)}
	defer c.holder.release()
	done := s.meter.begin()
	defer done()
	out := c.dispatch(segments)
	if c.operation != "" {
		s.meter.count(c.operation)
	}
	if len(segments) > 2 && c.method != http.MethodGet && segments[1] == "data" && rand.Float64() < faults.LoseReplyRate {
		s.meter.lost()
		panic(http.ErrAbortHandler) // the connection dies with the work done
	}
	if c.base != "" {
		out = out.with("Sforce-Limit-Info", s.meter.limitInfo(faults))
	}
	s.send(w, r, out)
}

// misbehave answers in place of the API during an outage or by error rate.
func (s *Simulator) misbehave(f misbehave.Faults) (reply, bool) {
	if f.OutageSeconds > 0 {
		s.meter.count("refused_outage")
		return htmlReply(http.StatusServiceUnavailable, "We are down for maintenance."), true
	}
	if rand.Float64() >= f.ErrorRate {
		return reply{}, false
	}
	s.meter.count("refused_error")
	switch rand.IntN(5) {
	case 0:
		return htmlReply(http.StatusBadGateway, "Error: the instance could not be reached."), true
	case 1:
		return htmlReply(420, "Stay tuned. We are setting things up."), true
	case 2:
		return failure(http.StatusServiceUnavailable, "SERVER_UNAVAILABLE", "The server is temporarily unavailable"), true
	case 3:
		return reply{status: http.StatusNotAcceptable}, true
	}
	return failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (0)"), true
}

// htmlReply is an error as HTML: what stands before Salesforce's API answers so.
func htmlReply(status int, text string) reply {
	r := reply{status: status, body: fmt.Appendf(nil, "<!DOCTYPE html>\n<html><head><title>%s</title></head><body><h1>%s</h1></body></html>\n", text, text)}
	return r.with("Content-Type", "text/html; charset=UTF-8")
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	limited := http.MaxBytesReader(w, r.Body, maxBody)
	if !strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		return io.ReadAll(limited)
	}
	unpacked, err := gzip.NewReader(limited)
	if errors.Is(err, io.EOF) {
		return nil, nil // clients that pack every request say so of empty ones, too
	}
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(unpacked, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errors.New("the unpacked body is too large")
	}
	return body, err
}

// send writes a reply, packed when the client takes gzip and it pays.
func (s *Simulator) send(w http.ResponseWriter, r *http.Request, out reply) {
	header := w.Header()
	for key, values := range out.header {
		header[key] = values
	}
	if header.Get("Content-Type") == "" && len(out.body) > 0 {
		header.Set("Content-Type", "application/json;charset=UTF-8")
	}
	if len(out.body) < 1024 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Length", strconv.Itoa(len(out.body)))
		w.WriteHeader(out.status)
		s.wrote(w.Write(out.body))
		return
	}
	header.Set("Content-Encoding", "gzip")
	w.WriteHeader(out.status)
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return // the level is a constant; it cannot be wrong
	}
	s.wrote(packed.Write(out.body))
	s.wrote(0, packed.Close())
}

func (s *Simulator) wrote(_ int, err error) {
	if err != nil {
		s.log.Debug("the client went away before its reply", "error", err)
	}
}

func origin(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

// dispatch finds the resource by the path's first segments.
func (c *call) dispatch(segments []string) reply {
	switch {
	case segments[0] == "id":
		return c.identity(segments)
	case len(segments) < 2:
		return notFound()
	case segments[1] == "oauth2":
		return c.oauth(segments[2:])
	case segments[1] == "Soap":
		return c.soapCall(segments[2:])
	case segments[1] != "data":
		return notFound()
	case len(segments) == 2:
		c.operation = "versions"
		return versions()
	}
	return c.data(segments[2:])
}

// data checks version, session and limits, then calls the resource.
func (c *call) data(segments []string) reply {
	version, refused := offered(segments[0])
	if refused != nil {
		return *refused
	}
	c.version, c.base, c.rest = version, "/services/data/"+segments[0], segments[1:]
	if !c.s.tokens.Valid(bearer(c.header)) {
		return failure(http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
	}
	if message := c.s.meter.use(c.holder.faults); message != "" {
		return failure(http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", message)
	}
	if kind := c.header.Get("Content-Type"); !c.takes(kind) {
		return failure(http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "Content-Type not supported: "+kind)
	}
	return c.resource()
}

// takes reports whether a body of that type is read: JSON, a job with its data
// in several parts, or the upload of a job's data, whatever it is called.
// Without a body or a type there is nothing to refuse.
func (c *call) takes(contentType string) bool {
	if len(c.body) == 0 || contentType == "" || slices.Contains(c.rest, "batches") {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "multipart/"))
}

// offered reads the version of an address, or says why there is none.
func offered(segment string) (version int, refused *reply) {
	version, ok := parseVersion(segment)
	switch {
	case !ok || version > newestVersion || version > retiredVersion && version < oldestVersion:
		none := notFound()
		return 0, &none
	case version <= retiredVersion:
		gone := failure(http.StatusGone, "GONE", "The requested API version is no longer available: "+segment)
		return 0, &gone
	}
	return version, nil
}

// resource calls what the path after the version names. Composite requests
// enter here for each of their parts.
func (c *call) resource() reply {
	if len(c.rest) == 0 {
		c.operation = "resources"
		return c.resources()
	}
	switch c.rest[0] {
	case "limits":
		c.operation = "limits"
		return c.limits()
	case "query", "queryAll":
		return c.queries()
	case "sobjects":
		return c.sobjects()
	case "composite":
		return c.composites()
	case "jobs":
		return c.jobs()
	case "search", "parameterizedSearch":
		c.operation = "search"
		return failure(http.StatusNotFound, "NOT_FOUND", "this simulated org has no SOSL search: use query")
	}
	return notFound()
}

func parseVersion(segment string) (int, bool) {
	number, ok := strings.CutPrefix(segment, "v")
	whole, zero, dot := strings.Cut(number, ".")
	version, err := strconv.Atoi(whole)
	return version, ok && dot && zero == "0" && err == nil && version > 0
}

func bearer(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "OAuth") {
		return ""
	}
	return strings.TrimSpace(token)
}

// versions lists the API versions, two releases of three a year apart.
func versions() reply {
	type entry struct {
		Label   string `json:"label"`
		URL     string `json:"url"`
		Version string `json:"version"`
	}
	var list []entry
	seasons := [...]string{"Summer", "Winter", "Spring"}
	for v := oldestVersion; v <= newestVersion; v++ {
		// v67 is Summer '26, v66 Spring '26, v65 Winter '26.
		back := newestVersion - v
		season := seasons[((-back)%3+3)%3]
		year := 26 - back/3
		number := strconv.Itoa(v) + ".0"
		list = append(list, entry{Label: fmt.Sprintf("%s '%02d", season, year), URL: "/services/data/v" + number, Version: number})
	}
	return jsonReply(http.StatusOK, list)
}

func (c *call) resources() reply {
	names := []string{"composite", "jobs", "limits", "query", "queryAll", "sobjects"}
	out := map[string]string{"identity": c.origin + "/id/" + c.orgID() + "/" + c.userID()}
	for _, name := range names {
		out[name] = c.base + "/" + name
	}
	return jsonReply(http.StatusOK, out)
}

func (c *call) limits() reply {
	type limit struct{ Max, Remaining int }
	used, most := c.s.meter.usage(c.holder.faults)
	return jsonReply(http.StatusOK, map[string]limit{
		"DailyApiRequests":                  {most, max(0, most-used)},
		"DailyAsyncApexExecutions":          {250000, 250000},
		"DailyBulkApiBatches":               {15000, 15000},
		"DailyBulkV2QueryJobs":              {10000, 10000},
		"DailyBulkV2QueryFileStorageMB":     {976562, 976562},
		"DailyDeliveredPlatformEvents":      {25000, 25000},
		"DailyStandardVolumePlatformEvents": {25000, 25000},
		"HourlyPublishedPlatformEvents":     {250000, 250000},
		"ConcurrentAsyncGetReportInstances": {200, 200},
		"DataStorageMB":                     {10240, 10240},
		"FileStorageMB":                     {10240, 10240},
		"SingleEmail":                       {5000, 5000},
	})
}
