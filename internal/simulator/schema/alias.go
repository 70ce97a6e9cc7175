package schema

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// canonicalKeys rewrites the keys of a schema file from snake_case to the
// camelCase that describe calls use, so that both are read: reference_to is
// referenceTo. Positions stay, and errors keep their lines. Tags, anchors and
// aliases are refused: a schema needs none, and the decoder stumbles over some.
type canonicalKeys struct{ err error }

// Visit implements ast.Visitor.
func (c *canonicalKeys) Visit(node ast.Node) ast.Visitor {
	mapping, ok := node.(*ast.MappingNode)
	if !ok {
		switch node.(type) {
		case *ast.TagNode, *ast.AnchorNode, *ast.AliasNode:
			c.refuse(node.GetToken(), "a schema has no tags, anchors and aliases")
			return nil
		}
		return c
	}
	seen := map[string]string{}
	for _, entry := range mapping.Values {
		key, ok := entry.Key.(*ast.StringNode)
		if !ok {
			continue
		}
		written := key.Value
		key.Value = camelCase(written)
		if before, twice := seen[key.Value]; twice {
			c.refuse(key.Token, before+" and "+written+" are the same key")
		}
		seen[key.Value] = written
	}
	return c
}

// refuse keeps the first fault.
func (c *canonicalKeys) refuse(at *token.Token, why string) {
	if c.err == nil {
		c.err = fmt.Errorf("[%d:%d] %s", at.Position.Line, at.Position.Column, why)
	}
}

// camelCase turns external_id into externalId; other words stay.
func camelCase(key string) string {
	first, rest, more := strings.Cut(key, "_")
	if !more || first == "" {
		return key
	}
	var b strings.Builder
	b.WriteString(first)
	for part := range strings.SplitSeq(rest, "_") {
		if part == "" {
			return key
		}
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

// read parses a schema file. Keys it does not know are errors.
func read(source []byte) (file, error) {
	var f file
	parsed, err := parser.ParseBytes(source, 0)
	if err != nil {
		return f, err
	}
	if len(parsed.Docs) == 0 || parsed.Docs[0].Body == nil {
		return f, nil
	}
	if len(parsed.Docs) > 1 {
		return f, errors.New("a schema is one YAML document")
	}
	keys := &canonicalKeys{}
	ast.Walk(keys, parsed.Docs[0].Body)
	if keys.err != nil {
		return f, keys.err
	}
	return f, yaml.NodeToValue(parsed.Docs[0].Body, &f, yaml.Strict())
}
