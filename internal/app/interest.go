package app

import (
	"context"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/interest"
)

// countedLinks are links whose openings are counted: of pages, since a program that reads
// a link is nobody who opened it.
type countedLinks struct {
	*catalog.Links
	interest *interest.Interest
}

// Open opens a link as catalog.Links does.
func (l countedLinks) Open(ctx context.Context, org turnout.OrgID, token string) (catalog.Link, error) {
	link, err := l.Links.Open(ctx, org, token)
	if err == nil {
		l.interest.Opened(org, link.Event, link.ID)
	}
	return link, err
}

// OpenSent opens a link as catalog.Links does. Whoever sends has opened it.
func (l countedLinks) OpenSent(ctx context.Context, org turnout.OrgID, token string) (catalog.Link, error) {
	link, err := l.Links.OpenSent(ctx, org, token)
	if err == nil {
		l.interest.Opened(org, link.Event, link.ID)
	}
	return link, err
}

// countedForms is an intake whose forms are counted, taken or not, of pages and API alike.
type countedForms struct {
	*intake.Intake
	interest *interest.Interest
}

// Register registers as intake.Intake does.
func (f countedForms) Register(ctx context.Context, org turnout.OrgID, e *turnout.Event, s turnout.Submission) (intake.View, error) {
	f.interest.Started(org, e.ID, s)
	return f.Intake.Register(ctx, org, e, s)
}
