package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/turnout-events/turnout"
)

// Parse reads YAML into out, a pointer to a struct, which keeps what the text
// does not mention. Every unknown key and every value of a wrong type is
// reported, by line and column and never by value: it may be a secret. What is
// not at fault is read all the same, so that it can be checked further.
func Parse(text []byte, out any) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return plainSyntax(err)
	}
	r := reader{anchors: map[string]ast.Node{}, merging: map[ast.Node]bool{}}
	for i, doc := range file.Docs {
		switch doc.Body.(type) {
		case nil, *ast.CommentGroupNode, *ast.NullNode:
			continue
		}
		if i > 0 {
			r.fault(doc.Body, "put everything into one document, without a line ---")
			break
		}
		r.read(doc.Body, reflect.ValueOf(out).Elem(), "")
	}
	return errors.Join(r.faults...)
}

// reader walks a document beside the struct that it is read into.
type reader struct {
	faults  []error
	anchors map[string]ast.Node
	// merging are the values that are being merged in, none of them into itself.
	merging map[ast.Node]bool
}

func (r *reader) fault(n ast.Node, format string, args ...any) {
	at := n.GetToken().Position
	r.faults = append(r.faults, fmt.Errorf("[%d:%d] %s", at.Line, at.Column, fmt.Sprintf(format, args...)))
}

// read sets out, which stands at path, to what n says. Null says nothing.
func (r *reader) read(n ast.Node, out reflect.Value, path string) {
	n, ok := r.resolve(n)
	if !ok {
		return
	}
	_, text := out.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case text:
		r.readText(n, out, path)
	case out.Kind() == reflect.Struct:
		r.readStruct(n, out, path)
	case out.Kind() == reflect.Slice:
		r.readSlice(n, out, path)
	default:
		if err := yaml.NodeToValue(n, out.Addr().Interface()); err != nil {
			r.fault(n, "%s: use %s", path, shape(out.Type()))
		}
	}
}

// readText reads what has a text of its own, as it stands in the file: YAML would
// make a number of some.
func (r *reader) readText(n ast.Node, out reflect.Value, path string) {
	scalar, ok := n.(ast.ScalarNode)
	if !ok || out.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(scalar.GetToken().Value)) != nil {
		r.fault(n, "%s: use %s", path, shape(out.Type()))
	}
}

// resolve follows anchors and aliases to a value; ok is false for null and for
// an alias that stands for nothing.
func (r *reader) resolve(n ast.Node) (value ast.Node, ok bool) {
	for {
		switch node := n.(type) {
		case nil, *ast.NullNode:
			return nil, false
		case *ast.AnchorNode:
			r.anchors[node.Name.String()] = node.Value
			n = node.Value
		case *ast.AliasNode:
			if n, ok = r.anchors[node.Value.String()]; !ok {
				r.fault(node, "nothing before this line has the name that is referred to")
				return nil, false
			}
		default:
			return n, true
		}
	}
}

func (r *reader) readStruct(n ast.Node, out reflect.Value, path string) {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		r.fault(n, "%suse keys with values", prefix(path, ": "))
		return
	}
	// What is merged in comes first: what stands here wins.
	for it := pairs.MapRange(); it.Next(); {
		if it.Key().IsMergeKey() {
			r.merge(it.Value(), out, path)
		}
	}
	fields, given := fieldsOf(out), map[string]bool{}
	for it := pairs.MapRange(); it.Next(); {
		given[it.Key().GetToken().Value] = true
	}
	for it := pairs.MapRange(); it.Next(); {
		key := it.Key()
		if key.IsMergeKey() {
			continue
		}
		name := key.GetToken().Value
		if field, ok := fields[name]; ok {
			r.read(it.Value(), field, prefix(path, ".")+name)
		} else {
			r.unknown(key, it.Value(), fields, given, path)
		}
	}
}

// merge reads what << names, one value or a list of them, of which the first wins.
func (r *reader) merge(n ast.Node, out reflect.Value, path string) {
	n, ok := r.resolve(n)
	if !ok {
		return
	}
	values := []ast.Node{n}
	if list, ok := n.(*ast.SequenceNode); ok {
		values = list.Values
	}
	for _, v := range slices.Backward(values) {
		v, ok := r.resolve(v)
		if !ok {
			continue
		}
		if r.merging[v] {
			r.fault(n, "it refers to itself")
			return
		}
		r.merging[v] = true
		r.readStruct(v, out, path)
		delete(r.merging, v)
	}
}

func (r *reader) readSlice(n ast.Node, out reflect.Value, path string) {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fault(n, "%s: use a list", path)
		return
	}
	all := reflect.MakeSlice(out.Type(), len(list.Values), len(list.Values))
	for i, v := range list.Values {
		r.read(v, all.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	out.Set(all)
}

func fieldsOf(out reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range out.NumField() {
		if name := out.Type().Field(i).Tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = out.Field(i)
		}
	}
	return fields
}

func prefix(path, mark string) string {
	if path == "" {
		return ""
	}
	return path + mark
}

// shape says what a value of type t looks like.
func shape(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a time such as 90s, 10m or 720h"
	case t == reflect.TypeFor[turnout.Window]():
		return "two different times of a day such as 01:00-05:00, or 00:00-24:00 for always"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Float64:
		return "a number such as 0.8"
	case t.Kind() == reflect.Bool:
		return "true or false"
	}
	return "text"
}

var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// plainSyntax says where the text stops being YAML, without quoting it.
func plainSyntax(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return errors.New("it is not YAML")
	}
	message := quoted.ReplaceAllStringFunc(at.GetMessage(), func(s string) string { return plainKey(strings.Trim(s, `"`)) })
	p := at.GetToken().Position
	return fmt.Errorf("[%d:%d] %s", p.Line, p.Column, message)
}
