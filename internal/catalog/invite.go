package catalog

import (
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/turnout-events/turnout"
)

// readInvite reads an invite as the mirror sealed it, which is JSON.
func readInvite(plain []byte, into *turnout.Invite) error {
	text := string(plain)
	if plainInvite(text, into) {
		return nil
	}
	*into = turnout.Invite{}
	return json.Unmarshal(plain, into)
}

// plainInvite reads the invites of nearly everybody, in which nothing is escaped
// and no name is unknown, in a fifth of the time: what it gives are parts of
// text. On anything else it gives up.
func plainInvite(text string, into *turnout.Invite) bool {
	rest, ok := strings.CutPrefix(text, `{"person":{`)
	person := &into.Person
	for more := ok; more; {
		var name, value string
		if name, value, rest, ok = pair(rest); !ok {
			return false
		}
		switch name {
		case "email":
			person.Email = value
		case "first_name":
			person.FirstName = value
		case "last_name":
			person.LastName = value
		case "title":
			person.Title = value
		case "company":
			person.Company = value
		default:
			return false
		}
		rest, more = strings.CutPrefix(rest, ",")
	}
	rest, ok = strings.CutPrefix(rest, "}")
	for ok && rest != "}" {
		var name, value string
		if rest, ok = strings.CutPrefix(rest, ","); !ok {
			return false
		}
		if name, value, rest, ok = pair(rest); !ok {
			return false
		}
		switch name {
		case "record":
			into.Record = value
		case "contact":
			into.Contact = value
		case "lead":
			into.Lead = value
		default:
			return false
		}
	}
	return ok
}

// pair cuts `"name":"value"` off the front of text.
func pair(text string) (name, value, rest string, ok bool) {
	if text, ok = strings.CutPrefix(text, `"`); !ok {
		return "", "", text, false
	}
	if name, text, ok = strings.Cut(text, `":"`); !ok {
		return "", "", text, false
	}
	value, rest, ok = strings.Cut(text, `"`)
	return name, value, rest, ok && strings.IndexByte(value, '\\') < 0
}
