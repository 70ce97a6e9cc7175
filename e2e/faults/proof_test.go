//go:build e2e

package faults

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/turnout-events/turnout/e2e/faults/history"
)

// registration is one as the store has it.
type registration struct {
	org, event, key, status string
	revision, delivered     int64
	waits                   bool // something is to be delivered
	erased                  bool
	parked                  string
	value                   string
}

// quiet bounds how long everything that was begun may take to end: calls that
// nobody answers are given up after a minute.
const quiet = 150 * time.Second

// recovered looks whether every instance is well again by itself, now that nothing
// is away (P10).
func (d *deployment) recovered() {
	d.t.Helper()
	for _, p := range d.instances {
		last := ""
		if !d.within(time.Minute, p.name+" is ready again", func() bool {
			resp, text, err := d.get(p.admin, "", "/readyz")
			last = fmt.Sprint(text, err)
			return err == nil && resp.StatusCode == http.StatusOK
		}) {
			d.t.Error(last)
		}
	}
}

// prove waits until everything has come to rest, and looks whether it is as it
// must be.
func (d *deployment) prove(c *crowd) {
	d.t.Helper()
	last, began := "", time.Now()
	settled := d.within(quiet, "everything comes to rest", func() bool {
		if now := d.unsettled(); now != last {
			last = now
			d.t.Logf("%v after all was mended: %s", time.Since(began).Round(100*time.Millisecond), cmp.Or(now, "at rest"))
		}
		return last == ""
	})
	if !settled {
		d.t.Errorf("it does not come to rest: %s", last)
	}
	pass(12 * time.Second) // the mirror looks once more
	if late := d.unsettled(); settled && late != "" {
		d.t.Errorf("it had come to rest, and then: %s", late)
	}
	truth, err := d.truth()
	if err != nil {
		d.t.Fatal(err)
	}
	d.proveAcknowledged(c, truth)
	d.proveForgotten(c)
	d.proveCached()
	d.proveSeats(truth)
	d.proveHistory(c, truth)
	for _, fault := range c.faults.all[:min(len(c.faults.all), 30)] {
		d.t.Error(fault)
	}
}

// unsettled says what is still under way, or wrong, empty for nothing: Salesforce
// has exactly what the store has, and every instance shows the same pages.
func (d *deployment) unsettled() string {
	truth, err := d.truth()
	if err != nil {
		return err.Error()
	}
	for _, o := range d.offices {
		records, err := o.records(d.t.Context())
		if err != nil {
			return err.Error()
		}
		if said := compare(o, truth, records); said != "" {
			return said
		}
	}
	return d.differences()
}

// compare says how Salesforce differs from the store.
func compare(o *office, truth []registration, records []record) string {
	byKey := map[string]record{}
	for _, r := range records {
		if byKey[r.Key].ID != "" {
			return fmt.Sprintf("P1: %s is in Salesforce twice", r.Key)
		}
		byKey[r.Key] = r
	}
	known := 0
	for _, r := range truth {
		if r.org != o.org {
			continue
		}
		theirs, ok := byKey[r.key]
		want := map[string]string{history.Registered: "Registered", history.Cancelled: "Cancelled"}[r.status]
		switch {
		case r.parked != "":
			return fmt.Sprintf("P1: %s is parked: %s", r.key, r.parked)
		case r.waits || r.delivered != r.revision:
			return fmt.Sprintf("%s of %s waits: revision %d, %d is delivered", r.key, o.org, r.revision, r.delivered)
		case !ok && r.erased:
			continue // forgotten before Salesforce heard of it
		case !ok:
			return fmt.Sprintf("P1: %s of %s is not in Salesforce", r.key, o.org)
		case theirs.Status != want || int64(theirs.Revision) != r.revision || !r.erased && theirs.Company != r.value || theirs.Event != r.event:
			return fmt.Sprintf("P1: %+v of the store is %+v in Salesforce", r, theirs)
		}
		known++
	}
	if known != len(byKey) {
		return fmt.Sprintf("P1: %s has %d registrations in Salesforce, %d of which the store knows", o.org, len(byKey), known)
	}
	return ""
}

// truth reads all registrations from the store, with what they say as an instance
// opens it.
func (d *deployment) truth() (all []registration, err error) {
	values := map[string]string{}
	for _, o := range d.offices {
		if err := d.export(d.instances[0], o, values); err != nil {
			return nil, err
		}
	}
	err = d.query(`SELECT o.org, l.event, r.key, r.status, r.revision, r.delivered, r.due_at IS NOT NULL, r.sealed IS NULL, coalesce(r.parked_code, '')
		FROM registrations r JOIN lanes l USING (lane) JOIN orgs o ON o.num = r.org ORDER BY r.id`, func(rows pgx.Rows) error {
		var r registration
		err := rows.Scan(&r.org, &r.event, &r.key, &r.status, &r.revision, &r.delivered, &r.waits, &r.erased, &r.parked)
		r.value = values[r.org+" "+r.key]
		all = append(all, r)
		return err
	})
	return all, err
}

// query asks the database itself, by no wire.
func (d *deployment) query(text string, each func(pgx.Rows) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, d.database.URL())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// get asks an instance itself.
func (d *deployment) get(origin, host, path string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, origin+path, nil)
	if err != nil {
		return nil, "", err
	}
	if host != "" {
		req.Host = host
	}
	resp, err := d.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

