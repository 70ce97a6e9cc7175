package intake

import "github.com/turnout-events/turnout"

// View is a registration as its owner may see it.
type View struct {
	Registration turnout.Registration
	// Details is what they said; empty once shredded.
	Details turnout.Details
	// Token opens the registration's own page.
	Token string
	// Repeat says that nothing was changed because it had been accepted before.
	Repeat bool
}
