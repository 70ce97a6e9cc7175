package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-events/turnout"
)

// offering makes an offer with n links, of which every third is answered.
func offering(slug string, n int, change func(*offer)) *offer {
	o := &offer{answered: func(_ context.Context, token string) (answered, known bool, err error) {
		return strings.HasSuffix(token, "a"), true, nil
	}}
	o.event.Slug, o.event.Phase = slug, "open"
	for i := range n {
		o.tokens = append(o.tokens, fmt.Sprintf("%s-%d%s", slug, i, map[bool]string{true: "a"}[i%3 == 0]))
	}
	if change != nil {
		change(o)
	}
	return o
}

// Unanswered links come first of events that ask nothing, and last of sold-out
// ones, so that whoever takes the first of them can send its form as it comes.
func TestLinksOfTheReadyFile(t *testing.T) {
	none := 0
	plain := offering("plain", 300, nil)
	asking := offering("asking", 300, func(o *offer) { o.event.Form.Company = turnout.AskRequired })
	full := offering("full", 300, func(o *offer) { o.event.SeatsLeft = &none })
	other := offering("other", 300, func(o *offer) { o.other = true })
	offers := []*offer{other, full, asking, plain}
	slices.SortStableFunc(offers, byEase)
	if offers[0] != plain || offers[1] != asking || offers[2] != full || offers[3] != other {
		t.Errorf("in order: %s, %s, %s, %s", offers[0].event.Slug, offers[1].event.Slug, offers[2].event.Slug, offers[3].event.Slug)
	}
	tokens, err := choose(t.Context(), offers)
	if err != nil || len(tokens) != demoLinks {
		t.Fatal(len(tokens), err)
	}
	seen := map[string]bool{}
	for i, token := range tokens {
		full := strings.HasPrefix(token, "full")
		if last := i >= demoLinks-soldOutLinks; full != last || strings.HasSuffix(token, "a") || seen[token] || (i < plainLinks && strings.HasPrefix(token, "asking")) {
			t.Errorf("link %d is %s", i, token)
		}
		seen[token] = true
	}
}

// Links that are not served are passed over and counted, and a run of them ends
// the search: they are not mirrored yet.
func TestUnknownLinksArePassedOver(t *testing.T) {
	o := offering("new", 100, func(o *offer) {
		o.answered = func(context.Context, string) (answered, known bool, err error) { return false, false, nil }
	})
	if tokens, err := choose(t.Context(), []*offer{o}); err != nil || len(tokens) != 0 || o.unknown != mostUnknown {
		t.Errorf("%d links, %d unknown, %v", len(tokens), o.unknown, err)
	}
	broken := offering("broken", 3, func(o *offer) {
		o.answered = func(context.Context, string) (answered, known bool, err error) {
			return false, false, errors.ErrUnsupported
		}
	})
	if _, err := choose(t.Context(), []*offer{broken}); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}
