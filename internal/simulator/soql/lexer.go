package soql

import "strings"

type tokenKind int

const (
	endToken tokenKind = iota
	nameToken
	textToken
	numberToken // numbers, dates and date-times: the parser tells them apart
	signToken   // ( ) , = != < > <= >= . :
)

type token struct {
	kind tokenKind
	text string
	at   int
}

// is reports whether the token is this keyword or sign, in any case.
func (t token) is(word string) bool {
	return (t.kind == nameToken || t.kind == signToken) && strings.EqualFold(t.text, word)
}

// lex cuts a query into tokens; the last one is endToken.
func lex(query string) ([]token, *Error) {
	var tokens []token
	for at := 0; at < len(query); {
		c := query[at]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			at++
		case c == '\'':
			text, next, err := lexText(query, at)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token{textToken, text, at})
			at = next
		case letter(c):
			end := at
			for end < len(query) && (letter(query[end]) || digit(query[end])) {
				end++
			}
			tokens = append(tokens, token{nameToken, query[at:end], at})
			at = end
		case digit(c) || (c == '-' || c == '+') && at+1 < len(query) && digit(query[at+1]):
			end := lexNumber(query, at)
			tokens = append(tokens, token{numberToken, query[at:end], at})
			at = end
		default:
			width := signWidth(query[at:])
			if width == 0 {
				return nil, Fail("MALFORMED_QUERY", query, at, "line 1:"+"unexpected character '"+string(rune(c))+"'")
			}
			tokens = append(tokens, token{signToken, query[at : at+width], at})
			at += width
		}
	}
	return append(tokens, token{endToken, "<EOF>", len(query)}), nil
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// lexNumber takes everything that numbers, dates and date-times are made of.
func lexNumber(query string, at int) int {
	end := at + 1
	for end < len(query) {
		c := query[end]
		if !digit(c) && !strings.ContainsRune(".:-+TZtzeE", rune(c)) {
			break
		}
		end++
	}
	return end
}

func signWidth(rest string) int {
	for _, two := range [...]string{"!=", "<=", ">=", "<>"} {
		if strings.HasPrefix(rest, two) {
			return 2
		}
	}
	if strings.IndexByte("(),=<>.:", rest[0]) >= 0 {
		return 1
	}
	return 0
}

// escaped stands before a wildcard of LIKE that was written with a backslash.
const escaped = 0

// lexText reads a quoted literal with its escapes.
func lexText(query string, at int) (text string, next int, _ *Error) {
	var b strings.Builder
	for i := at + 1; i < len(query); i++ {
		switch query[i] {
		case '\'':
			return b.String(), i + 1, nil
		case '\\':
			i++
			if i == len(query) {
				break
			}
			switch query[i] {
			case 'n', 'N':
				b.WriteByte('\n')
			case 'r', 'R':
				b.WriteByte('\r')
			case 't', 'T':
				b.WriteByte('\t')
			case 'b', 'B':
				b.WriteByte('\b')
			case 'f', 'F':
				b.WriteByte('\f')
			case '\'', '"':
				b.WriteByte(query[i])
			case '\\':
				b.WriteString(`\`)
			case '%', '_':
				b.WriteByte(escaped)
				b.WriteByte(query[i])
			default:
				return "", 0, Fail("MALFORMED_QUERY", query, i-1, "Illegal escape sequence '\\"+string(rune(query[i]))+"' in string literal")
			}
		default:
			b.WriteByte(query[i])
		}
	}
	return "", 0, Fail("MALFORMED_QUERY", query, at, "line 1:no viable alternative at character '<EOF>'")
}
