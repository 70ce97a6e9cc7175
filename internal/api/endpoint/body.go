package endpoint

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/drain"
)

// refusal is an error that HTTP has a status of its own for.
type refusal struct {
	status int
	error
}

func (r refusal) Unwrap() error { return r.error }

func refuse(status int, code turnout.Code, detail string) error {
	return refusal{status, &turnout.Error{Code: code, Op: "read request", Detail: detail}}
}

// noBody takes a request that needs none: no body, or an empty object.
func (c *Call) noBody() error {
	if c.Method == http.MethodGet || c.Method == http.MethodHead {
		return nil
	}
	if c.ContentLength == 0 { // whatever type clients give to nothing
		return nil
	}
	body, err := c.json()
	if err != nil || len(body) == 0 {
		return err
	}
	return Decode(body, &struct{}{})
}

// decode reads the body into a pointer to a struct.
func (c *Call) decode(into any) error {
	body, err := c.json()
	if err != nil {
		return err
	}
	return Decode(body, into)
}

// json reads a body that says it is JSON.
func (c *Call) json() ([]byte, error) {
	media, params, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || media != "application/json" || (charset != "" && !strings.EqualFold(charset, "utf-8")) {
		return nil, refuse(http.StatusUnsupportedMediaType, turnout.CodeMalformed, "send JSON, with Content-Type: application/json")
	}
	return ReadBody(c.w, c.Request, c.api.o.MaxBody, c.api.o.ReadTimeout)
}

// ReadBody reads a body of at most limit bytes within a time: CodeTooLarge,
// CodeMalformed when it broke off, or a refusal of 408 when it took too long.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64, within time.Duration) ([]byte, error) {
	if r.ContentLength > limit {
		if r.Header.Get("Expect") == "" { // who waits for a go-ahead has sent nothing
			drain.Rest(w, r)
		}
		return nil, tooLarge(w, limit)
	}
	control := http.NewResponseController(w)
	// The network counts in its own time, so no injected clock here. A writer
	// without deadlines is a test's.
	_ = control.SetReadDeadline(time.Now().Add(within))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	over, slow := (*http.MaxBytesError)(nil), net.Error(nil)
	switch {
	case errors.As(err, &over):
		drain.Rest(w, r)
		return nil, tooLarge(w, limit)
	case errors.As(err, &slow) && slow.Timeout():
		w.Header().Set("Connection", "close")
		return nil, refuse(http.StatusRequestTimeout, turnout.CodeMalformed, "the body took too long to arrive")
	case err != nil:
		return nil, turnout.Wrap(turnout.CodeMalformed, "read request", err)
	}
	// Whoever is slow to answer from here on is us.
	_ = control.SetReadDeadline(time.Time{})
	return body, nil
}

func tooLarge(w http.ResponseWriter, limit int64) error {
	w.Header().Set("Connection", "close")
	return turnout.Errorf(turnout.CodeTooLarge, "read request", "send at most %d bytes", limit)
}

// Decode reads JSON into a pointer to a struct: CodeMalformed when it is no
// JSON, CodeInvalid with the field when it is not what the struct holds.
func Decode(body []byte, into any) error {
	if !utf8.Valid(body) {
		return turnout.Errorf(turnout.CodeMalformed, "read body", "send UTF-8")
	}
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return fault(syntax.JSONPointer, "Give this field once")
		}
		return turnout.Errorf(turnout.CodeMalformed, "read body", "send one JSON object; it cannot be read from byte %d on", syntax.ByteOffset)
	}
	// A wrong field may stand before the place from which nothing can be read.
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) || !jsontext.Value(body).IsValid(jsontext.AllowDuplicateNames(true)) {
		return turnout.Errorf(turnout.CodeMalformed, "read body", "send one JSON object")
	}
	if errors.Is(err, json.ErrUnknownName) {
		return fault(semantic.JSONPointer, unknown(reflect.TypeOf(into).Elem(), semantic.JSONPointer))
	}
	return fault(semantic.JSONPointer, "Give "+wanted(semantic.GoType))
}

func fault(at jsontext.Pointer, message string) error {
	var names []string
	for name := range at.Tokens() {
		names = append(names, cut(name))
	}
	return &turnout.Error{Code: turnout.CodeInvalid, Op: "read body",
		Fields: []turnout.FieldError{{Field: strings.Join(names, "."), Message: message}}}
}

// cut bounds a name that a stranger chose.
func cut(name string) string {
	const longest = 64
	if utf8.RuneCountInString(name) <= longest {
		return name
	}
	return string([]rune(name)[:longest]) + "…"
}

// unknown says which names are known where an unknown one stood.
func unknown(t reflect.Type, at jsontext.Pointer) string {
	for name := range at.Parent().Tokens() {
		switch t.Kind() {
		case reflect.Slice:
			t = t.Elem()
		case reflect.Struct:
			for _, f := range reflect.VisibleFields(t) {
				if nameOf(f) == name {
					t = f.Type
					break
				}
			}
		}
	}
	var names []string
	if t.Kind() == reflect.Struct {
		for _, f := range reflect.VisibleFields(t) {
			if name := nameOf(f); name != "" {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return "This field is not known: leave it out"
	}
	return "This field is not known: leave it out. Known are " + strings.Join(names, ", ")
}

func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// wanted says what a field of a type takes.
func wanted(t reflect.Type) string {
	if t == nil {
		return "another kind of value"
	}
	if named, ok := reflect.Zero(t).Interface().(interface{ Wanted() string }); ok {
		return named.Wanted()
	}
	switch t.Kind() {
	case reflect.String:
		return "text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}
