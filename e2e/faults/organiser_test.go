//go:build e2e

package faults

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// organisers change events, press Update and invite people.
type organisers struct {
	*crowd
	rng *rand.Rand
}

// work goes on until ctx ends. What fails is left: Salesforce is away.
func (w *organisers) work(ctx context.Context) {
	for ctx.Err() == nil {
		o := w.d.offices[w.rng.IntN(len(w.d.offices))]
		slugs := slices.Sorted(maps.Keys(o.events))
		call, cancel := context.WithTimeout(ctx, 10*time.Second)
		if w.rng.IntN(4) == 0 {
			_ = o.update(call, o.events[slugs[w.rng.IntN(len(slugs))]])
		} else {
			_ = w.invite(call, o, "many")
		}
		cancel()
		wait(ctx, time.Duration(200+w.rng.IntN(800))*time.Millisecond)
	}
}

// invite makes somebody a personal link.
func (w *organisers) invite(ctx context.Context, o *office, slug string) error {
	i := invitation{slug: slug, person: newPerson(o, int(w.people.Add(1)))}
	i.token = strings.ToLower(fmt.Sprintf("link-%s-%s-0123456789", o.org, i.person.marker[2:]))
	if err := o.invite(ctx, o.events[slug], i.token, i.person); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.links[o] = append(w.links[o], i)
	return nil
}

// finish sees to it that every event's title is known, now that nothing fails.
func (w *organisers) finish(t *testing.T) {
	t.Helper()
	for _, o := range w.d.offices {
		for _, e := range o.events {
			var err error
			for range 3 { // the session may have ended, or what signed in be a process that was killed
				if err = o.update(t.Context(), e); err == nil {
					break
				}
			}
			if err != nil {
				t.Errorf("update %s of %s: %v", e.slug, o.org, err)
			}
		}
	}
}

// forgetter has somebody forgotten now and then.
type forgetter struct {
	*crowd
	rng *rand.Rand
}

// work goes on until leave ends; what was begun is tried until stay ends.
func (f *forgetter) work(leave, stay context.Context) {
	for leave.Err() == nil {
		wait(leave, time.Duration(500+f.rng.IntN(3000))*time.Millisecond)
		o, ok := f.somebody()
		for ok && stay.Err() == nil {
			if p := f.d.instances[f.rng.IntN(len(f.d.instances))]; f.forget(stay, p, o) {
				f.note(o)
				break
			}
			wait(stay, 500*time.Millisecond)
		}
	}
}

// somebody is a person who has left, of the event with many places: in the other
// one every seat is accounted for.
func (f *forgetter) somebody() (own, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, o := range f.left {
		if o.slug == "many" {
			f.left = slices.Delete(f.left, 0, i+1)
			return o, true
		}
	}
	return own{}, false
}

// note remembers whom there is a receipt for.
func (f *forgetter) note(o own) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten[o.key] = o
}

// forget asks an instance, and reports whether there is a receipt.
func (f *forgetter) forget(ctx context.Context, p *process, o own) bool {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	at := p.admin + "/admin/v1/orgs/" + o.office.org + "/forget"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(fmt.Sprintf(`{"email":%q}`, o.person.email)))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.d.client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// proveForgotten: whoever was forgotten is on no page, in no export and in no file;
// and nobody is in a file, in the clear.
func (d *deployment) proveForgotten(c *crowd) {
	d.t.Helper()
	for _, p := range d.instances {
		for _, o := range c.forgotten {
			for _, path := range []string{o.path, o.link} {
				if path == "" {
					continue
				}
				resp, text, err := d.get("http://"+address(p), o.office.org+".localhost", path)
				if err != nil || resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusGone || strings.Contains(strings.ToLower(text), o.person.marker) {
					d.t.Errorf("P8: %s, who was forgotten, asks %s for %s: %+v, %v", o.person.marker, p.name, path, resp, err)
				}
			}
		}
		for _, o := range d.offices {
			_, text, err := d.get(p.admin, "", "/admin/v1/orgs/"+o.org+"/registrations.csv")
			if err != nil {
				d.t.Error(err)
			}
			for _, m := range anyMarker.FindAllString(text, -1) {
				if forgotten(c, m) {
					d.t.Errorf("P8: %s, who was forgotten, is in the export of %s", m, p.name)
				}
			}
		}
	}
	d.t.Logf("%d people were forgotten", len(c.forgotten))
	directory, _ := url.Parse(d.database.URL())
	for _, root := range []string{d.dir, directory.Query().Get("host")} {
		for _, hit := range d.readable(root) {
			d.t.Errorf("P8: readable at rest: %s", hit)
		}
	}
}

func forgotten(c *crowd, marker string) bool {
	for _, o := range c.forgotten {
		if strings.EqualFold(o.person.marker, marker) {
			return true
		}
	}
	return false
}

// readable lists files, those of Salesforce apart, in which somebody's marker stands.
func (d *deployment) readable(root string) (hits []string) {
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		for _, o := range d.offices {
			if path == filepath.Join(d.dir, o.org) {
				return fs.SkipDir
			}
		}
		if err != nil || !e.Type().IsRegular() {
			return nil // files come and go
		}
		text, _ := os.ReadFile(path)
		if bytes.Contains(bytes.ToLower(text), []byte("zq")) {
			if m := anyMarker.Find(text); m != nil {
				hits = append(hits, fmt.Sprintf("%s in %s", m, path))
			}
		}
		return nil
	})
	return hits
}

// proveCached: an instance that begins anew, and so knows what the cache has and
// nothing else, shows what those show that ran through all of it.
func (d *deployment) proveCached() {
	d.t.Helper()
	p := d.instances[0]
	p.kill()
	ctx, cancel := context.WithTimeout(d.t.Context(), time.Minute)
	defer cancel()
	if err := p.up(ctx, d.starter); err != nil {
		d.t.Error(err)
		return
	}
	last := ""
	if !d.within(20*time.Second, "an instance that is started again shows what the others do", func() bool { last = d.differences(); return last == "" }) {
		d.t.Error(last)
	}
}
