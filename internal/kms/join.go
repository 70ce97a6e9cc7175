package kms

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-events/turnout/internal/seal"
)

// Joined is several master keys as one: the first wraps, all unwrap. With it
// org keys move between a file and a KMS, or between two KMS, while instances
// run. It implements seal.Master.
type Joined struct{ masters []seal.Master }

var _ seal.Master = (*Joined)(nil)

// Join puts master keys together; first wraps.
func Join(first seal.Master, others ...seal.Master) *Joined {
	return &Joined{masters: append([]seal.Master{first}, others...)}
}

// ID implements seal.Master: the first one's.
func (j *Joined) ID() string { return j.masters[0].ID() }

// Wrap implements seal.Master, by the first one.
func (j *Joined) Wrap(ctx context.Context, key, ad []byte) ([]byte, error) {
	return j.masters[0].Wrap(ctx, key, ad)
}

// Unwrap implements seal.Master. The error is seal.ErrSealed only if every one
// says so: while one cannot be asked, nobody knows.
func (j *Joined) Unwrap(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	var unasked, sealed error
	for _, m := range j.masters {
		key, err := m.Unwrap(ctx, wrapped, ad)
		switch {
		case err == nil:
			return key, nil
		case !errors.Is(err, seal.ErrSealed):
			unasked = errors.Join(unasked, err)
		case sealed == nil:
			sealed = err
		default:
			sealed = fmt.Errorf("%w; %w", sealed, err)
		}
	}
	if unasked != nil {
		return nil, unasked
	}
	return nil, sealed
}
