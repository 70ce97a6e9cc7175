package scenario

import (
	"fmt"
	"strings"
)

// Marks of what differs from visitor to visitor in a step's path.
const (
	linkMark         = "{link}"
	eventMark        = "{event}"
	registrationMark = "{registration}"
)

func has(path, mark string) bool { return strings.Contains(path, mark) }

// Values are what a visitor has for the marks of a path.
type Values struct {
	Link, Event, Registration string
}

// Path puts a visitor's values into a step's path. An error says what is missing.
func Path(path string, v Values) (string, error) {
	for _, m := range []struct{ mark, value string }{{linkMark, v.Link}, {eventMark, v.Event}, {registrationMark, v.Registration}} {
		if !has(path, m.mark) {
			continue
		}
		if m.value == "" {
			return "", fmt.Errorf("there is no %s", strings.Trim(m.mark, "{}"))
		}
		path = strings.ReplaceAll(path, m.mark, m.value)
	}
	return path, nil
}

// pathFault says what is wrong with a step's path.
func pathFault(path string) string {
	rest := path
	for _, m := range []string{linkMark, eventMark, registrationMark} {
		rest = strings.ReplaceAll(rest, m, "")
	}
	switch {
	case strings.ContainsAny(rest, "{}"):
		return "use {link}, {event} or {registration} in it, and no other mark"
	case strings.HasPrefix(path, linkMark), strings.HasPrefix(path, registrationMark):
		return ""
	case !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		return "give a path that begins with /, or {link} or {registration}"
	}
	return ""
}
