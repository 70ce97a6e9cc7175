package soql

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// or reads a chain of terms. Salesforce wants brackets where AND and OR meet.
func (p *parser) or() (Expr, *Error) {
	if p.depth++; p.depth > maxDepth {
		return nil, Fail("MALFORMED_QUERY", p.text, p.peek().at, "the condition is nested too deeply")
	}
	defer func() { p.depth-- }()
	first, err := p.not()
	if err != nil {
		return nil, err
	}
	terms := []Expr{first}
	word := ""
	for p.peek().is("AND") || p.peek().is("OR") {
		joint := strings.ToUpper(p.peek().text)
		if word != "" && joint != word {
			return nil, p.unexpected()
		}
		word = joint
		p.at++
		term, err := p.not()
		if err != nil {
			return nil, err
		}
		terms = append(terms, term)
	}
	switch word {
	case "AND":
		return &And{terms}, nil
	case "OR":
		return &Or{terms}, nil
	}
	return first, nil
}

func (p *parser) not() (Expr, *Error) {
	if p.accept("NOT") {
		if p.depth++; p.depth > maxDepth {
			return nil, Fail("MALFORMED_QUERY", p.text, p.peek().at, "the condition is nested too deeply")
		}
		defer func() { p.depth-- }()
		term, err := p.not()
		if err != nil {
			return nil, err
		}
		return &Not{term}, nil
	}
	if p.accept("(") {
		e, err := p.or()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	}
	return p.compare()
}

func (p *parser) compare() (Expr, *Error) {
	path, err := p.path()
	if err != nil {
		return nil, err
	}
	c := &Compare{Path: path}
	if p.having && len(path.Names) == 1 && p.accept("(") {
		item, err := p.call(path)
		if err != nil {
			return nil, err
		}
		if item.Func == "" {
			return nil, Fail("MALFORMED_QUERY", p.text, path.At, "only aggregates and grouped fields can be compared in HAVING")
		}
		c.Path, c.Func = item.Path, item.Func
	}
	op := p.next()
	c.Op = strings.ToUpper(op.text)
	switch {
	case op.kind == signToken && strings.Contains(" = != <> < > <= >= ", " "+op.text+" "), op.is("LIKE"):
		if c.Op == "<>" {
			c.Op = "!="
		}
		value, err := p.literal()
		c.Values = []Literal{value}
		return c, err
	case op.is("NOT") && p.accept("IN"):
		c.Op = "NOT IN"
		return c, p.list(c)
	case op.is("IN"), op.is("INCLUDES"), op.is("EXCLUDES"):
		return c, p.list(c)
	}
	if op.kind != endToken {
		p.at--
	}
	return nil, p.unexpected()
}

func (p *parser) list(c *Compare) *Error {
	if err := p.expect("("); err != nil {
		return err
	}
	if p.peek().is("SELECT") && !p.having {
		if p.depth++; p.depth > maxDepth {
			return p.unexpected()
		}
		defer func() { p.depth-- }()
		q, err := p.query(false)
		if err != nil {
			return err
		}
		c.Query = q
		return p.expect(")")
	}
	for {
		value, err := p.literal()
		if err != nil {
			return err
		}
		c.Values = append(c.Values, value)
		if !p.accept(",") {
			return p.expect(")")
		}
	}
}

func (p *parser) literal() (Literal, *Error) {
	t := p.peek()
	l := Literal{Text: t.text, At: t.at}
	switch t.kind {
	case textToken:
		l.Kind = Text
	case numberToken:
		kind, ok := numberKind(t.text)
		if !ok {
			return l, p.unexpected()
		}
		l.Kind = kind
	case nameToken:
		return p.word()
	default:
		return l, p.unexpected()
	}
	p.at++
	return l, nil
}

func numberKind(text string) (Kind, bool) {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return Number, true
	}
	if _, err := time.Parse("2006-01-02", text); err == nil {
		return Date, true
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700"} {
		if _, err := time.Parse(layout, text); err == nil {
			return DateTime, true
		}
	}
	return Null, false
}

// word reads null, true, false and the relative dates.
func (p *parser) word() (Literal, *Error) {
	t := p.peek()
	l := Literal{Text: strings.ToUpper(t.text), At: t.at}
	switch l.Text {
	case "NULL":
		l.Kind = Null
	case "TRUE", "FALSE":
		l.Kind, l.Text = Bool, strings.ToLower(t.text)
	default:
		counted, known := relative(l.Text)
		if !known {
			return l, p.unexpected()
		}
		l.Kind = Relative
		p.at++
		if !counted {
			return l, nil
		}
		return p.counted(l)
	}
	p.at++
	return l, nil
}

func (p *parser) counted(l Literal) (Literal, *Error) {
	if err := p.expect(":"); err != nil {
		return l, err
	}
	n, err := p.integer()
	if err == nil && n > 100_000 {
		err = Fail("MALFORMED_QUERY", p.text, l.At, fmt.Sprintf("%s is out of range", l.Text))
	}
	l.N = n
	return l, err
}
