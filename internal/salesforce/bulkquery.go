package salesforce

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
)

const (
	// bulkPageRows are asked for at once: what is fetched again of a page that
	// breaks, or after a crash. A million rows are 50 calls.
	bulkPageRows    = 20_000
	bulkPageRetries = 3
)

// BulkPlace is where a bulk query stands. From there it goes on, in another
// process too, as long as Salesforce keeps the job: seven days.
type BulkPlace struct {
	Job string `json:"job"`
	// Locator names the next page, none for the first.
	Locator string `json:"locator,omitempty"`
	// Done counts the rows of the pages before it, Total those of all pages; 0
	// while the job is not complete.
	Done  int `json:"done,omitempty"`
	Total int `json:"total,omitempty"`
	// Ended says that there is no next page.
	Ended bool `json:"ended,omitempty"`
}

// BulkQuery is a query as a Bulk API 2.0 job. It is not safe for concurrent use.
type BulkQuery struct {
	client *Client
	path   string
	at     BulkPlace
	over   bool
}

// StartBulkQuery makes the job. Its rows come in no promised order unless the
// query says one.
func (c *Client) StartBulkQuery(ctx context.Context, rows Rows, soql string) (*BulkQuery, error) {
	operation := "query"
	if rows == AndDeleted {
		operation = "queryAll"
	}
	var j job
	err := c.json(ctx, call{op: opBulk, method: http.MethodPost, path: c.data("/jobs/query"),
		body: map[string]string{"operation": operation, "query": soql}}, &j)
	if err != nil {
		return nil, err
	}
	return c.ResumeBulkQuery(BulkPlace{Job: j.ID}), nil
}

// ResumeBulkQuery goes on where a query stood. It does no I/O: that the job is
// gone shows in Await or Page, after which Over is true.
func (c *Client) ResumeBulkQuery(at BulkPlace) *BulkQuery {
	return &BulkQuery{client: c, path: c.data("/jobs/query/" + url.PathEscape(at.Job)), at: at}
}

// Place is where the query stands: after the last page that was read whole.
func (q *BulkQuery) Place() BulkPlace { return q.at }

// Over reports, after an error, that this job gives no more: it failed, or
// Salesforce knows it, or its locator, no longer. Another one may do better.
func (q *BulkQuery) Over() bool { return q.over }

// Await waits for the job as long as ctx allows, and discards one that failed.
func (q *BulkQuery) Await(ctx context.Context) error {
	if q.at.Ended {
		return nil
	}
	j, err := q.client.await(ctx, q.path)
	switch {
	case err != nil:
		q.over = refused(err)
	case j.State != stateComplete:
		q.over = true
		q.Discard(ctx)
		err = j.failed("salesforce bulk query")
	case q.at.Done > 0 && j.Processed != q.at.Total: // a place in another result means nothing
		q.over = true
		err = turnout.Errorf(turnout.CodeConflict, "salesforce bulk query", "the result has %d rows by now, and had %d", j.Processed, q.at.Total)
	default:
		q.at.Total = j.Processed
	}
	return err
}

// refused tells that Salesforce does not do what was asked about this job from
// what may pass, or holds for the whole org.
func refused(err error) bool {
	if said := (*APIError)(nil); errors.As(err, &said) && strings.Contains(strings.ToUpper(said.Status), "LOCATOR") {
		return true
	}
	switch turnout.CodeOf(err) {
	case turnout.CodeMisconfigured, turnout.CodeRefused, turnout.CodeNotFound, turnout.CodeInvalid, turnout.CodeMalformed, turnout.CodeConflict:
		return true
	}
	return false
}

// Page yields the rows of the next page, with strings for all values and nil for
// empty ones, and moves the place past it. It is false at the end. An error of
// yield's own ends it as it is. A page that breaks off is fetched again and the
// rows that were yielded already are skipped, since a page is the same each time.
func (q *BulkQuery) Page(ctx context.Context, yield func(Record) error) (more bool, err error) {
	if q.at.Ended {
		return false, nil
	}
	p := page{yield: yield}
	for attempt := 0; ; attempt++ {
		err = q.read(ctx, &p)
		switch {
		case p.stopped != nil:
			return false, p.stopped
		case err == nil:
			q.at.Done, q.at.Locator, q.at.Ended = q.at.Done+p.done, p.next, p.next == ""
			return !q.at.Ended, nil
		case attempt == bulkPageRetries || !passing(err):
			q.over = refused(err)
			return false, err
		}
		if err := wait(ctx, q.client.opts.PollEvery<<attempt); err != nil {
			return false, err
		}
	}
}

// page is one while it is read.
type page struct {
	yield   func(Record) error
	done    int   // rows that were yielded
	stopped error // what yield said
	next    string
}

func (q *BulkQuery) read(ctx context.Context, p *page) error {
	query := url.Values{"maxRecords": {strconv.Itoa(bulkPageRows)}}
	if q.at.Locator != "" {
		query.Set("locator", q.at.Locator)
	}
	reply, err := q.client.stream(ctx, call{op: opBulk, method: http.MethodGet, path: q.path + "/results?" + query.Encode(), accept: "text/csv"})
	if err != nil {
		return err
	}
	defer drain(reply.Body)
	seen := 0
	err = readCSV(reply.Body, func(r Record) bool {
		if seen++; seen <= p.done {
			return true
		}
		p.done = seen
		p.stopped = p.yield(r)
		return p.stopped == nil
	})
	if p.next = reply.Header.Get("Sforce-Locator"); p.next == "null" {
		p.next = ""
	}
	if err == nil && p.stopped == nil {
		err = complete(reply.Header.Get("Sforce-NumberOfRecords"), seen)
	}
	return err
}

// Discard deletes the job and its results, which hold personal data and count
// toward the org's storage. Salesforce does it itself after seven days, so a
// failure is nothing to report.
func (q *BulkQuery) Discard(ctx context.Context) { q.client.discard(ctx, q.path) }

// complete holds the rows of a page against the number Salesforce told, since
// a CSV that is cut off between two lines looks like a whole one.
func complete(header string, seen int) error {
	if want, err := strconv.Atoi(header); err == nil && want != seen {
		return turnout.Errorf(turnout.CodeUnavailable, "read bulk result", "got %d of %d rows", seen, want)
	}
	return nil
}

// readCSV yields the rows of a CSV by the names of its first line, until
// yield says no. What the reader quotes of a bad line is left out of the error.
func readCSV(body io.Reader, yield func(Record) bool) error {
	r := csv.NewReader(body)
	r.ReuseRecord = true
	r.LazyQuotes = false
	var names []string
	for {
		line, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return turnout.Errorf(turnout.CodeUnavailable, "read bulk result", "the CSV is cut off or damaged")
		case names == nil:
			names = append([]string{}, line...)
			continue
		}
		row := make(Record, len(names))
		for i, name := range names {
			if line[i] == "" {
				row[name] = nil
				continue
			}
			row[name] = line[i]
		}
		if !yield(row) {
			return nil
		}
	}
}
