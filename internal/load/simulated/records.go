package simulated

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// page is how many records are asked for at once.
const page = 2000

// records lists those of an object, page by page.
func records[R any](ctx context.Context, c *Client, object, filter string) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for offset := 0; ; offset += page {
			var some []R
			path := fmt.Sprintf("/_sim/records/%s?limit=%d&offset=%d%s", object, page, offset, filter)
			if err := c.do(ctx, http.MethodGet, path, "", nil, &some); err != nil {
				var none R
				yield(none, err)
				return
			}
			for _, r := range some {
				if !yield(r, nil) {
					return
				}
			}
			if len(some) < page {
				return
			}
		}
	}
}

func (c *Client) tokens(ctx context.Context, e Event) (all []string, err error) {
	type link struct {
		Token string `json:"Token__c"`
	}
	for l, err := range records[link](ctx, c, "Turnout_Link__c", "&Event__c="+url.QueryEscape(e.ID)) {
		if err != nil {
			return nil, err
		}
		all = append(all, l.Token)
	}
	return all, nil
}

// Find looks an event up by its slug; ok is false where there is none.
func (c *Client) Find(ctx context.Context, slug string) (e Event, seats int64, ok bool, err error) {
	type event struct {
		ID    string   `json:"Id"`
		Seats *float64 `json:"Seats__c"`
	}
	for r, err := range records[event](ctx, c, "Turnout_Event__c", "&Slug__c="+url.QueryEscape(slug)) {
		if err != nil {
			return e, 0, false, err
		}
		if r.Seats != nil {
			seats = int64(*r.Seats)
		}
		return Event{ID: r.ID, Slug: slug}, seats, true, nil
	}
	return e, 0, false, nil
}

// Registration is one that Salesforce holds.
type Registration struct {
	Key    string  `json:"Idempotency_Key__c"`
	Status string  `json:"Status__c"`
	Guests float64 `json:"Guest_Count__c"`
}

// Holds is how many seats it holds.
func (r Registration) Holds() int64 {
	switch r.Status {
	case "Waitlisted", "Cancelled", "Declined":
		return 0
	}
	return 1 + int64(r.Guests)
}

// Registrations lists those of an event, or all where it is nil.
func (c *Client) Registrations(ctx context.Context, of *Event) iter.Seq2[Registration, error] {
	filter := ""
	if of != nil {
		filter = "&Event__c=" + url.QueryEscape(of.ID)
	}
	return records[Registration](ctx, c, "Turnout_Registration__c", filter)
}
