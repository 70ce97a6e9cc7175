package api

import (
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
	"github.com/turnout-events/turnout/internal/api/hook"
)

// trouble is what any route that needs the store may answer.
func trouble(codes ...turnout.Code) []turnout.Code {
	return append(codes, turnout.CodeNotFound, turnout.CodeThrottled, turnout.CodeUnavailable, turnout.CodeUnknown, turnout.CodeNoSpace)
}

// routes are all addresses of the public API.
func (a *API) routes(h http.Handler) []endpoint.Route {
	return append(a.publicRoutes(), append(a.personalRoutes(), endpoint.Route{
		Method: "POST", Path: "/hooks/salesforce", ID: "hook", Summary: "Salesforce's hook",
		About:    "Says which records to read again from Salesforce. It is signed with the org's hook secret, and each one is taken once.",
		Params:   []endpoint.Param{{In: "header", Name: hook.Header, Required: true, About: "t=UNIX,v1=HEX where HEX is HMAC-SHA-256 of UNIX.BODY; 5 minutes of clock skew."}},
		Do:       endpoint.Described[hook.Hint](),
		Handler:  h,
		Answers:  []endpoint.Answer{{Status: http.StatusAccepted, About: "Queued.", Body: Queued{}}},
		Refusals: []turnout.Code{turnout.CodeUnauthorized, turnout.CodeUnavailable},
	})...)
}

// Queued tells how many records a hook named.
type Queued struct {
	Queued int `json:"queued"`
}

func (a *API) publicRoutes() []endpoint.Route {
	return []endpoint.Route{
		{
			Method: "GET", Path: "/api/v1/events", ID: "list-events", Summary: "Public events that are not over, by start", Public: true,
			Do:      endpoint.Plain(a.listEvents),
			Answers: []endpoint.Answer{{Status: 200, About: "The events.", Body: EventList{}}},
		},
		{
			Method: "GET", Path: "/api/v1/events/{slug}", ID: "show-event", Summary: "An event with its form, tickets, agenda and seats left", Public: true,
			Do:       endpoint.Plain(a.showEvent),
			Answers:  []endpoint.Answer{{Status: 200, About: "The event.", Body: Event{}}},
			Refusals: []turnout.Code{turnout.CodeNotFound},
		},
	}
}

func (a *API) personalRoutes() []endpoint.Route {
	shown := []endpoint.Answer{{Status: 200, About: "The registration.", Body: Registration{}}}
	key := endpoint.Param{In: "header", Name: keyHeader, Required: true, About: keyAbout}
	optional := key
	optional.Required = false
	return []endpoint.Route{
		{
			Method: "POST", Path: "/api/v1/events/{slug}/registrations", ID: "register", Summary: "Register for an event",
			About:  "The seats are taken and the registration is on disk before the answer. Sent again under the same key it is done once.",
			Params: []endpoint.Param{key}, Do: endpoint.Taking(a.register),
			Answers: []endpoint.Answer{
				{Status: 201, About: "Registered, or on the waitlist: see status.", Body: Registration{}},
				{Status: 200, About: "It had been accepted before; nothing was changed.", Body: Registration{}},
			},
			Refusals: trouble(turnout.CodeStale, turnout.CodeFull, turnout.CodeClosed, turnout.CodeConflict, turnout.CodeReused),
		},
		{
			Method: "GET", Path: "/api/v1/registrations/{token}", ID: "show-registration", Summary: "A registration",
			Do: endpoint.Plain(a.showRegistration), Answers: shown, Refusals: trouble(turnout.CodeForgotten),
		},
		{
			Method: "PUT", Path: "/api/v1/registrations/{token}", ID: "edit-registration", Summary: "Change what a registration says",
			Do: endpoint.Taking(a.edit), Answers: shown,
			Refusals: trouble(turnout.CodeForgotten, turnout.CodeFull, turnout.CodeClosed, turnout.CodeConflict),
		},
		{
			Method: "POST", Path: "/api/v1/registrations/{token}/cancel", ID: "cancel-registration", Summary: "Give the place back",
			About: "Cancelling twice is fine.",
			Do:    endpoint.Plain(a.cancel), Answers: shown, Refusals: trouble(turnout.CodeForgotten, turnout.CodeClosed, turnout.CodeConflict),
		},
		{
			Method: "GET", Path: "/api/v1/links/{token}", ID: "show-link", Summary: "A personal link: who it was sent to, and their registration",
			Do: endpoint.Plain(a.showLink), Answers: []endpoint.Answer{{Status: 200, About: "The link.", Body: Link{}}},
			Refusals: trouble(turnout.CodeForgotten),
		},
		{
			Method: "POST", Path: "/api/v1/links/{token}/decline", ID: "decline", Summary: "Say that the person is not coming",
			About: "It takes no seat, and they may still register. Declining twice is fine.", Params: []endpoint.Param{optional},
			Do: endpoint.Plain(a.decline), Answers: shown,
			Refusals: trouble(turnout.CodeForgotten, turnout.CodeClosed, turnout.CodeConflict, turnout.CodeReused),
		},
	}
}
