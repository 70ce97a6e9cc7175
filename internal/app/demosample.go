package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/simulator/sample"
	"github.com/turnout-events/turnout/internal/simulator/seed"
)

const (
	mostOthers    = 20 // events beside the sample's
	linksPerEvent = 400
	moreLinks     = 100
	// settling is how long a result with unknown links has to stay the same: they
	// are of people who were forgotten then, and not on their way.
	settling = 2 * time.Second
)

// sampler finds what there is to try in a demo: in Salesforce which events and
// links there are, and at the instances which of them are open, since only they
// know of registrations that are not delivered yet, and of forgotten people.
type sampler struct {
	public, simulator string
	// made are links that were made because too few were unanswered, by slug.
	made map[string][]string
}

// findings is what there is to try.
type findings struct {
	slugs, tokens []string
	// unknown links were passed over: not mirrored yet, revoked, or forgotten.
	unknown int
}

// find looks until everything that is published is served, or ctx ends. Where
// the links of an earlier run are answered, it has new ones made.
func (s *sampler) find(ctx context.Context) (findings, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last findings
	since := time.Now()
	for {
		f, err := s.look(ctx)
		if !slices.Equal(f.tokens, last.tokens) || err != nil {
			last, since = f, time.Now()
		}
		if settled := err == nil && (f.unknown == 0 || time.Since(since) >= settling); settled {
			switch few := len(f.tokens) < fewestLinks; {
			case !few:
				return f, nil
			case s.made != nil:
				return f, tooFew(len(f.tokens))
			}
			if err := s.more(ctx); err != nil {
				return f, errors.Join(tooFew(len(f.tokens)), err)
			}
			since = time.Now()
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = tooFew(len(f.tokens))
			}
			return f, fmt.Errorf("events and links were not served in time: %w", err)
		case <-tick.C:
		}
	}
}

func tooFew(n int) error {
	return fmt.Errorf("only %d personal links are unanswered, and a demo takes %d; use an empty --dir", n, fewestLinks)
}

// more has the simulator invite more people to the events that are open.
func (s *sampler) more(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.simulator+"/_sim/seed", strings.NewReader(fmt.Sprintf(`{"links":%d}`, moreLinks)))
	if err != nil {
		return err
	}
	var made seed.Made
	status, err := perform(req, &made)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	if err != nil {
		return fmt.Errorf("ask the simulator for more links: %w", err)
	}
	s.made = map[string][]string{}
	for _, l := range made.Links {
		s.made[l.Slug] = append(s.made[l.Slug], l.Token)
	}
	return nil
}

// look finds what is served now.
func (s *sampler) look(ctx context.Context) (findings, error) {
	offers, err := s.offers(ctx)
	if err != nil {
		return findings{}, err
	}
	if len(offers) == 0 {
		return findings{}, errors.New("the simulator has no published events; use an empty --dir")
	}
	var f findings
	for _, o := range offers {
		if !o.other {
			f.slugs = append(f.slugs, o.event.Slug)
		}
	}
	if len(f.slugs) == 0 {
		for _, o := range offers {
			f.slugs = append(f.slugs, o.event.Slug)
		}
	}
	f.tokens, err = choose(ctx, offers)
	for _, o := range offers {
		f.unknown += o.unknown
	}
	return f, err
}

// offers are the published events that the instances serve, in order of ease.
func (s *sampler) offers(ctx context.Context) ([]*offer, error) {
	slugs, err := sampleSlugs()
	if err != nil {
		return nil, err
	}
	var events []struct {
		ID   string `json:"Id"`
		Slug string `json:"Slug__c"`
	}
	if err := s.records(ctx, "Turnout_Event__c?limit=1000&Status__c=Published", &events); err != nil {
		return nil, err
	}
	var offers []*offer
	others := 0
	for _, e := range events {
		o := &offer{answered: s.answered, other: !slices.Contains(slugs, e.Slug)}
		if o.other {
			if others++; others > mostOthers {
				continue
			}
		}
		status, err := getJSON(ctx, s.public+"/api/v1/events/"+url.PathEscape(e.Slug), &o.event)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusNotFound && o.other:
			continue // it may have a fault that keeps it from being served
		case status != http.StatusOK:
			return nil, fmt.Errorf("event %s is not served", e.Slug)
		}
		tokens, err := s.tokens(ctx, e.ID)
		if err != nil {
			return nil, err
		}
		made := s.made[e.Slug]
		others := slices.DeleteFunc(tokens, func(token string) bool { return slices.Contains(made, token) })
		o.tokens = slices.Concat(made, others)
		offers = append(offers, o)
	}
	slices.SortStableFunc(offers, byEase)
	return offers, nil
}

func (s *sampler) tokens(ctx context.Context, event string) (tokens []string, err error) {
	var links []struct {
		Token string `json:"Token__c"`
	}
	err = s.records(ctx, fmt.Sprintf("Turnout_Link__c?limit=%d&Event__c=%s", linksPerEvent, event), &links)
	for _, l := range links {
		tokens = append(tokens, l.Token)
	}
	return tokens, err
}

// answered asks the instances about a link.
func (s *sampler) answered(ctx context.Context, token string) (answered, known bool, err error) {
	var link api.Link
	switch status, err := getJSON(ctx, s.public+"/api/v1/links/"+token, &link); {
	case err != nil:
		return false, false, err
	case status == http.StatusNotFound || status == http.StatusGone:
		return false, false, nil
	case status != http.StatusOK:
		return false, false, fmt.Errorf("a link is answered with status %d", status)
	}
	return link.Registration != nil, true, nil
}

// sampleSlugs are the events that a fresh simulator has.
func sampleSlugs() (slugs []string, err error) {
	records, err := sample.Load(time.Now(), "")
	for _, r := range records {
		if slug := r.Values["Slug__c"]; slug != "" {
			slugs = append(slugs, slug)
		}
	}
	return slugs, err
}

func (s *sampler) records(ctx context.Context, what string, out any) error {
	status, err := getJSON(ctx, s.simulator+"/_sim/records/"+what, out)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d", status)
	}
	if err != nil {
		return fmt.Errorf("ask the simulator: %w", err)
	}
	return nil
}

// getJSON reads an answer, into out where it is 200 and out is not nil.
func getJSON(ctx context.Context, from string, out any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return 0, err
	}
	return perform(req, out)
}

// perform sends a request. Its errors do not name the address: it may hold the
// token of a personal link.
func perform(req *http.Request, out any) (status int, err error) {
	resp, err := http.DefaultClient.Do(req)
	if outer := (*url.Error)(nil); errors.As(err, &outer) {
		return 0, outer.Err
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if out != nil && resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			return 0, err
		}
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
