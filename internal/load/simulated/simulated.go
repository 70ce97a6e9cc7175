// Package simulated asks the simulated Salesforce behind a target: it makes events
// and links for a run, counts what the run cost there, and lists what arrived. It
// knows the simulator by its documented control port and API alone (docs/simulator.md).
package simulated

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Client asks one simulator. Safe for concurrent use once made.
type Client struct {
	// URL is the simulator's origin.
	URL *url.URL
	// Via sends requests.
	Via http.RoundTripper
}

// Event is one that was made, or found.
type Event struct {
	ID   string `json:"id"`
	Slug string `json:"slug"`
}

// do sends one request to a path and reads its answer into out, nil for none.
func (c *Client) do(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL.String()+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return c.send(req, out)
}

func (c *Client) send(req *http.Request, out any) error {
	resp, err := c.Via.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return fmt.Errorf("the simulator answered %d to %s %s", resp.StatusCode, req.Method, req.URL.Path)
	}
	if out == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read what the simulator says: %w", err)
	}
	return nil
}

// Stats is what Salesforce was asked for, since the simulator began.
type Stats struct {
	Calls      map[string]int64       `json:"calls"`
	Records    map[string]int64       `json:"records"`
	Duplicates int64                  `json:"duplicates"`
	AtOnce     int64                  `json:"max_in_flight_per_parent"`
	Batches    map[string][]BatchSize `json:"batches"`
}

// BatchSize is how many calls carried so many records.
type BatchSize struct{ Size, Count int64 }

// Stats asks for the counters.
func (c *Client) Stats(ctx context.Context) (s Stats, err error) {
	err = c.do(ctx, http.MethodGet, "/_sim/stats", "", nil, &s)
	return s, err
}

// Made is what was made for a run.
type Made struct {
	Events []Event
	// Tokens of personal links to these events.
	Tokens []string
}

// Make makes published events, with seats if there is a limit, and links to them.
// The target knows of them a little later.
func (c *Client) Make(ctx context.Context, events, links, seats int, waitlist bool) (m Made, err error) {
	var made struct {
		Events []Event  `json:"events"`
		Count  int      `json:"link_count"`
		Tokens []string `json:"tokens"`
	}
	if err := c.do(ctx, http.MethodPost, "/_sim/seed", "", map[string]int{"events": events, "links": links}, &made); err != nil {
		return m, err
	}
	m.Events, m.Tokens = made.Events, made.Tokens
	if seats > 0 || waitlist {
		for _, e := range m.Events {
			if err := c.limit(ctx, e, seats, waitlist); err != nil {
				return m, err
			}
		}
	}
	if len(m.Tokens) < links {
		m.Tokens = m.Tokens[:0]
		for _, e := range m.Events {
			tokens, err := c.tokens(ctx, e)
			if err != nil {
				return m, err
			}
			m.Tokens = append(m.Tokens, tokens...)
		}
	}
	return m, nil
}

// limit gives an event seats, as an organiser does, and presses Update.
func (c *Client) limit(ctx context.Context, e Event, seats int, waitlist bool) error {
	fields := map[string]any{"Waitlist__c": waitlist}
	if seats > 0 {
		fields["Seats__c"] = seats
	}
	token, err := c.signIn(ctx)
	if err != nil {
		return err
	}
	if err := c.do(ctx, http.MethodPatch, "/services/data/v65.0/sobjects/Turnout_Event__c/"+e.ID, token, fields, nil); err != nil {
		return err
	}
	return c.press(ctx, e, "update")
}

func (c *Client) press(ctx context.Context, e Event, button string) error {
	return c.do(ctx, http.MethodPost, "/_sim/events/"+e.ID+"/"+button, "", nil, nil)
}

// signIn gives a session of the simulator's one user.
func (c *Client) signIn(ctx context.Context) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo"}, "client_secret": {"demo"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL.String()+"/services/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var session struct {
		Token string `json:"access_token"`
	}
	err = c.send(req, &session)
	return session.Token, err
}

// Close takes what was made off the pages. What was registered stays where it is.
func (c *Client) Close(ctx context.Context, events []Event) error {
	var errs []error
	for _, e := range events {
		errs = append(errs, c.press(ctx, e, "unpublish"))
	}
	return errors.Join(errs...)
}

// Remove deletes events that were closed, with their links.
func (c *Client) Remove(ctx context.Context, events []Event) error {
	token, err := c.signIn(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range events {
		errs = append(errs, c.do(ctx, http.MethodDelete, "/services/data/v65.0/sobjects/Turnout_Event__c/"+e.ID, token, nil, nil))
	}
	return errors.Join(errs...)
}
