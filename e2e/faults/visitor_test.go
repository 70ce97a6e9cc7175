//go:build e2e

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-events/turnout/e2e/faults/history"
)

// faults gathers what was seen that must not be. Safe for concurrent use.
type faults struct {
	mu  sync.Mutex
	all []string
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fmt.Sprintf(format, args...))
}

// crowd is everybody who comes.
type crowd struct {
	d       *deployment
	history map[*office]map[string]*history.History // by slug
	faults  faults
	people  atomic.Int64

	mu     sync.Mutex
	own    map[string]own           // acknowledged registrations by key
	left   []own                    // those whose people do nothing with them any more
	links  map[*office][]invitation // that nobody has opened yet
	counts map[string]int           // how often what was answered
	// forgotten are registrations of people who were forgotten, by key.
	forgotten map[string]own
}

// own is somebody's acknowledged registration.
type own struct {
	office *office
	slug   string
	person person
	key    string
	path   string // of its page
	link   string // that it came through
}

type invitation struct {
	slug, token string
	person      person
}

func newCrowd(d *deployment) *crowd {
	c := &crowd{d: d, history: map[*office]map[string]*history.History{}, own: map[string]own{}, links: map[*office][]invitation{}, counts: map[string]int{}, forgotten: map[string]own{}}
	for _, o := range d.offices {
		c.history[o] = map[string]*history.History{}
		for slug := range o.events {
			c.history[o][slug] = history.New()
		}
	}
	return c
}

func (c *crowd) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[what]++
}

func (c *crowd) invited(o *office) (i invitation, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links[o]) == 0 {
		return i, false
	}
	i = c.links[o][0]
	c.links[o] = c.links[o][1:]
	return i, true
}

// visitor comes again and again, each time as somebody else.
type visitor struct {
	*crowd
	number int
	rng    *rand.Rand
	// stay is the context of their requests; it ends a while after leave has.
	stay context.Context
}

// visit visits until leave ends, and finishes what was begun then.
func (v *visitor) visit(leave context.Context) {
	for leave.Err() == nil {
		v.once()
		v.rest(300)
	}
}

// rest lets up to so many milliseconds go by.
func (v *visitor) rest(most int) {
	select {
	case <-v.stay.Done():
	case <-time.After(time.Duration(1+v.rng.IntN(most)) * time.Millisecond):
	}
}

// journey is one registration of somebody's.
type journey struct {
	*visitor
	*browser
	own
	story *history.History
	form  url.Values
}

// once registers, and does with the registration what people do.
func (v *visitor) once() {
	o := v.d.offices[v.rng.IntN(len(v.d.offices))]
	j := &journey{visitor: v}
	j.own = own{office: o, slug: "few", person: newPerson(o, int(v.people.Add(1)))}
	path := ""
	if v.rng.IntN(3) > 0 {
		j.slug = "many"
	}
	if v.rng.IntN(5) == 0 {
		if i, ok := v.invited(o); ok {
			j.slug, j.person, j.link = i.slug, i.person, "/l/"+i.token
			path = j.link
		}
	}
	if path == "" {
		path = "/events/" + j.slug + "/register"
	}
	j.browser, j.story = newBrowser(o, j.person, v.d.public(), &v.faults), v.history[o][j.slug]
	defer j.close()
	if !j.open(path) || !j.register(path) {
		return
	}
	j.read(j.path)
	if j.link != "" {
		j.follow()
	}
	if v.rng.IntN(3) == 0 {
		j.edit()
		j.read(j.path)
	}
	if j.slug == "few" && v.rng.IntN(20) > 0 || v.rng.IntN(5) == 0 {
		j.rest(3000) // a place that comes free is another's
		j.cancel()
		j.read(j.path)
	}
	if v.rng.IntN(8) == 0 { // the form was left open, and is sent once more
		j.submit(path)
	}
	v.done(j.own)
}

// follow opens the personal link again, the event's page with the session that the
// link began, and another org's page with it (P6).
func (j *journey) follow() {
	j.read(j.link)
	j.ask(j.stay, http.MethodGet, "/events/"+j.slug, nil)
	for _, o := range j.d.offices {
		if o != j.office {
			j.stray(j.stay, o, "/events/"+j.slug)
		}
	}
}

// done notes that somebody does nothing with their registration any more.
func (c *crowd) done(o own) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = append(c.left, o)
}

// open gets a form to fill in.
func (j *journey) open(path string) bool {
	for j.stay.Err() == nil {
		p := j.ask(j.stay, http.MethodGet, path, nil)
		key := p.field(keyField)
		switch {
		case p.status == http.StatusOK && key != "" && p.field(formField) != "":
			j.fill(p)
			return true
		case p.status == http.StatusOK:
			j.count("shown no form")
			return false
		case p.status == http.StatusNotFound && j.link == "":
			j.faults.add("P3: %s of %s is known and was answered 404", path, j.office.org)
			return false
		case p.clear() && p.status != http.StatusNotFound:
			j.faults.add("the form %s was answered %d: %s", path, p.status, heading(p))
			return false
		}
		j.count(fmt.Sprintf("GET form %d", p.status))
		j.rest(800)
	}
	return false
}

// fill fills a form in.
func (j *journey) fill(p page) {
	j.key = p.field(keyField)
	j.form = url.Values{"key": {j.key}, "form": {p.field(formField)}, "ticket": {"std"}, "first_name": {j.person.first},
		"last_name": {j.person.last}, "email": {j.person.email}, "company": {j.person.says(0)}}
}

