package salesforce

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"

	"github.com/turnout-events/turnout"
)

// Ingest says what a bulk job writes.
type Ingest struct {
	Object string
	// Operation is "insert", "update" or "upsert".
	Operation string
	// ExternalID is the field to upsert by.
	ExternalID string
	// Columns are the fields of each row; "Event__r.Public_Id__c" names a parent.
	Columns []string
}

// Ingested is what became of one row of a bulk job.
type Ingested struct {
	Row
	// Unprocessed rows were not tried; they may be sent again.
	Unprocessed bool
	// Values are the row's own, by column.
	Values Record
}

// maxIngest is below the 100 MB of raw CSV that one job takes (150 MB encoded).
const maxIngest = 95 << 20

// null is how a CSV cell empties a field; an empty cell leaves it as it is.
const null = "#N/A"

// BulkIngest sends rows as one Bulk API 2.0 job, streaming, waits until it has
// ended, and yields what became of each row, in no promised order. An empty
// value empties its field. A job that failed half way reports its rows first
// and its error last; nothing is rolled back. Whoever sends several jobs keeps
// the rows of one parent in one of them, since Salesforce locks the parent.
func (c *Client) BulkIngest(ctx context.Context, in Ingest, rows iter.Seq[[]string]) iter.Seq2[Ingested, error] {
	return func(yield func(Ingested, error) bool) {
		path, err := c.startIngest(ctx, in)
		if err != nil {
			yield(Ingested{}, err)
			return
		}
		defer c.discard(ctx, path)
		j, err := c.upload(ctx, path, in, rows)
		if err != nil {
			_ = c.json(context.WithoutCancel(ctx), call{op: opBulk, method: http.MethodPatch, path: path, body: map[string]string{"state": stateAborted}}, nil)
			yield(Ingested{}, err)
			return
		}
		for _, kind := range []string{"successfulResults", "failedResults", "unprocessedrecords"} {
			if stopped, err := c.results(ctx, path, kind, yield); stopped || err != nil {
				if err != nil {
					yield(Ingested{}, err)
				}
				return
			}
		}
		if j.State != stateComplete {
			yield(Ingested{}, j.failed("salesforce bulk ingest"))
		}
	}
}

func (c *Client) startIngest(ctx context.Context, in Ingest) (string, error) {
	body := map[string]string{"object": in.Object, "operation": in.Operation, "contentType": "CSV", "lineEnding": "LF"}
	if in.ExternalID != "" {
		body["externalIdFieldName"] = in.ExternalID
	}
	var j job
	if err := c.json(ctx, call{op: opBulk, method: http.MethodPost, path: c.data("/jobs/ingest"), body: body}, &j); err != nil {
		return "", err
	}
	return c.data("/jobs/ingest/" + url.PathEscape(j.ID)), nil
}

// upload streams the rows, closes the job and waits for its end.
func (c *Client) upload(ctx context.Context, path string, in Ingest, rows iter.Seq[[]string]) (job, error) {
	pr, pw := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		pw.CloseWithError(writeCSV(pw, in.Columns, rows))
	}()
	reply, err := c.stream(ctx, call{op: opBulk, method: http.MethodPut, path: path + "/batches", raw: pr, contentType: "text/csv"})
	_ = pr.Close() // frees the writer if the reply came early
	<-written
	if err != nil {
		return job{}, err
	}
	drain(reply.Body)
	if err := c.json(ctx, call{op: opBulk, method: http.MethodPatch, path: path, body: map[string]string{"state": stateUploaded}}, nil); err != nil {
		return job{}, err
	}
	return c.await(ctx, path)
}

func writeCSV(out io.Writer, columns []string, rows iter.Seq[[]string]) error {
	counted := &counter{out: out}
	buffered := bufio.NewWriterSize(counted, 64<<10)
	w := csv.NewWriter(buffered)
	if err := w.Write(columns); err != nil {
		return err
	}
	line := make([]string, len(columns))
	for row := range rows {
		if len(row) != len(columns) {
			return turnout.Errorf(turnout.CodeInternal, "write bulk rows", "a row has %d values for %d columns", len(row), len(columns))
		}
		for i, v := range row {
			if line[i] = v; v == "" {
				line[i] = null
			}
		}
		if err := w.Write(line); err != nil {
			return err
		}
		if counted.n > maxIngest {
			return turnout.Errorf(turnout.CodeTooLarge, "write bulk rows", "one job takes at most %d bytes", maxIngest)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return buffered.Flush()
}

type counter struct {
	out io.Writer
	n   int
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.n += n
	return n, err
}

func (c *Client) results(ctx context.Context, path, kind string, yield func(Ingested, error) bool) (stopped bool, err error) {
	reply, err := c.stream(ctx, call{op: opBulk, method: http.MethodGet, path: path + "/" + kind, accept: "text/csv"})
	if err != nil {
		return false, err
	}
	defer drain(reply.Body)
	err = readCSV(reply.Body, func(r Record) bool {
		stopped = !yield(ingested(r, kind), nil)
		return !stopped
	})
	return stopped, err
}

func ingested(r Record, kind string) Ingested {
	out := Ingested{Values: r, Unprocessed: kind == "unprocessedrecords"}
	switch kind {
	case "successfulResults":
		out.ID, out.Created = r.ID("sf__Id"), r.True("sf__Created")
	case "failedResults":
		out.Err = rowError(r.Text("sf__Error"))
		out.Code = codeFor(out.Err)
	}
	return out
}

// rowError reads "CODE:message:fields --", in which the message may hold
// colons itself.
func rowError(text string) *APIError {
	code, rest, _ := strings.Cut(text, ":")
	apiErr := &APIError{HTTPStatus: http.StatusOK, Status: plainCode(code)}
	rest = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "--"))
	if at := strings.LastIndexByte(rest, ':'); at >= 0 {
		apiErr.Fields = plainNames(strings.FieldsFunc(rest[at+1:], func(r rune) bool { return r == ' ' || r == ',' }))
		rest = rest[:at]
	}
	apiErr.Message = clip(rest)
	return apiErr
}
