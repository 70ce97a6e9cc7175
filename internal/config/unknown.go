package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Variable is one of the environment that begins as Turnout's do and is none.
type Variable struct {
	Name string
	// Meant is the one that whoever wrote it is likely to have meant, empty where none
	// or several could be.
	Meant string
}

// String says what is wrong with it, never what it says.
func (v Variable) String() string {
	if v.Meant == "" {
		return "unknown variable " + v.Name
	}
	return "unknown variable " + v.Name + ": did you mean " + v.Meant + "?"
}

// Unknown lists the variables that say something and that nothing reads, by name. It is no fault that there
// are any: others may put them there.
func Unknown(environ []string) []Variable {
	keys, err := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: envPrefix})
	if err != nil {
		return nil // reading the configuration says so
	}
	given := env.ToMap(environ)
	free := []string{} // names of keys that are not given, without their prefix
	known := map[string]bool{envPrefix + "CONFIG": true}
	for _, k := range keys {
		known[k.Key] = true
		if _, ok := given[k.Key]; !ok {
			free = append(free, strings.TrimPrefix(k.Key, envPrefix))
		}
	}
	if _, ok := given[envPrefix+"CONFIG"]; !ok {
		free = append(free, "CONFIG")
	}
	var unknown []Variable
	for name := range given {
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours || given[name] == "" || known[name] || elsewhere.MatchString(rest) || injected.MatchString(rest) {
			continue
		}
		v := Variable{Name: name}
		if meant := nearest(rest, free); meant != "" {
			v.Meant = envPrefix + meant
		}
		unknown = append(unknown, v)
	}
	slices.SortFunc(unknown, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	return unknown
}

// elsewhere is the variables that tests, measurements and Salesforce's tool read, after
// their prefix.
var elsewhere = regexp.MustCompile(`^(CI|BINARY|ORIGIN|SCREENSHOTS|STORETEST_SEED|(BENCH|CONFORMANCE|E2E|FAULTS|TEST)_\w+)$`)

// injected is the variables that Kubernetes makes of services whose names begin with
// turnout, after their prefix.
var injected = regexp.MustCompile(`^(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)
