package intake

import (
	"context"
	"time"
)

// within bounds a call that saves something: the store does nothing for it that comes
// to its turn later. It is longer than any store takes in health, and shorter than the
// minute after which people try again.
const within = 20 * time.Second

// outlive is the context for a call that saves something on behalf of a request.
// Whoever sent it and left gets it saved all the same: giving up halfway would leave
// the outcome unknown to both sides.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), within)
}
