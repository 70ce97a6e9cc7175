package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// faults collects everything that is wrong with a document, so that whoever
// wrote it mends it in one go.
type faults []turnout.FieldError

func (f *faults) add(path, format string, args ...any) {
	*f = append(*f, turnout.FieldError{Field: path, Message: fmt.Sprintf(format, args...)})
}

func (f *faults) err(op string) error {
	if len(*f) == 0 {
		return nil
	}
	lines := make([]string, len(*f))
	for i, fault := range *f {
		lines[i] = fault.Field + ": " + fault.Message
	}
	return &turnout.Error{Code: turnout.CodeInvalid, Op: op, Detail: strings.Join(lines, "; "), Fields: *f}
}

// section is one level of a YAML document. Keys that were not read when done
// is called are faults.
type section struct {
	path   string
	values map[string]any
	read   []string
	faults *faults
}

const (
	maxYAML    = 256 << 10 // bytes; a long text area holds 131,072 characters
	maxNesting = 32
)

var (
	errLong   = errors.New("the text is too long")
	errDeep   = errors.New("the text is nested too deeply")
	errAlias  = errors.New("anchors and aliases are not taken; write it out")
	errNoYAML = errors.New("this is not YAML")
	errNoMap  = errors.New("the text must be keys with values")
)

// readYAML parses a document of keys and values. Anchors are refused, since a
// few of them can stand for a document of any size.
func readYAML(data []byte) (root *section, f *faults, err error) {
	f = &faults{}
	root = &section{faults: f, values: map[string]any{}}
	if len(data) > maxYAML {
		return nil, nil, errLong
	}
	if tooDeep(data) {
		return nil, nil, errDeep
	}
	// The parser is fed by organisers; should it ever stumble, one event is at
	// fault and not the process.
	defer func() {
		if recover() != nil {
			root, f, err = nil, nil, errNoYAML
		}
	}()
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, nil, whereIn(err)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return root, f, nil
	}
	if len(file.Docs) > 1 {
		return nil, nil, errors.New("only one document is taken")
	}
	v := aliasFinder{}
	ast.Walk(&v, file.Docs[0].Body)
	if v.found {
		return nil, nil, errAlias
	}
	var value any
	if err := yaml.NodeToValue(file.Docs[0].Body, &value); err != nil {
		return nil, nil, whereIn(err)
	}
	if value == nil {
		return root, f, nil
	}
	values, ok := value.(map[string]any)
	if !ok {
		return nil, nil, errNoMap
	}
	root.values = values
	return root, f, nil
}

// whereIn keeps the place and the parser's words, without its picture of the text.
func whereIn(err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return fmt.Errorf("line %d: %s", at.GetToken().Position.Line, at.GetMessage())
	}
	return errNoYAML
}

// tooDeep bounds recursion before the parser starts on it.
func tooDeep(data []byte) bool {
	depth := 0
	for line := range strings.Lines(string(data)) {
		indent := len(line) - len(strings.TrimLeft(line, " -?"))
		if indent > 8*maxNesting {
			return true
		}
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
			if depth > maxNesting {
				return true
			}
		}
	}
	return false
}

type aliasFinder struct{ found bool }

// Visit implements ast.Visitor.
func (v *aliasFinder) Visit(node ast.Node) ast.Visitor {
	switch node.Type() {
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType:
		v.found = true
		return nil
	}
	return v
}

func (s *section) at(key string) string {
	if s.path == "" {
		return key
	}
	return s.path + "." + key
}

func (s *section) fault(key, format string, args ...any) { s.faults.add(s.at(key), format, args...) }

func (s *section) has(key string) bool { return s.values[key] != nil }

func (s *section) value(key string) any {
	s.read = append(s.read, key)
	return s.values[key]
}

// done faults the keys that nobody asked for.
func (s *section) done() {
	var unknown []string
	for key := range s.values {
		if !slices.Contains(s.read, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		known := slices.Compact(slices.Sorted(slices.Values(s.read)))
		s.fault(key, "there is no such key; there are %s", strings.Join(known, ", "))
	}
}

func (s *section) needs(value, key string) {
	if value == "" {
		s.fault(key, "name it: Turnout cannot do without")
	}
}

func (s *section) section(key string) *section {
	return s.sub(s.at(key), s.value(key))
}

func (s *section) sub(path string, value any) *section {
	values, ok := value.(map[string]any)
	if !ok && value != nil {
		s.faults.add(path, "this must be keys with values")
	}
	return &section{path: path, values: values, faults: s.faults}
}

func (s *section) list(key string) []*section {
	value := s.value(key)
	items, ok := value.([]any)
	if !ok && value != nil {
		s.fault(key, "this must be a list")
	}
	list := make([]*section, len(items))
	for i, item := range items {
		list[i] = s.sub(s.at(key)+"."+strconv.Itoa(i), item)
	}
	return list
}

// text is a value as it was meant: numbers and yes or no are taken as words.
func (s *section) text(key string) string {
	value := s.value(key)
	text, ok := scalar(value)
	if !ok {
		s.fault(key, "this must be a single value")
	}
	return strings.TrimSpace(text)
}

func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), true
	case time.Time:
		return v.Format(time.RFC3339), true
	}
	return "", false
}

// texts is a list, or one value.
func (s *section) texts(key string) []string {
	value := s.value(key)
	items, ok := value.([]any)
	if !ok {
		if value == nil {
			return nil
		}
		items = []any{value}
	}
	texts := make([]string, 0, len(items))
	for _, item := range items {
		text, ok := scalar(item)
		if !ok {
			s.fault(key, "this must be a list of single values")
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}

func (s *section) flag(key string) bool {
	switch v := s.value(key).(type) {
	case nil:
		return false
	case bool:
		return v
	}
	s.fault(key, "this must be true or false")
	return false
}

func (s *section) number(key string) (float64, bool) {
	switch v := s.value(key).(type) {
	case nil:
		return 0, false
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	}
	s.fault(key, "this must be a number")
	return 0, false
}

// whole is a whole number, otherwise where the key is not there.
func (s *section) whole(key string, otherwise int) int {
	n, ok := s.number(key)
	if !ok {
		return otherwise
	}
	if n != float64(int32(n)) {
		s.fault(key, "this must be a whole number")
		return otherwise
	}
	return int(n)
}

// name is the API name of something in Salesforce.
func (s *section) name(key string) string {
	name := s.text(key)
	if name != "" && !salesforce.APIName(name) {
		s.fault(key, "%q is not an API name such as Start_Time__c", name)
	}
	return name
}

func (s *section) fields(key string, words []string) Fields {
	sub := s.section(key)
	fields := Fields{}
	for _, word := range words {
		if name := sub.name(word); name != "" {
			fields[word] = name
		}
	}
	sub.done()
	return fields
}

func (s *section) test(key string) Test {
	if !s.has(key) {
		s.value(key)
		return Test{}
	}
	sub := s.section(key)
	t := Test{Field: sub.name("field"), Values: sub.texts("values")}
	sub.needs(t.Field, "field")
	if len(t.Values) == 0 {
		sub.fault("values", "say which values mean it")
	}
	sub.done()
	return t
}
