package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
)

// How many personal links the ready file names. The first ones are of events
// whose form can be sent as it comes, the last ones of sold-out events.
const (
	demoLinks    = 50
	plainLinks   = 20
	soldOutLinks = 5
	fewestLinks  = 20
	// mostUnknown links in a row mean that an event's are not mirrored yet.
	mostUnknown = 25
)

// offer is a published event with its links.
type offer struct {
	event  api.Event
	other  bool // not of the sample
	tokens []string
	// answered asks about one link; known is false for one that is not served.
	answered func(ctx context.Context, token string) (answered, known bool, err error)
	unknown  int // so far
	inARow   int
}

// free reports whether a registration would get a seat now.
func (o *offer) free() bool {
	none := func(left *int) bool { return left != nil && *left < 1 }
	tickets := slices.ContainsFunc(o.event.Tickets, func(t api.Ticket) bool { return !none(t.SeatsLeft) })
	return o.event.Phase == "open" && !none(o.event.SeatsLeft) && (tickets || len(o.event.Tickets) == 0)
}

// asks is how much a form wants besides a name and an address, or holds against
// changing them.
func (o *offer) asks() int {
	n := 0
	for _, q := range o.event.Form.Questions {
		if q.Required && q.ShowIf == nil {
			n++
		}
	}
	for _, ask := range []turnout.Ask{o.event.Form.Title, o.event.Form.Company} {
		if ask == turnout.AskRequired {
			n++
		}
	}
	if len(o.event.Tickets) > 1 {
		n++
	}
	if o.event.LockEmail {
		n++
	}
	return n
}

// byEase orders offers: those with free seats that ask least first, the
// sample's before others.
func byEase(a, b *offer) int {
	rank := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(rank(a.other), rank(b.other)), cmp.Compare(rank(!a.free()), rank(!b.free())), cmp.Compare(a.asks(), b.asks()))
}

// next takes the next unanswered link of an offer; empty when there is none.
func (o *offer) next(ctx context.Context) (string, error) {
	for len(o.tokens) > 0 && o.inARow < mostUnknown {
		token := o.tokens[0]
		o.tokens = o.tokens[1:]
		answered, known, err := o.answered(ctx, token)
		switch {
		case err != nil:
			return "", err
		case !known:
			o.unknown++
			o.inARow++
			continue
		}
		o.inARow = 0
		if !answered {
			return token, nil
		}
	}
	return "", nil
}

// choose takes links of offers that are in order of ease: plain ones first, then
// some of every open event, then a few of sold-out ones.
func choose(ctx context.Context, offers []*offer) (tokens []string, err error) {
	var plain, open, full []*offer
	for _, o := range offers {
		switch {
		case !o.free():
			full = append(full, o)
			continue
		case o.asks() == 0:
			plain = append(plain, o)
		}
		open = append(open, o)
	}
	for _, part := range []struct {
		until int
		of    []*offer
	}{{plainLinks, plain}, {demoLinks - soldOutLinks, open}, {demoLinks, full}} {
		for took := true; took && len(tokens) < part.until; {
			took = false
			for _, o := range part.of {
				token, err := o.next(ctx)
				if err != nil {
					return nil, err
				}
				if token != "" && len(tokens) < part.until {
					tokens, took = append(tokens, token), true
				}
			}
		}
	}
	return tokens, nil
}