// export reads what an org's registrations say, by org and key.
func (d *deployment) export(p *process, o *office, values map[string]string) error {
	resp, text, err := d.get(p.admin, "", "/admin/v1/orgs/"+o.org+"/registrations.csv")
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the export of %s: %s", o.org, resp.Status)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err == nil && len(rows) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return fmt.Errorf("the export of %s: %w", o.org, err)
	}
	key, company := slices.Index(rows[0], "key"), slices.Index(rows[0], "company")
	for _, row := range rows[1:] {
		values[o.org+" "+row[key]] = row[company]
	}
	return nil
}

// differences says which public page is not the same on every instance, or not the
// latest, empty for none.
func (d *deployment) differences() string {
	for _, o := range d.offices {
		paths := map[string]string{"/": ""}
		for slug, e := range o.events {
			paths["/events/"+slug] = e.title(o)
		}
		for path, title := range paths {
			first, tag := "", ""
			for i, p := range d.instances {
				resp, text, err := d.get("http://"+address(p), o.org+".localhost", path)
				switch {
				case err != nil:
					return err.Error()
				case resp.StatusCode != http.StatusOK || !strings.Contains(text, title):
					return fmt.Sprintf("P5: %s of %s at %s is %s and does not say %q", path, o.org, p.name, resp.Status, title)
				case i == 0:
					first, tag = text, resp.Header.Get("ETag")
				case text != first || resp.Header.Get("ETag") != tag || tag == "":
					return fmt.Sprintf("P10: %s of %s is another at %s than at %s", path, o.org, p.name, d.instances[0].name)
				}
			}
		}
	}
	return ""
}

// proveAcknowledged: everybody who was told so is registered.
func (d *deployment) proveAcknowledged(c *crowd, truth []registration) {
	d.t.Helper()
	byKey := map[string]registration{}
	for _, r := range truth {
		byKey[r.org+" "+r.key] = r
	}
	missing := 0
	for key, own := range c.own {
		r, ok := byKey[own.office.org+" "+key]
		if !ok || !r.erased && !strings.HasSuffix(r.value, own.person.marker) {
			missing++
			d.t.Logf("%s of %s: %+v", key, own.person.marker, r)
		}
	}
	if missing > 0 {
		d.t.Errorf("P1: %d acknowledged registrations are lost or another's", missing)
	}
	for _, o := range d.offices {
		if n, err := o.duplicates(d.t.Context()); n != 0 || err != nil {
			d.t.Errorf("P1: Salesforce of %s refused %d duplicates, %v", o.org, n, err)
		}
	}
	d.t.Logf("%d registrations, %d of them acknowledged", len(truth), len(c.own))
}

// proveSeats: the store's counters are what its registrations hold, and none is over.
func (d *deployment) proveSeats(truth []registration) {
	d.t.Helper()
	held := map[string]int{}
	for _, r := range truth {
		if r.status == history.Registered {
			held[r.org+" "+r.event]++
		}
	}
	pools := 0
	err := d.query(`SELECT o.org, l.event, s.pool, s.seat_limit, s.taken, s.outside, s.waiting, s.excess
		FROM seats s JOIN lanes l USING (lane) JOIN orgs o ON o.num = l.org WHERE s.counted`, func(rows pgx.Rows) error {
		var org, event, pool string
		var limit, taken, outside, waiting, excess int
		if err := rows.Scan(&org, &event, &pool, &limit, &taken, &outside, &waiting, &excess); err != nil {
			return err
		}
		pools++
		if taken != held[org+" "+event] || outside+waiting+excess != 0 {
			d.t.Errorf("P2: %s of %s of %s counts %d seats, %d outside, %d waiting, %d too many, and %d are held", pool, event, org, taken, outside, waiting, excess, held[org+" "+event])
		}
		if limit >= 0 && held[org+" "+event] > limit {
			d.t.Errorf("P2: %d seats of %s of %s are held, of %d", held[org+" "+event], event, org, limit)
		}
		return nil
	})
	if err != nil || pools < len(d.offices) {
		d.t.Errorf("%d pools of seats, %v", pools, err)
	}
}

// proveHistory: what everybody was answered, and how all stands in the end, can have
// been so.
func (d *deployment) proveHistory(c *crowd, truth []registration) {
	d.t.Helper()
	for _, o := range d.offices {
		for slug, story := range c.history[o] {
			final := map[string]string{}
			for _, r := range truth {
				if r.org != o.org || r.event != o.events[slug].id {
					continue
				}
				final[r.key] = r.status
				if !r.erased {
					story.Call(-1, history.Asked{Verb: history.Read, Key: r.key})(history.Answer{Outcome: history.OK, State: history.State{Status: r.status, Value: r.value, Revision: r.revision}})
				}
			}
			ops := story.Operations()
			wrong, err := history.Registrations(ops)
			if err != nil {
				d.t.Errorf("%s of %s: %v", slug, o.org, err)
			}
			for _, w := range wrong[:min(len(wrong), 5)] {
				d.t.Errorf("P1: %d registrations of %s of %s cannot have been as they were answered, such as %s", len(wrong), slug, o.org, w)
			}
			if seats := o.events[slug].seats; seats >= 0 {
				began := time.Now()
				if err := history.Seats(ops, final, seats); err != nil {
					d.t.Errorf("P2: %s of %s: %v", slug, o.org, err)
				}
				d.t.Logf("%s of %s: %d operations, checked in %v", slug, o.org, len(ops), time.Since(began).Round(time.Millisecond))
			}
		}
	}
}