// register sends the form until there is a clear answer, now and then twice at once.
func (j *journey) register(path string) (made bool) {
	for j.stay.Err() == nil {
		var again sync.WaitGroup
		if j.rng.IntN(8) == 0 {
			again.Go(func() { j.submit(path) })
		}
		outcome := j.submit(path)
		again.Wait()
		if outcome != history.Unknown {
			return outcome == history.OK
		}
		j.rest(800)
	}
	return false
}

const (
	sayFull     = "There are not enough places left"
	sayConflict = "was changed elsewhere in the meantime"
)

// submit sends the form once.
func (j *journey) submit(path string) history.Outcome {
	answered := j.story.Call(j.number, history.Asked{Verb: history.Register, Key: j.key, Value: j.person.says(0)})
	p := j.ask(j.stay, http.MethodPost, path, j.form)
	outcome := history.Unknown
	switch {
	case p.status == http.StatusSeeOther:
		outcome = history.OK
		j.acknowledge(p.location)
	case p.status == http.StatusConflict && strings.Contains(p.body, sayFull):
		outcome = history.Full
	case p.clear():
		j.faults.add("registering at %s of %s with key %s was answered %d: %s", path, j.office.org, j.key, p.status, heading(p))
	}
	answered(history.Answer{Outcome: outcome})
	j.count("registered: " + string(outcome) + " " + strconv.Itoa(p.status))
	return outcome
}

// acknowledge notes that somebody was told that they are registered.
func (j *journey) acknowledge(location string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if before, ok := j.crowd.own[j.key]; ok && before.path != location {
		j.faults.add("P1: %s was told %s at first and %s then", j.key, before.path, location)
	}
	j.path = location
	j.crowd.own[j.key] = j.own
}

var heading1 = regexp.MustCompile(`(?s)<h1[^>]*>(.*?)</h1>`)

func heading(p page) string {
	if m := heading1.FindStringSubmatch(p.body); m != nil {
		return m[1]
	}
	return p.body[:min(len(p.body), 80)]
}

// read looks at the registration on its own page, or by the link that it came through.
func (j *journey) read(path string) {
	for range 3 {
		answered := j.story.Call(j.number, history.Asked{Verb: history.Read, Key: j.key})
		p := j.ask(j.stay, http.MethodGet, path, nil)
		if s, ok := standing(p); ok {
			answered(history.Answer{Outcome: history.OK, State: s})
			j.count("read")
			return
		}
		if p.clear() {
			j.faults.add("the registration %s of %s was answered %d: %s", j.key, j.office.org, p.status, heading(p))
		}
		j.count(fmt.Sprintf("read %d", p.status))
		j.rest(800)
	}
}

// standing is what a registration's page says.
func standing(p page) (s history.State, ok bool) {
	switch {
	case p.status == http.StatusNotFound || p.status == http.StatusGone:
		return s, true
	case p.status != http.StatusOK:
		return s, false
	case strings.Contains(p.body, "This registration is cancelled"):
		return history.State{Status: history.Cancelled}, true
	case strings.Contains(p.body, "You’re registered"):
		return history.State{Status: history.Registered, Value: anyValue.FindString(p.body)}, true
	}
	return s, false
}

// edit changes what was said, until there is a clear answer.
func (j *journey) edit() {
	form, from := j.changing()
	if form == nil {
		return
	}
	value := j.person.says(1 + j.rng.IntN(1_000_000))
	form.Set("company", value)
	for range 6 {
		answered := j.story.Call(j.number, history.Asked{Verb: history.Edit, Key: j.key, Value: value, From: from})
		p := j.ask(j.stay, http.MethodPost, j.path+"/edit", form)
		outcome := history.Unknown
		switch {
		case p.status == http.StatusSeeOther:
			outcome = history.OK
		case p.status == http.StatusConflict && strings.Contains(p.body, sayConflict):
			outcome = history.Conflict
		case p.clear():
			j.faults.add("the edit of %s was answered %d: %s", j.key, p.status, heading(p))
		}
		answered(history.Answer{Outcome: outcome})
		j.count("edited: " + string(outcome) + " " + strconv.Itoa(p.status))
		if outcome != history.Unknown {
			return
		}
		j.rest(800)
	}
}

// changing opens the form for an edit, and reads the registration by it.
func (j *journey) changing() (form url.Values, from int64) {
	answered := j.story.Call(j.number, history.Asked{Verb: history.Read, Key: j.key})
	p := j.ask(j.stay, http.MethodGet, j.path+"/edit", nil)
	from, _ = strconv.ParseInt(p.field(revisionField), 10, 64)
	if p.status != http.StatusOK || from == 0 {
		return nil, 0
	}
	answered(history.Answer{Outcome: history.OK, State: history.State{Status: history.Registered, Value: anyValue.FindString(p.body), Revision: from}})
	form = url.Values{"revision": {strconv.FormatInt(from, 10)}}
	for name, values := range j.form {
		form[name] = values
	}
	form.Set("form", p.field(formField))
	return form, from
}

// cancel gives the place back, until there is a clear answer.
func (j *journey) cancel() {
	for range 6 {
		answered := j.story.Call(j.number, history.Asked{Verb: history.Cancel, Key: j.key})
		p := j.ask(j.stay, http.MethodPost, j.path+"/cancel", url.Values{})
		outcome := history.Unknown
		switch {
		case p.status == http.StatusSeeOther:
			outcome = history.OK
		case p.clear():
			j.faults.add("the cancellation of %s was answered %d: %s", j.key, p.status, heading(p))
		}
		answered(history.Answer{Outcome: outcome})
		j.count("cancelled: " + string(outcome) + " " + strconv.Itoa(p.status))
		if outcome != history.Unknown {
			return
		}
		j.rest(800)
	}
}
