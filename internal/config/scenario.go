package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"github.com/turnout-events/turnout/internal/load/scenario"
)

// Scenario reads a scenario of `turnout load`. Every fault is reported, with line
// and column: what is no YAML or no key, and what makes no sense.
func Scenario(text []byte) (*scenario.Scenario, error) {
	var s scenario.Scenario
	if err := Parse(text, &s); err != nil {
		// What could be read is checked as well, as long as something could.
		if len(s.Crowds) == 0 {
			return nil, err
		}
		return nil, errors.Join(err, located(text, s.Faults()))
	}
	if err := located(text, s.Faults()); err != nil {
		return nil, err
	}
	return &s, nil
}

// located puts line and column before faults, as far as what they are about stands
// in the text.
func located(text []byte, faults []scenario.Fault) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return plainSyntax(err)
	}
	var all []error
	for _, f := range faults {
		path, err := yaml.PathString("$." + f.Path)
		if err != nil || f.Path == "" {
			all = append(all, f)
			continue
		}
		node, err := path.FilterFile(file)
		if err != nil || node == nil || node.GetToken() == nil {
			all = append(all, f)
			continue
		}
		if f.Missing {
			continue // it is there and could not be read, which was said
		}
		at := node.GetToken().Position
		all = append(all, fmt.Errorf("[%d:%d] %w", at.Line, at.Column, f))
	}
	return errors.Join(all...)
}
