//go:build e2e

package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// office is where an org's organisers work: its simulated Salesforce.
type office struct {
	org, name string
	// marker is a word that stands in the title of each of its events, and in no
	// other org's.
	marker  string
	process *process
	client  *http.Client
	events  map[string]*event // by slug

	mu    sync.Mutex
	token string
}

// event is one of an org's.
type event struct {
	id, slug string
	seats    int
	mu       sync.Mutex
	edition  int // what its title says
}

func (e *event) title(o *office) string {
	return fmt.Sprintf("%s %s, edition %d", o.marker, e.slug, e.edition)
}

// ask calls the simulator and reads its answer into out, unless that is nil.
func (o *office) ask(ctx context.Context, method, path string, body, out any) error {
	text := []byte(nil)
	if body != nil {
		text, _ = json.Marshal(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address(o.process)+path, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if strings.HasPrefix(path, "/services/") {
		if err := o.signIn(ctx); err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+o.token)
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode == http.StatusUnauthorized:
		o.token = ""
		fallthrough
	case resp.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s %s", method, path, resp.Status, answer)
	case out == nil || len(answer) == 0:
		return nil
	}
	return json.Unmarshal(answer, out)
}

// signIn gets a session. The caller is alone.
func (o *office) signIn(ctx context.Context) error {
	if o.token != "" {
		return nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"demo"}, "client_secret": {"demo"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address(o.process)+"/services/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Token == "" {
		return errors.Join(fmt.Errorf("sign in: %s", resp.Status), err)
	}
	o.token = answer.Token
	return nil
}

func (o *office) create(ctx context.Context, object string, fields map[string]any) (id string, err error) {
	var made struct{ ID string }
	err = o.ask(ctx, http.MethodPost, "/services/data/v65.0/sobjects/"+object, fields, &made)
	return made.ID, err
}

// publish makes an event with one ticket of so many seats, -1 for no limit, and
// presses Publish.
func (o *office) publish(ctx context.Context, slug string, seats int) error {
	e := &event{slug: slug, seats: seats}
	id, err := o.create(ctx, "Turnout_Event__c", map[string]any{
		"Name": e.title(o), "Public_Id__c": slug, "Slug__c": slug, "Status__c": "Draft", "Time_Zone__c": "Europe/Vienna",
		"Starts_At__c": time.Now().Add(60 * 24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z"),
	})
	if err != nil {
		return err
	}
	e.id = id
	ticket := map[string]any{"Name": "Standard", "Event__c": id, "Public_Id__c": "std"}
	if seats >= 0 {
		ticket["Seats__c"] = seats
	}
	if _, err := o.create(ctx, "Turnout_Ticket__c", ticket); err != nil {
		return err
	}
	o.events[slug] = e
	return o.ask(ctx, http.MethodPost, "/_sim/events/"+id+"/publish", nil, nil)
}

// update changes an event's title and presses Update. Where it fails nobody knows
// whether the title has changed: it is tried again.
func (o *office) update(ctx context.Context, e *event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	e.edition++
	err := o.ask(ctx, http.MethodPatch, "/services/data/v65.0/sobjects/Turnout_Event__c/"+e.id, map[string]any{"Name": e.title(o)}, nil)
	if err != nil {
		return err
	}
	return o.ask(ctx, http.MethodPost, "/_sim/events/"+e.id+"/update", nil, nil)
}

// invite makes a personal link.
func (o *office) invite(ctx context.Context, e *event, token string, p person) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.create(ctx, "Turnout_Link__c", map[string]any{
		"Token__c": token, "Event__c": e.id, "First_Name__c": p.first, "Last_Name__c": p.last, "Email__c": p.email,
	})
	return err
}

// misbehave sets the faults of Salesforce; {} heals.
func (o *office) misbehave(ctx context.Context, faults string) error {
	return o.ask(ctx, http.MethodPut, "/_sim/faults", json.RawMessage(faults), nil)
}

// record is a registration in Salesforce.
type record struct {
	ID       string  `json:"Id"`
	Key      string  `json:"Idempotency_Key__c"`
	Event    string  `json:"Event__c"`
	LastName string  `json:"Last_Name__c"`
	Company  string  `json:"Company__c"`
	Status   string  `json:"Status__c"`
	Revision float64 `json:"Revision__c"`
}

// records are all registrations in Salesforce.
func (o *office) records(ctx context.Context) (all []record, err error) {
	for {
		var page []record
		if err := o.ask(ctx, http.MethodGet, fmt.Sprintf("/_sim/records/Turnout_Registration__c?limit=2000&offset=%d", len(all)), nil, &page); err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < 2000 {
			return all, nil
		}
	}
}

// duplicates is how many writes Salesforce refused because their key was there.
func (o *office) duplicates(ctx context.Context) (int, error) {
	var s struct{ Duplicates int }
	err := o.ask(ctx, http.MethodGet, "/_sim/stats", nil, &s)
	return s.Duplicates, err
}
