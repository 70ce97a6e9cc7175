package soql

import (
	"strconv"
	"strings"
)

// Limits of the language, from the SOQL reference.
const (
	maxLength = 100_000 // characters of a query
	maxDepth  = 64      // nested conditions; keeps hostile input off the stack
)

// Parse reads a query. An error is always a *Error.
func Parse(query string) (*Query, error) {
	if len(query) > maxLength {
		return nil, &Error{Code: "MALFORMED_QUERY", Message: "SOQL statements cannot be longer than 100000 characters."}
	}
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &parser{text: query, tokens: tokens}
	q, err := p.query(true)
	if err != nil {
		return nil, err
	}
	if p.peek().kind != endToken {
		return nil, p.unexpected()
	}
	return q, nil
}

type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
	having bool // inside HAVING, where aggregates are compared
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != endToken {
		p.at++
	}
	return t
}

// accept takes the next token when it is this word.
func (p *parser) accept(word string) bool {
	if p.peek().is(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(word string) *Error {
	if !p.accept(word) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) unexpected() *Error {
	t := p.peek()
	reason := "unexpected token: '" + t.text + "'"
	if t.kind == endToken {
		reason = "unexpected token: '<EOF>'"
	}
	return Fail("MALFORMED_QUERY", p.text, t.at, reason)
}

func (p *parser) query(outer bool) (*Query, *Error) {
	q := &Query{Limit: -1}
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	for {
		item, err := p.item(outer)
		if err != nil {
			return nil, err
		}
		q.Select = append(q.Select, item)
		if !p.accept(",") {
			break
		}
	}
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	from := p.next()
	if from.kind != nameToken {
		p.at--
		return nil, p.unexpected()
	}
	q.From = Name{from.text, from.at}
	return q, p.clauses(q)
}

// clauses reads what may follow FROM, each at most once and in this order.
func (p *parser) clauses(q *Query) *Error {
	if p.accept("USING") {
		if err := p.expect("SCOPE"); err != nil {
			return err
		}
		p.next()
	}
	if p.accept("WHERE") {
		where, err := p.or()
		if err != nil {
			return err
		}
		q.Where = where
	}
	if p.accept("WITH") {
		if !p.accept("SECURITY_ENFORCED") && !p.accept("USER_MODE") && !p.accept("SYSTEM_MODE") {
			return p.unexpected()
		}
	}
	if p.accept("GROUP") {
		if err := p.groupBy(q); err != nil {
			return err
		}
		if err := p.havingClause(q); err != nil {
			return err
		}
	}
	if p.accept("ORDER") {
		if err := p.orderBy(q); err != nil {
			return err
		}
	}
	return p.bounds(q)
}

func (p *parser) groupBy(q *Query) *Error {
	if err := p.expect("BY"); err != nil {
		return err
	}
	for {
		path, err := p.path()
		if err != nil {
			return err
		}
		q.GroupBy = append(q.GroupBy, path)
		if !p.accept(",") {
			return nil
		}
	}
}

// havingClause reads the condition that groups must meet.
func (p *parser) havingClause(q *Query) *Error {
	if !p.accept("HAVING") {
		return nil
	}
	p.having = true
	defer func() { p.having = false }()
	having, err := p.or()
	q.Having = having
	return err
}

func (p *parser) orderBy(q *Query) *Error {
	if err := p.expect("BY"); err != nil {
		return err
	}
	for {
		order, err := p.order()
		if err != nil {
			return err
		}
		q.OrderBy = append(q.OrderBy, order)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) order() (Order, *Error) {
	item, err := p.item(false)
	if err != nil {
		return Order{}, err
	}
	if item.Fields != "" || item.Children != nil {
		return Order{}, p.unexpected()
	}
	o := Order{Path: item.Path, Func: item.Func}
	if p.accept("DESC") {
		o.Desc, o.NullsLast = true, true
	} else {
		p.accept("ASC")
	}
	if p.accept("NULLS") {
		switch {
		case p.accept("FIRST"):
			o.NullsLast = false
		case p.accept("LAST"):
			o.NullsLast = true
		default:
			return o, p.unexpected()
		}
	}
	return o, nil
}

func (p *parser) bounds(q *Query) *Error {
	var err *Error
	if p.accept("LIMIT") {
		if q.Limit, err = p.integer(); err != nil {
			return err
		}
	}
	if p.accept("OFFSET") {
		if q.Offset, err = p.integer(); err != nil {
			return err
		}
	}
	if p.accept("FOR") { // FOR VIEW, FOR REFERENCE, FOR UPDATE change no result
		p.next()
	}
	if p.accept("ALL") {
		q.AllRows = true
		return p.expect("ROWS")
	}
	return nil
}

func (p *parser) integer() (int, *Error) {
	t := p.peek()
	n, err := strconv.Atoi(t.text)
	if t.kind != numberToken || err != nil || n < 0 {
		return 0, p.unexpected()
	}
	p.at++
	return n, nil
}

// item reads one selected thing; children are allowed in the outer query only.
func (p *parser) item(children bool) (Item, *Error) {
	if p.peek().is("(") {
		if !children {
			return Item{}, p.unexpected()
		}
		p.at++
		q, err := p.query(false)
		if err != nil {
			return Item{}, err
		}
		return Item{Children: q}, p.expect(")")
	}
	path, err := p.path()
	if err != nil {
		return Item{}, err
	}
	item := Item{Path: path}
	if len(path.Names) == 1 && p.accept("(") {
		if item, err = p.call(path); err != nil {
			return item, err
		}
	}
	if t := p.peek(); t.kind == nameToken && !reserved(t.text) {
		item.Alias = p.next().text
	}
	return item, nil
}

// call reads what follows the opening bracket of FIELDS(…) or an aggregate.
func (p *parser) call(name Path) (Item, *Error) {
	function := strings.ToUpper(name.Names[0])
	switch function {
	case "FIELDS":
		scope := strings.ToUpper(p.peek().text)
		if scope != "ALL" && scope != "STANDARD" && scope != "CUSTOM" {
			return Item{}, p.unexpected()
		}
		p.at++
		return Item{Fields: scope}, p.expect(")")
	case "TOLABEL", "FORMAT":
		path, err := p.path()
		if err != nil {
			return Item{}, err
		}
		return Item{Path: path}, p.expect(")")
	case "COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG":
		item := Item{Func: function, Path: Path{At: name.At}}
		if function == "COUNT" && p.accept(")") {
			return item, nil
		}
		path, err := p.path()
		if err != nil {
			return Item{}, err
		}
		item.Path = path
		return item, p.expect(")")
	}
	return Item{}, Fail("MALFORMED_QUERY", p.text, name.At, "Unknown function: "+name.Names[0])
}

// reserved words cannot be aliases.
func reserved(word string) bool {
	switch strings.ToUpper(word) {
	case "FROM", "WHERE", "ORDER", "GROUP", "HAVING", "LIMIT", "OFFSET", "ASC", "DESC", "NULLS", "WITH", "FOR", "USING", "ALL", "AND", "OR":
		return true
	}
	return false
}

func (p *parser) path() (Path, *Error) {
	t := p.peek()
	if t.kind != nameToken || strings.EqualFold(t.text, "FROM") {
		return Path{}, p.unexpected()
	}
	path := Path{Names: []string{p.next().text}, At: t.at}
	for p.accept(".") {
		t := p.peek()
		if t.kind != nameToken {
			return path, p.unexpected()
		}
		path.Names = append(path.Names, p.next().text)
	}
	if len(path.Names) > 6 { // five parents, from the SOQL reference
		return path, Fail("MALFORMED_QUERY", p.text, path.At, "SOQL relationship may not be more than 5 levels deep")
	}
	return path, nil
}
