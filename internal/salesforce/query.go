package salesforce

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/turnout-events/turnout"
)

// MaxQuery is how long a query may be, percent-encoded: the URI holds at most
// 16,384 bytes, headers included.
const MaxQuery = 12_000

// Page is one page of a query's result.
type Page struct {
	// Total is the size of the whole result; Salesforce counts before paging.
	Total   int      `json:"totalSize"`
	Done    bool     `json:"done"`
	Next    string   `json:"nextRecordsUrl"`
	Records []Record `json:"records"`
}

// Rows says which rows a query sees.
type Rows string

// The two ways to query.
const (
	Living     Rows = "/query"
	AndDeleted Rows = "/queryAll" // rows in the recycle bin as well, IsDeleted tells them
)

// Pages runs a query and yields its pages (2,000 rows or fewer each), fetching
// a page when it is asked for. It ends after the first error.
func (c *Client) Pages(ctx context.Context, rows Rows, soql string) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		path := c.data(string(rows) + "?q=" + url.QueryEscape(soql))
		for {
			page, err := c.page(ctx, path)
			if err != nil {
				yield(Page{}, err)
				return
			}
			if !yield(page, nil) || page.Done || page.Next == "" {
				return
			}
			path = page.Next
		}
	}
}

// Query yields the rows of a query.
func (c *Client) Query(ctx context.Context, rows Rows, soql string) iter.Seq2[Record, error] {
	return flatten(c.Pages(ctx, rows, soql))
}

func flatten(pages iter.Seq2[Page, error]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for page, err := range pages {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Count runs a "SELECT COUNT() FROM …".
func (c *Client) Count(ctx context.Context, soql string) (int, error) {
	page, err := c.page(ctx, c.data(string(Living)+"?q="+url.QueryEscape(soql)))
	return page.Total, err
}

// Children yields the rows of a subquery, whose own pages are fetched too.
func (c *Client) Children(ctx context.Context, r Record, relationship string) iter.Seq2[Record, error] {
	first := r.children(relationship)
	return flatten(c.from(ctx, first))
}

// from yields a page that is already here and those after it.
func (c *Client) from(ctx context.Context, page Page) iter.Seq2[Page, error] {
	return func(yield func(Page, error) bool) {
		for {
			if !yield(page, nil) || page.Done || page.Next == "" {
				return
			}
			next, err := c.page(ctx, page.Next)
			if err != nil {
				yield(Page{}, err)
				return
			}
			page = next
		}
	}
}

func (c *Client) page(ctx context.Context, path string) (Page, error) {
	var page Page
	// A next page is a path of the same API; anything else would carry the
	// token to where the reply says.
	if !strings.HasPrefix(path, "/services/data/") || strings.ContainsAny(path, "\r\n#") {
		return page, turnout.Errorf(turnout.CodeUnavailable, "salesforce query", "the next page has no usable address")
	}
	err := c.json(ctx, call{op: opQuery, method: http.MethodGet, path: path}, &page)
	return page, err
}

// maxTogether is how many queries one composite call takes.
const maxTogether = 5

// Together runs up to five queries in one call of the daily limit and returns
// all rows of each.
func (c *Client) Together(ctx context.Context, rows Rows, soql ...string) ([][]Record, error) {
	if len(soql) > maxTogether {
		return nil, turnout.Errorf(turnout.CodeInternal, "salesforce queries", "at most %d fit one call", maxTogether)
	}
	type sub struct {
		Method string `json:"method"`
		URL    string `json:"url"`
		ID     string `json:"referenceId"`
	}
	subs := make([]sub, len(soql))
	for i, q := range soql {
		subs[i] = sub{http.MethodGet, c.data(string(rows) + "?q=" + url.QueryEscape(q)), "q" + strconv.Itoa(i)}
	}
	var reply compositeReply
	err := c.json(ctx, call{op: opQuery, method: http.MethodPost, path: c.data("/composite"),
		body: map[string]any{"allOrNone": false, "compositeRequest": subs}}, &reply)
	if err != nil {
		return nil, err
	}
	return c.gather(ctx, reply, len(soql))
}

func (c *Client) gather(ctx context.Context, reply compositeReply, want int) ([][]Record, error) {
	if len(reply.Replies) != want {
		return nil, turnout.Errorf(turnout.CodeUnavailable, "salesforce queries", "got %d replies to %d queries", len(reply.Replies), want)
	}
	results := make([][]Record, want)
	for i, sub := range reply.Replies {
		page, err := sub.page()
		if err != nil {
			return nil, err
		}
		for r, err := range flatten(c.from(ctx, page)) {
			if err != nil {
				return nil, err
			}
			results[i] = append(results[i], r)
		}
	}
	return results, nil
}
