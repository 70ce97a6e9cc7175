package salesforce

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/turnout-events/turnout"
)

const (
	bulkPageRows    = 50_000 // rows asked for at once, so that a page that breaks is cheap to fetch again
	bulkPageRetries = 3
)

// BulkQuery runs a query as a Bulk API 2.0 job and yields its rows, with
// strings for all values and nil for empty ones. It waits for the job as long
// as ctx allows. Rows come in no promised order unless the query says one.
func (c *Client) BulkQuery(ctx context.Context, rows Rows, soql string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		path, err := c.startQuery(ctx, rows, soql)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.discard(ctx, path)
		locator := ""
		for {
			next, more, err := c.bulkPage(ctx, path, locator, yield)
			if err != nil {
				yield(nil, err)
				return
			}
			if !more {
				return
			}
			locator = next
		}
	}
}

func (c *Client) startQuery(ctx context.Context, rows Rows, soql string) (string, error) {
	operation := "query"
	if rows == AndDeleted {
		operation = "queryAll"
	}
	var j job
	err := c.json(ctx, call{op: opBulk, method: http.MethodPost, path: c.data("/jobs/query"),
		body: map[string]string{"operation": operation, "query": soql}}, &j)
	if err != nil {
		return "", err
	}
	path := c.data("/jobs/query/" + url.PathEscape(j.ID))
	j, err = c.await(ctx, path)
	if err == nil && j.State != stateComplete {
		err = j.failed("salesforce bulk query")
	}
	if err != nil {
		c.discard(ctx, path)
		return "", err
	}
	return path, nil
}

// bulkPage yields one page of results. A page that breaks off is fetched
// again and the rows that were yielded already are skipped, since a page is
// the same each time.
func (c *Client) bulkPage(ctx context.Context, path, locator string, yield func(Record, error) bool) (next string, more bool, err error) {
	done := 0
	for attempt := 0; ; attempt++ {
		var stopped bool
		next, stopped, err = c.readPage(ctx, path, locator, &done, yield)
		if err == nil || stopped {
			return next, !stopped && next != "", nil
		}
		if attempt == bulkPageRetries || !passing(err) {
			return "", false, err
		}
		if err := wait(ctx, c.opts.PollEvery<<attempt); err != nil {
			return "", false, err
		}
	}
}

func (c *Client) readPage(ctx context.Context, path, locator string, done *int, yield func(Record, error) bool) (next string, stopped bool, err error) {
	query := url.Values{"maxRecords": {strconv.Itoa(bulkPageRows)}}
	if locator != "" {
		query.Set("locator", locator)
	}
	reply, err := c.do(ctx, call{op: opBulk, method: http.MethodGet, path: path + "/results?" + query.Encode(), accept: "text/csv"})
	if err != nil {
		return "", false, err
	}
	defer drain(reply.Body)
	seen := 0
	err = readCSV(reply.Body, func(r Record) bool {
		seen++
		if seen <= *done {
			return true
		}
		*done = seen
		stopped = !yield(r, nil)
		return !stopped
	})
	if err == nil && !stopped {
		err = complete(reply.Header.Get("Sforce-NumberOfRecords"), seen)
	}
	if next = reply.Header.Get("Sforce-Locator"); next == "null" {
		next = ""
	}
	return next, stopped, err
}

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
