package simulator

import (
	"crypto/rand"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/query"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/soql"
)

// Page sizes of a query and the life of its cursor, from the REST API guide.
const (
	maxPage      = 2000
	minPage      = 200
	maxLongPage  = 200 // with two or more long text fields
	cursorLife   = 48 * time.Hour
	cursorPrefix = "01g"
	// maxCursors bounds what forgotten cursors may hold in memory.
	maxCursors = 2000
)

// cursor is a query whose pages are still being read. Positions are kept, not
// records: a page shows a record as it is when the page is asked for.
type cursor struct {
	plan  *query.Plan
	found []uint32
	size  int
	born  time.Time
}

type cursors struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]*cursor
	old []string // ids, oldest first
}

func newCursors(now func() time.Time) *cursors {
	return &cursors{now: now, by: map[string]*cursor{}}
}

func (c *cursors) keep(cur *cursor) string {
	id := cursorPrefix + rand.Text()[:15]
	c.mu.Lock()
	defer c.mu.Unlock()
	cur.born = c.now()
	c.by[id] = cur
	c.old = append(c.old, id)
	for len(c.old) > 0 && (len(c.old) > maxCursors || c.by[c.old[0]] == nil || c.now().Sub(c.by[c.old[0]].born) > cursorLife) {
		delete(c.by, c.old[0])
		c.old = c.old[1:]
	}
	return id
}

func (c *cursors) get(id string) *cursor {
	c.mu.Lock()
	defer c.mu.Unlock()
	cur := c.by[id]
	if cur == nil || c.now().Sub(cur.born) > cursorLife {
		return nil
	}
	return cur
}

// clear forgets all cursors: their positions mean nothing after a reset.
func (c *cursors) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.by)
	c.old = nil
}

func (c *call) queries() reply {
	if c.method != http.MethodGet {
		return notAllowed(c.method)
	}
	if len(c.rest) == 2 {
		c.operation = "query_more"
		c.holder.wait()
		return c.queryMore(c.rest[1])
	}
	if len(c.rest) > 2 {
		return notFound()
	}
	c.operation = "query"
	text := c.query.Get("q")
	if text == "" {
		return failure(http.StatusBadRequest, "MALFORMED_QUERY", "A query string has to be specified")
	}
	c.holder.wait()
	plan, err := query.Compile(c.s.store.Schema(), text, c.s.now())
	if err != nil {
		return soqlFailure(err)
	}
	if c.query.Get("columns") == "true" {
		return c.columnMetadata(plan)
	}
	return c.runQuery(plan, strings.EqualFold(c.rest[0], "queryAll"))
}

func soqlFailure(err error) reply {
	var refused *soql.Error
	if errors.As(err, &refused) {
		return failure(http.StatusBadRequest, refused.Code, refused.Message)
	}
	return failure(http.StatusInternalServerError, "UNKNOWN_EXCEPTION", err.Error())
}

func (c *call) runQuery(plan *query.Plan, deleted bool) reply {
	var out reply
	c.read(func(v records.View) {
		switch {
		case plan.Query.CountAll():
			body := strconv.AppendInt([]byte(`{"totalSize":`), int64(plan.Count(v, deleted)), 10)
			out = reply{status: http.StatusOK, body: append(body, `,"done":true,"records":[]}`...)}
		case plan.Query.Aggregates():
			out = groupsReply(plan.Groups(v, deleted))
		default:
			cur := &cursor{plan: plan, found: plan.Find(v, deleted), size: c.pageSize(plan)}
			out = c.page(v, cur, "", 0)
		}
	})
	return out
}

func groupsReply(groups [][]byte) reply {
	b := strconv.AppendInt([]byte(`{"totalSize":`), int64(len(groups)), 10)
	b = append(b, `,"done":true,"records":[`...)
	for i, group := range groups {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, group...)
	}
	return reply{status: http.StatusOK, body: append(b, `]}`...)}
}

