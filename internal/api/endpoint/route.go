// Package endpoint turns a table of routes into an HTTP handler and into the
// OpenAPI 3.1 document that describes it, so that the two cannot differ.
//
// What it promises of every route: bodies are JSON of at most a size, read
// within a time, and taken exactly as documented (names by their case, none
// twice, none unknown, UTF-8 only); refusals are RFC 9457 problems; what was
// sent is never repeated in a refusal or a log (P8); answers are kept by no
// cache and no search engine unless the route says so; and a page of another
// origin can make none of the unsafe calls. The OpenAPI types are huma's; its
// request handling is not used, since its validator repeats values in errors.
package endpoint

import (
	"net/http"
	"reflect"

	"github.com/turnout-events/turnout"
)

// Route is one operation.
type Route struct {
	// Method and Path are as http.ServeMux takes them.
	Method, Path string
	// ID names it in the document, such as "register".
	ID      string
	Summary string
	About   string
	Params  []Param
	Do      Action
	// Handler, where there is one, takes the place of Do, which then only says
	// what body there is.
	Handler http.Handler
	// Answers are its successful replies; Refusals the codes of the others.
	Answers  []Answer
	Refusals []turnout.Code
	// Public answers name nobody and may be kept after asking again.
	Public bool
}

// Param is a header or a part of the query; those in the path are found there.
type Param struct {
	In, Name, About string
	Required        bool
}

// Answer is one kind of reply.
type Answer struct {
	Status int
	About  string
	// Body is a value of the type that is sent, nil for none.
	Body any
	// Type is the media type, "application/json" if unsaid.
	Type string
}

// Reply is what an action answers with.
type Reply struct {
	// Status is 200 if unsaid.
	Status   int
	Location string
	// Body is sent as JSON, unless Write does the sending.
	Body any
	// Write sends a body of another kind, after the headers were set.
	Write func(w http.ResponseWriter) error
}

// Call is one request to a route.
type Call struct {
	*http.Request
	// Org is whose host it came to; nil on the admin listener.
	Org *turnout.Org

	w   http.ResponseWriter
	api *API
}

// Action does what a route is for. Make one with Plain or Taking.
type Action struct {
	body reflect.Type
	do   func(*Call) (Reply, error)
}

// Plain is an action that takes no body.
func Plain(do func(*Call) (Reply, error)) Action {
	return Action{do: func(c *Call) (Reply, error) {
		if err := c.noBody(); err != nil {
			return Reply{}, err
		}
		return do(c)
	}}
}

// Described is an action that only says what body a Route.Handler takes.
func Described[B any]() Action { return Action{body: reflect.TypeFor[B]()} }

// Taking is an action that takes a body of type B.
func Taking[B any](do func(*Call, B) (Reply, error)) Action {
	return Action{body: reflect.TypeFor[B](), do: func(c *Call) (Reply, error) {
		var body B
		if err := c.decode(&body); err != nil {
			return Reply{}, err
		}
		return do(c, body)
	}}
}
