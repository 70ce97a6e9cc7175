package endpoint

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/problem"
)

// document is the OpenAPI 3.1 description of the routes, as JSON.
func document(o Options) ([]byte, error) {
	types := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{
		OpenAPI:    "3.1.0",
		Info:       &huma.Info{Title: o.Title, Version: "1", Description: o.About},
		Servers:    []*huma.Server{{URL: "/"}},
		Components: &huma.Components{Schemas: types},
	}
	for _, route := range o.Routes {
		doc.AddOperation(operation(route, types))
	}
	return json.Marshal(doc)
}

var inPath = regexp.MustCompile(`\{(\w+)\}`)

func operation(route Route, types huma.Registry) *huma.Operation {
	op := &huma.Operation{
		Method: route.Method, Path: route.Path, OperationID: route.ID, Summary: route.Summary, Description: route.About,
		Responses: map[string]*huma.Response{},
	}
	text := &huma.Schema{Type: huma.TypeString}
	for _, found := range inPath.FindAllStringSubmatch(route.Path, -1) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: found[1], In: "path", Required: true, Schema: text})
	}
	for _, p := range route.Params {
		op.Parameters = append(op.Parameters, &huma.Param{Name: p.Name, In: p.In, Description: p.About, Required: p.Required, Schema: text})
	}
	if route.Do.body != nil {
		op.RequestBody = &huma.RequestBody{Required: true, Content: content("application/json", route.Do.body, types)}
	}
	for _, answer := range route.Answers {
		op.Responses[strconv.Itoa(answer.Status)] = response(answer, types)
	}
	for status, codes := range byStatus(route) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: "Problem: " + codes, Content: content(problem.ContentType, reflect.TypeFor[problem.Problem](), types),
		}
	}
	return op
}

func response(answer Answer, types huma.Registry) *huma.Response {
	out := &huma.Response{Description: answer.About}
	if answer.Status == http.StatusCreated {
		out.Headers = map[string]*huma.Param{"Location": {Description: "Where it is from now on.", Schema: &huma.Schema{Type: huma.TypeString}}}
	}
	media := answer.Type
	if media == "" {
		media = "application/json"
	}
	if answer.Body != nil {
		out.Content = content(media, reflect.TypeOf(answer.Body), types)
	}
	return out
}

func content(media string, t reflect.Type, types huma.Registry) map[string]*huma.MediaType {
	return map[string]*huma.MediaType{media: {Schema: types.Schema(t, true, t.Name())}}
}

// byStatus are the codes or types that a route may refuse with, by HTTP status. Those
// that any route may answer are among them: 405 to other methods on its path,
// 421 under a host that is nobody's. A call that takes no body may be sent one
// all the same, which is then read and refused like any other.
func byStatus(route Route) map[int]string {
	codes := append(slices.Clone(route.Refusals), turnout.CodeInternal)
	statuses := []int{http.StatusMethodNotAllowed, http.StatusMisdirectedRequest}
	if route.Method != http.MethodGet {
		codes = append(codes, turnout.CodeForbidden, turnout.CodeMalformed, turnout.CodeInvalid, turnout.CodeTooLarge)
		statuses = append(statuses, http.StatusRequestTimeout)
	}
	if route.Method != http.MethodGet && route.Handler == nil {
		statuses = append(statuses, http.StatusUnsupportedMediaType)
	}
	slices.Sort(codes)
	out := map[int]string{}
	for _, status := range statuses {
		out[status] = problem.Name(status)
	}
	for _, code := range slices.Compact(codes) {
		status := problem.Status(code)
		if out[status] != "" {
			out[status] += ", "
		}
		out[status] += string(code)
	}
	return out
}
