// Package settings says what becomes of an org's settings, the same for both engines.
package settings

import (
	"encoding/json"
	"fmt"

	"github.com/turnout-events/turnout"
)

// Replaced are the settings as they rest where an operator sets o. before is what err
// says that it is: CodeNotFound for an org that is new.
func Replaced(o, before turnout.Org, err error) (string, error) {
	if err == nil {
		o, err = o.Replaces(before)
	}
	if err != nil && turnout.CodeOf(err) != turnout.CodeNotFound {
		return "", err
	}
	return text(o)
}

// Updated are the settings as they rest where change is made to before. told says whether
// others are told: nobody follows an org's move alone.
func Updated(before turnout.Org, change func(turnout.Org) (turnout.Org, error)) (rest string, told bool, err error) {
	after, err := change(before)
	if err != nil {
		return "", false, err
	}
	rest, err = text(after)
	return rest, after.Differs(before), err
}

func text(o turnout.Org) (string, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return "", fmt.Errorf("write settings of org %s: %w", o.ID, err)
	}
	return string(b), nil
}
