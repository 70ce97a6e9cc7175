package form

import (
	"html"
	"strings"
)

// split cuts text behind a tag's name into the rest of the tag and what follows.
// A > in quotes ends no tag.
func split(text string) (tag, rest string) {
	var quote byte
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}

// attributes reads those of a tag, names in lower case, values unescaped. The
// first of a name counts, as in a browser.
func attributes(tag string) map[string]string {
	all := map[string]string{}
	for {
		tag = strings.TrimLeft(tag, " \t\r\n/")
		if tag == "" {
			return all
		}
		end := strings.IndexAny(tag, "= \t\r\n/")
		if end < 0 {
			end = len(tag)
		}
		name := strings.ToLower(tag[:end])
		tag = strings.TrimLeft(tag[end:], " \t\r\n")
		value := ""
		if after, ok := strings.CutPrefix(tag, "="); ok {
			value, tag = unquote(strings.TrimLeft(after, " \t\r\n"))
		}
		if _, ok := all[name]; !ok && name != "" {
			all[name] = html.UnescapeString(value)
		}
	}
}

func unquote(text string) (value, rest string) {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		value, rest, _ = strings.Cut(text[1:], text[:1])
		return value, rest
	}
	end := strings.IndexAny(text, " \t\r\n")
	if end < 0 {
		return text, ""
	}
	return text[:end], text[end:]
}

// Links are the addresses that a page leads to, of the tags a, link, script and
// img, as they stand in it; at most so many.
func Links(page string, most int) (all []string) {
	for rest := page; len(all) < most; {
		at := strings.IndexByte(rest, '<')
		if at < 0 {
			return all
		}
		rest = rest[at+1:]
		end := strings.IndexAny(rest, " \n\t\r>/")
		if end <= 0 {
			continue
		}
		name := strings.ToLower(rest[:end])
		var tag string
		switch name {
		case "a", "link", "img", "script":
			tag, rest = split(rest[end:])
			attrs := attributes(tag)
			if target := attrs["href"] + attrs["src"]; target != "" {
				all = append(all, target)
			}
		}
	}
	return all
}
