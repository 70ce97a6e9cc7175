package loading

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// token is what a personal link may be on a line of its own.
var token = regexp.MustCompile(`^[A-Za-z0-9._~-]{8,256}$`)

// shownFaults is how many faults of a file are listed one by one.
const shownFaults = 10

// readLinks reads a file of personal links: URLs of the target, or their tokens, one a
// line; empty lines and those that begin with # are passed over. Links of other
// hosts, and what is no link, are listed by line, counted, and refused. No link is
// repeated in an error: it opens somebody's form.
func readLinks(path string, target *url.URL) (paths []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, badly("--links: %w", err)
	}
	defer f.Close()
	var faults []string
	wrong, n := 0, 0
	fault := func(says string) {
		if wrong++; wrong <= shownFaults {
			faults = append(faults, fmt.Sprintf("  line %d: %s", n, says))
		}
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		n++
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		p, says := linkPath(line, target)
		if says != "" {
			fault(says)
			continue
		}
		paths = append(paths, p)
	}
	if err := lines.Err(); err != nil {
		return nil, badly("--links %s: line %d: %w", path, n+1, err)
	}
	if wrong > 0 {
		if wrong > shownFaults {
			faults = append(faults, fmt.Sprintf("  and %d more", wrong-shownFaults))
		}
		return nil, badly("--links %s: %d of %d are no personal links of %s:\n%s", path, wrong, wrong+len(paths), target.Host, strings.Join(faults, "\n"))
	}
	if len(paths) == 0 {
		return nil, badly("--links %s: there is none in it", path)
	}
	return paths, nil
}

// linkPath is the path of a personal link of target, or what is wrong with the line.
func linkPath(line string, target *url.URL) (path, says string) {
	if !strings.Contains(line, "://") {
		line, _ = strings.CutPrefix(line, "/l/")
		if !token.MatchString(line) {
			return "", "no link"
		}
		return "/l/" + line, ""
	}
	u, err := url.Parse(line)
	if err != nil {
		return "", "no URL"
	}
	if !strings.EqualFold(u.Host, target.Host) {
		return "", "a link of another host, " + u.Host
	}
	name, ok := strings.CutPrefix(u.Path, "/l/")
	if !ok || !token.MatchString(name) {
		return "", "no personal link: its path is not /l/ and a token"
	}
	return "/l/" + name, ""
}
