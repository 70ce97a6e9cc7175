package scenario

import (
	"math"
	"slices"
	"time"

	"github.com/turnout-events/turnout/internal/load/arrival"
)

// Scale is what an operator says on the command line; zero values leave the
// scenario as it is.
type Scale struct {
	// Rate is visitors a second, at the busiest time and of all crowds together.
	Rate float64
	// Sessions is how many visitors come, all crowds together; of crowds that stay,
	// how many are there at any time.
	Sessions int
	Duration time.Duration
	// Allowance is what the attacked org is allowed, in requests a second.
	Allowance float64
}

// Scaled is the scenario on another scale: crowds keep their shares, and times that
// belong to the run's length stretch with it. Thresholds stay.
func (s *Scenario) Scaled(by Scale) *Scenario {
	out := *s
	out.Crowds = slices.Clone(s.Crowds)
	if by.Duration > 0 {
		out.stretch(float64(by.Duration) / float64(s.Duration))
		out.Duration = by.Duration
	}
	for i := range out.Crowds {
		if a := &out.Crowds[i].Arrive; a.Allowances > 0 {
			a.Rate = a.Allowances * by.Allowance
		}
	}
	if by.Sessions > 0 {
		out.resize(by.Sessions)
	}
	if by.Rate > 0 {
		out.speedUp(by.Rate)
	}
	return &out
}

func (s *Scenario) stretch(times float64) {
	longer := func(d *time.Duration) {
		if *d > 0 {
			*d = max(1, time.Duration(times*float64(*d)))
		}
	}
	longer(&s.Alternate)
	for i := range s.Crowds {
		longer(&s.Crowds[i].Arrive.HalfLife)
		longer(&s.Crowds[i].Arrive.Within)
	}
}

// resize divides n visitors among the crowds as they were. Crowds that come at a
// rate get the number that their rate gave them as their share.
func (s *Scenario) resize(n int) {
	shares, all := make([]float64, len(s.Crowds)), 0.0
	for i, c := range s.Crowds {
		if c.Arrive.Allowances > 0 {
			continue // their rate is the allowance's business
		}
		if shares[i] = float64(c.Visitors); c.Visitors == 0 {
			shares[i] = (c.Arrive.Rate + c.Arrive.To) * s.within(c).Seconds()
		}
		all += shares[i]
	}
	left := n
	for i := range s.Crowds {
		if shares[i] == 0 {
			continue
		}
		part := int(math.Round(float64(n) * shares[i] / all))
		s.Crowds[i].Visitors = max(1, min(part, left))
		left = max(0, left-part)
	}
}

// speedUp makes the busiest second of all crowds together have so many visitors. A
// number of visitors stays what it is: they come in a shorter or longer time.
func (s *Scenario) speedUp(rate float64) {
	peak := 0.0
	for _, c := range s.Crowds {
		if c.Arrive.How != arrival.AtOnce && c.Arrive.Allowances == 0 && !c.Stay {
			peak += s.Plan(c).Peak()
		}
	}
	if peak == 0 {
		return
	}
	for i := range s.Crowds {
		c := &s.Crowds[i]
		if c.Arrive.How == arrival.AtOnce || c.Arrive.Allowances > 0 || c.Stay {
			continue
		}
		if c.Visitors > 0 {
			c.Arrive.Within = time.Duration(float64(s.within(*c)) * peak / rate)
			c.Arrive.HalfLife = max(1, time.Duration(float64(c.Arrive.HalfLife)*peak/rate))
		}
		c.Arrive.Rate *= rate / peak
		c.Arrive.To *= rate / peak
	}
}

func (s *Scenario) within(c Crowd) time.Duration {
	if c.Arrive.Within > 0 {
		return c.Arrive.Within
	}
	return s.Duration
}

// Plan says when a crowd's visitors come.
func (s *Scenario) Plan(c Crowd) arrival.Plan {
	return arrival.Plan{
		Shape: c.Arrive.How, Rate: c.Arrive.Rate, To: c.Arrive.To, HalfLife: c.Arrive.HalfLife,
		Over: s.within(c), Visitors: c.Visitors,
	}
}

// Noisy reports whether a time since the beginning is in a noisy period.
func (s *Scenario) Noisy(at time.Duration) bool {
	return s.Alternate > 0 && (at/s.Alternate)%2 == 1
}

// AskedLinks is how many personal links the run needs at most.
func (s *Scenario) AskedLinks() int {
	n := 0
	for _, c := range s.Crowds {
		if !c.Links() {
			continue
		}
		each := c.Visitors
		if each == 0 {
			each = int(1.2*s.Plan(c).Peak()*s.within(c).Seconds()) + 10
		}
		if c.Stay {
			each *= 1 + int(s.Duration/(10*time.Second)) // as often as a journey of ten seconds fits
		}
		n += each
	}
	return n
}
