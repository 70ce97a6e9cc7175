package config

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// unknown reports a key that is none, by the name that was written, and what to do
// about it. Where it is plain which one was meant, its value is read as that one's:
// the rest is then checked as it was meant, and nothing untrue is said of it.
func (r *reader) unknown(key ast.Node, value ast.Node, fields map[string]reflect.Value, given map[string]bool, path string) {
	name := key.GetToken().Value
	full := prefix(path, ".") + name
	if parts := strings.Split(name, "."); len(parts) > 1 && has(fields, parts) {
		slices.Reverse(parts)
		r.fault(key, "unknown key %q: keys are nested: write %s:, a line each", full, strings.Join(parts, ": below "))
		return
	}
	free := slices.DeleteFunc(slices.Sorted(maps.Keys(fields)), func(f string) bool { return given[f] })
	if meant := nearest(name, free); meant != "" {
		given[meant] = true
		r.fault(key, "unknown key %q: did you mean %s?", full, meant)
		r.read(value, fields[meant], full)
		return
	}
	there := strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	if !keyPattern.MatchString(name) {
		r.fault(key, "%sunknown key (not shown: it may be a value that slipped): use one of %s", prefix(path, ": "), there)
		return
	}
	r.fault(key, "unknown key %q: use one of %s", full, there)
}

// has reports whether fields have what a path of keys names.
func has(fields map[string]reflect.Value, path []string) bool {
	field, ok := fields[path[0]]
	if !ok || len(path) == 1 {
		return ok
	}
	return field.Kind() == reflect.Struct && has(fieldsOf(field), path[1:])
}

var keyPattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// plainKey is a key as it may be shown. What does not look like one may be a
// value that slipped.
func plainKey(name string) string {
	if keyPattern.MatchString(name) {
		return `"` + name + `"`
	}
	return "(not shown)"
}

// nearest is the one of some keys that whoever wrote name is likely to have meant,
// empty where none or several could be.
func nearest(name string, keys []string) string {
	const far = 3
	best, meant := far, ""
	for _, k := range keys {
		d := far
		if n, k := letters(name), letters(k); len(n) <= len(k)+far {
			d = distance(n, k)
		}
		if d >= far || d > 1 && len(k) <= 4 { // of a short key too little would be left
			continue
		}
		switch {
		case d < best:
			best, meant = d, k
		case d == best:
			meant = ""
		}
	}
	return meant
}

// letters is a key without what is a matter of taste: tlsListen, TLS-Listen and
// tls_listen are one.
func letters(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// distance is how many letters have to be added, left out, replaced, or swapped with
// their neighbours to get from a to b.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
