// Package soql reads the Salesforce Object Query Language: a lexer, a parser
// and the tree they make. It knows the language and nothing about objects,
// fields or records. Errors carry Salesforce's words and positions.
package soql

import "fmt"

// Query is one SELECT.
type Query struct {
	Select  []Item
	From    Name
	Where   Expr // nil for all
	GroupBy []Path
	Having  Expr // nil for all groups
	OrderBy []Order
	Limit   int // -1 for none
	Offset  int
	AllRows bool // ends in ALL ROWS: deleted records too
}

// Name is an identifier and where it stood.
type Name struct {
	Text string
	At   int // byte offset in the query
}

// Path is a field, reached through parents: Event__r.Public_Id__c.
type Path struct {
	Names []string
	At    int
}

// String joins the names with dots.
func (p Path) String() string {
	s := ""
	for i, name := range p.Names {
		if i > 0 {
			s += "."
		}
		s += name
	}
	return s
}

// Item is one thing selected: a field, FIELDS(...), an aggregate or the
// children of a record. Exactly one of the four is set.
type Item struct {
	Path     Path
	Fields   string // ALL, STANDARD or CUSTOM
	Func     string // upper case: COUNT, COUNT_DISTINCT, MIN, MAX, SUM, AVG
	Alias    string // of an aggregate or a grouped field
	Children *Query
}

// CountAll reports whether the query is SELECT COUNT() FROM …
func (q *Query) CountAll() bool {
	return len(q.Select) == 1 && q.Select[0].Func == "COUNT" && len(q.Select[0].Path.Names) == 0
}

// Aggregates reports whether the query answers groups instead of records.
func (q *Query) Aggregates() bool {
	if len(q.GroupBy) > 0 {
		return true
	}
	for _, item := range q.Select {
		if item.Func != "" && !q.CountAll() {
			return true
		}
	}
	return false
}

// Order is one sort key.
type Order struct {
	Path      Path
	Func      string // an aggregate, or ""
	Desc      bool
	NullsLast bool
}

// Expr is a condition: *And, *Or, *Not or *Compare.
type Expr interface{ expr() }

// And holds when all of its terms hold.
type And struct{ Terms []Expr }

// Or holds when one of its terms holds.
type Or struct{ Terms []Expr }

// Not holds when its term does not.
type Not struct{ Term Expr }

// Compare holds a field against one literal, or against several after IN,
// NOT IN, INCLUDES and EXCLUDES, or against the rows of another query.
type Compare struct {
	Path   Path
	Func   string // an aggregate, in HAVING only
	Op     string // = != < > <= >= LIKE IN, NOT IN, INCLUDES, EXCLUDES
	Values []Literal
	Query  *Query // IN (SELECT …)
}

func (*And) expr()     {}
func (*Or) expr()      {}
func (*Not) expr()     {}
func (*Compare) expr() {}

// Kind is what a literal looks like.
type Kind int

// The kinds of literals.
const (
	Null Kind = iota
	Text
	Number
	Bool
	Date     // 2026-01-31
	DateTime // 2026-01-31T10:00:00Z
	Relative // TODAY, LAST_N_DAYS:3
)

// Literal is a value in a query, as written and without its quotes.
type Literal struct {
	Kind Kind
	Text string
	N    int // of LAST_N_DAYS:n and its like
	At   int
}

// Error is a refusal of a query.
type Error struct {
	Code    string // MALFORMED_QUERY, …
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Fail makes an error that points at a place in the query the way Salesforce
// does: the line, a caret under it, then the reason.
func Fail(code, query string, at int, reason string) *Error {
	at = min(max(at, 0), len(query))
	row, start := 1, 0
	for i := range at {
		if query[i] == '\n' {
			row, start = row+1, i+1
		}
	}
	end := start
	for end < len(query) && query[end] != '\n' {
		end++
	}
	from := max(start, at-40)
	to := min(end, at+40)
	return &Error{Code: code, Message: fmt.Sprintf("\n%s\n%*s\nERROR at Row:%d:Column:%d\n%s",
		query[from:to], at-from+1, "^", row, at-start+1, reason)}
}
