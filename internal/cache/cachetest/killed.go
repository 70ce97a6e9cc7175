package cachetest

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/conformance"
)

// placeVariable carries the place to the child.
const placeVariable = "CACHETEST_PLACE"

const killedLinks = 300

// beChild writes until it is killed, if this process was started for that: a
// version of all links, then the cursor that says so, then a line that
// acknowledges both.
func beChild(t conformance.T, open Open) bool {
	place := os.Getenv(placeVariable)
	if place == "" {
		return false
	}
	c := open(t, place)
	at, err := c.Cursor(t.Context(), acme, "links")
	must(t, err)
	for version := nextVersion(t, c); ; version++ {
		links := make([]turnout.AttendeeLink, killedLinks)
		for n := range links {
			links[n] = link(acme, n, version)
		}
		must(t, c.PutLinks(t.Context(), links))
		move(t, c, acme, "links", at, links[0].Changed)
		at = links[0].Changed
		fmt.Printf("wrote %d\n", version)
	}
}

func nextVersion(t conformance.T, c Cache) int {
	at, err := c.Cursor(t.Context(), acme, "links")
	must(t, err)
	if at.IsZero() {
		return 1
	}
	return int(at.Sub(day)/time.Second) + 1
}

// testKilled kills a writing process again and again.
func testKilled(t conformance.T, open Open) {
	place := t.TempDir()
	rounds := 5
	if t.Short() {
		rounds = 2
	}
	for round := range rounds {
		acknowledged := writeAndKill(t, place, round)
		c := open(t, place)
		at, err := c.Cursor(t.Context(), acme, "links")
		must(t, err)
		if claimed := int(at.Sub(day) / time.Second); claimed < acknowledged {
			t.Fatalf("the cursor says version %d, but %d was acknowledged", claimed, acknowledged)
		}
		for n := range killedLinks {
			got, err := c.Link(t.Context(), acme, linkID(n))
			must(t, err)
			if got.Changed.Before(at) || !whole(got, n) {
				t.Fatalf("link %d is %+v while the cursor says %v", n, got, at)
			}
		}
		must(t, c.Close())
	}
}

// writeAndKill starts a child, lets it acknowledge some versions, kills it
// with SIGKILL and returns the last version it acknowledged.
func writeAndKill(t conformance.T, place string, round int) int {
	t.Helper()
	child := t.Again()
	child.Env = append(child.Env, placeVariable+"="+place)
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	last, seen, killed := 0, 0, false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, _ := fmt.Sscanf(lines.Text(), "wrote %d", &last); n == 1 {
			seen++
		}
		if seen > 3+round && !killed {
			must(t, child.Process.Kill())
			killed = true // what it had written to the pipe still counts
		}
	}
	_ = child.Wait()
	if !killed {
		t.Fatalf("the child ended by itself after %d versions", seen)
	}
	return last
}
