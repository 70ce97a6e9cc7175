package edge

import (
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// P9: an edge says of any placement whether it could serve it now, and why not.
func TestP9WhatAnEdgeCanServe(t *testing.T) {
	s := onStage(t, stacks(), nil)
	green := func(placement turnout.Placement) error {
		placement.Stack = "green"
		return s.CanServe(routing.Org{ID: "acme", Placement: placement})
	}
	if err := green(turnout.Placement{}); err == nil {
		t.Error("a stack of which nobody ever answered counts")
	}
	for _, u := range s.view.Load().upstreams {
		u.Probed(true, time.Time{}, s.now())
	}
	for _, p := range []turnout.Placement{{}, {Home: "away"}, {Home: "home", Failover: []string{"away"}}} {
		if err := green(p); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for want, p := range map[string]turnout.Placement{
		"stack green has no region moon: use one of home, away": {Home: "moon"},
		"stack green has no region sun":                         {Failover: []string{"away", "sun"}},
	} {
		if err := green(p); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
	if err := s.CanServe(routing.Org{ID: "acme", Placement: turnout.Placement{Stack: "red"}}); err == nil || !strings.Contains(err.Error(), "there is no stack red: use one of blue, green") {
		t.Errorf("a stack that is not there: %v", err)
	}
	for _, name := range []string{"green-home-1", "green-home-2", "green-away-1", "green-away-2"} {
		if err := green(turnout.Placement{}); err != nil {
			t.Errorf("while %s is up: %v", name, err)
		}
		if name == "green-home-1" {
			s.upstream(name).Drain(s.now().Add(time.Hour))
			continue
		}
		s.upstream(name).Probed(false, time.Time{}, s.now())
	}
	if err := green(turnout.Placement{}); err == nil || err.Error() != "no instance of stack green is up" {
		t.Errorf("with all of them down: %v", err)
	}
	if err := s.CanServe(routing.Org{ID: "acme"}); err != nil {
		t.Errorf("the first stack, meanwhile: %v", err)
	}
}
