package web

import (
	"cmp"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/drain"
)

// maxPairs is how many name=value pairs a form may have: 20 guests, two dozen
// questions with a dozen choices each and a long agenda stay well below.
const maxPairs = 600

// What can be wrong with a body that no code of turnout's says.
var (
	errMediaType = errors.New("content type is not a form")
	errSlow      = errors.New("body took too long to arrive")
)

// filled is a form as it came in.
type filled struct {
	turnout.Submission
	// Revision is the one that was shown, 0 for a new registration.
	Revision int64
	// Decline says that the button for "not coming" was pressed.
	Decline bool
	// Framed says that the form was in a frame on another site.
	Framed bool
}

// readForm reads a form from the request's body. Errors are errMediaType, errSlow,
// CodeTooLarge or CodeMalformed. Whether the values make sense is not asked.
func (web *Web) readForm(w http.ResponseWriter, r *http.Request) (filled, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return filled{}, errMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, web.maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		drain.Rest(w, r)
		return filled{}, turnout.Wrap(turnout.CodeTooLarge, "read form", err)
	}
	// The server gives a body its time; the deadline shows up here.
	if slow := net.Error(nil); errors.As(err, &slow) && slow.Timeout() {
		return filled{}, errSlow
	}
	if err != nil {
		return filled{}, turnout.Wrap(turnout.CodeMalformed, "read form", err)
	}
	return parseForm(string(body))
}

func parseForm(body string) (filled, error) {
	if strings.Count(body, "&") >= maxPairs {
		return filled{}, turnout.Errorf(turnout.CodeMalformed, "read form", "more than %d fields", maxPairs)
	}
	values, err := url.ParseQuery(body)
	if err != nil {
		return filled{}, turnout.Errorf(turnout.CodeMalformed, "read form", "not a form")
	}
	for name, list := range values {
		if !utf8.ValidString(name) || slices.ContainsFunc(list, func(v string) bool { return !utf8.ValidString(v) }) {
			return filled{}, turnout.Errorf(turnout.CodeMalformed, "read form", "not UTF-8")
		}
		if !ours(name) {
			return filled{}, turnout.Errorf(turnout.CodeMalformed, "read form", "a field that no form of ours has")
		}
	}
	return fillFrom(values)
}

// ours reports whether a form of ours can have a field of this name. What stands
// under another one would be lost without a word.
func ours(name string) bool {
	switch name {
	case "key", "form", "revision", "action", "framed", "join_waitlist", "ticket", "agenda", "first_name", "last_name", "email", "title", "company":
		return true
	}
	if id, ok := strings.CutPrefix(name, "answers."); ok {
		return id != ""
	}
	row, ok := strings.CutPrefix(name, "guests.")
	n, part, _ := strings.Cut(row, ".")
	i, err := strconv.Atoi(n)
	return ok && err == nil && i >= 0 && i <= turnout.MaxGuests && (part == "first_name" || part == "last_name")
}

// fillFrom takes the fields that a form of ours has; the names are those of
// turnout.FieldError.
func fillFrom(values url.Values) (filled, error) {
	f := filled{Decline: values.Get("action") == "decline", Framed: values.Get("framed") == "yes"}
	if raw := values.Get("key"); raw != "" {
		key, err := turnout.ParseKey(raw)
		if err != nil {
			return filled{}, err
		}
		f.Key = key
	}
	if raw := values.Get("revision"); raw != "" {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil || n < 1 {
			return filled{}, turnout.Errorf(turnout.CodeMalformed, "read form", "revision is not a number")
		}
		f.Revision = n
	}
	// A page says which form it was made from. Without that it is like one that
	// changed since: only programs may leave it unsaid.
	f.FormVersion = cmp.Or(values.Get("form"), unsaidForm)
	f.JoinWaitlist = values.Get("join_waitlist") == "yes"
	f.Person = turnout.Person{
		Email: values.Get("email"), FirstName: values.Get("first_name"), LastName: values.Get("last_name"),
		Title: values.Get("title"), Company: values.Get("company"),
	}
	f.Ticket, f.Agenda = values.Get("ticket"), slices.DeleteFunc(slices.Clone(values["agenda"]), isBlank)
	f.Guests = guestsOf(values)
	f.Answers = turnout.Answers{}
	for name, list := range values {
		if id, ok := strings.CutPrefix(name, "answers."); ok && slices.ContainsFunc(list, isFilled) {
			f.Answers[id] = slices.Clone(list)
		}
	}
	return f, nil
}

// guestsOf takes the guests whose rows are not wholly empty, in form order.
// One row more than any event allows is looked at, so that too many guests are
// told and not dropped.
func guestsOf(values url.Values) []turnout.Guest {
	var guests []turnout.Guest
	party := false
	for name := range values {
		if party = strings.HasPrefix(name, "guests."); party {
			break
		}
	}
	if !party { // most come alone, and the names of all rows take longer than the rest of the form
		return nil
	}
	for i := range turnout.MaxGuests + 1 {
		row := "guests." + strconv.Itoa(i)
		g := turnout.Guest{FirstName: values.Get(row + ".first_name"), LastName: values.Get(row + ".last_name")}
		if isFilled(g.FirstName) || isFilled(g.LastName) {
			guests = append(guests, g)
		}
	}
	return guests
}

func isBlank(s string) bool  { return strings.TrimSpace(s) == "" }
func isFilled(s string) bool { return !isBlank(s) }

func itoa(n int) string { return strconv.Itoa(n) }

// validRegistrationToken reports whether s can be a registration's token: at
// most 256 characters that stand in a path as they are.
func validRegistrationToken(s string) bool {
	if len(s) < 8 || len(s) > 256 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.~", rune(c)) {
			return false
		}
	}
	return true
}

// unsaidForm is no form's version.
const unsaidForm = "unsaid"