// pageSize reads Sforce-Query-Options: batchSize=n.
func (c *call) pageSize(plan *query.Plan) int {
	size := maxPage
	for option := range strings.SplitSeq(c.header.Get("Sforce-Query-Options"), ",") {
		name, value, _ := strings.Cut(option, "=")
		if n, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && strings.EqualFold(strings.TrimSpace(name), "batchSize") {
			size = min(max(n, minPage), maxPage)
		}
	}
	if plan.LongTexts >= 2 {
		size = min(size, maxLongPage)
	}
	return size
}

// page writes the records from an offset on and keeps the cursor when some
// are left. Child records count toward the page, so it may end early.
func (c *call) page(v records.View, cur *cursor, id string, from int) reply {
	b := strconv.AppendInt([]byte(`{"totalSize":`), int64(len(cur.found)), 10)
	at := len(b)
	var rows []byte
	count, next := 0, from
	rowCount := v.Table(cur.plan.Object).Len()
	for next < len(cur.found) && next-from < cur.size && count < maxPage {
		if int(cur.found[next]) >= rowCount { // the org was reset since
			return failure(http.StatusBadRequest, "INVALID_QUERY_LOCATOR", "invalid query locator")
		}
		if next > from {
			rows = append(rows, ',')
		}
		more := 0
		rows, more = cur.plan.Render(rows, v, cur.found[next], c.base)
		count += more
		next++
	}
	if next >= len(cur.found) {
		b = append(b[:at], `,"done":true,"records":[`...)
	} else {
		if id == "" {
			id = c.s.finds.keep(cur)
		}
		b = append(b, `,"done":false,"nextRecordsUrl":"`...)
		b = append(append(b, c.base+"/query/"+id+"-"+strconv.Itoa(next)...), `","records":[`...)
	}
	b = append(b, rows...)
	return reply{status: http.StatusOK, body: append(b, `]}`...)}
}

func (c *call) queryMore(locator string) reply {
	id, offset, _ := strings.Cut(locator, "-")
	from, err := strconv.Atoi(offset)
	cur := c.s.finds.get(id)
	if cur == nil || err != nil || from < 0 || from >= len(cur.found) {
		return failure(http.StatusBadRequest, "INVALID_QUERY_LOCATOR", "invalid query locator")
	}
	var out reply
	c.read(func(v records.View) { out = c.page(v, cur, id, from) })
	return out
}

// columnMetadata answers ?columns=true, which the Salesforce CLI asks for.
func (c *call) columnMetadata(plan *query.Plan) reply {
	type column struct {
		Aggregate   bool     `json:"aggregate"`
		ApexType    string   `json:"apexType"`
		BooleanType bool     `json:"booleanType"`
		ColumnName  string   `json:"columnName"`
		Custom      bool     `json:"custom"`
		DisplayName string   `json:"displayName"`
		ForeignKey  *string  `json:"foreignKeyName"`
		Insertable  bool     `json:"insertable"`
		Joins       []column `json:"joinColumns"`
		Number      bool     `json:"numberType"`
		Text        bool     `json:"textType"`
		Updatable   bool     `json:"updatable"`
	}
	columns := []column{}
	for _, name := range plan.Columns() {
		parts := strings.Split(name, ".")
		leaf := column{ColumnName: parts[len(parts)-1], DisplayName: parts[len(parts)-1], Text: true, Joins: []column{}}
		for i := len(parts) - 2; i >= 0; i-- {
			leaf = column{ColumnName: parts[i], DisplayName: parts[i], Joins: []column{leaf}}
		}
		columns = append(columns, leaf)
	}
	prefix := plan.Object.Prefix
	return jsonReply(http.StatusOK, map[string]any{"columnMetadata": columns, "entityName": plan.Object.Name,
		"groupBy": len(plan.Query.GroupBy) > 0, "idSelected": true, "keyPrefix": prefix})
}
