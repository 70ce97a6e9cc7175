package orgs

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// linkPlace is where reading a bulk job stands, as it is kept between processes.
type linkPlace struct {
	salesforce.BulkPlace
	// Asked tells what was asked for, so that a place is used for nothing else.
	Asked string `json:"asked"`
	// Horizon and Latest are the cursor's, in milliseconds since 1970: what is later
	// than Horizon may be missing from the job, and Latest is the last change that
	// was seen, 0 for none.
	Horizon int64 `json:"horizon"`
	Latest  int64 `json:"latest,omitempty"`
}

// asked stands for the query. Two that differ get the same one never by
// accident: a mapping has a handful in its life.
func (r *linkReader) asked() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(string(r.rows) + " " + r.soql)) // a hash does not fail
	return strconv.FormatUint(h.Sum64(), 36)
}

// resumed is the job that a place tells of, false if there is none or it answers
// another question.
func (r *linkReader) resumed(place string) (*salesforce.BulkQuery, bool) {
	var p linkPlace
	if place == "" || json.Unmarshal([]byte(place), &p) != nil || p.Job == "" || p.Asked != r.asked() {
		return nil, false
	}
	r.at = &cursor{since: r.since, horizon: func() time.Time { return time.UnixMilli(p.Horizon).UTC() }}
	if p.Latest != 0 {
		r.at.see(time.UnixMilli(p.Latest).UTC())
	}
	return r.o.client.ResumeBulkQuery(p.BulkPlace), true
}

// place is where the job stands now.
func (r *linkReader) place(job *salesforce.BulkQuery) string {
	p := linkPlace{BulkPlace: job.Place(), Asked: r.asked(), Horizon: r.at.horizon().UnixMilli()}
	if !r.at.latest.IsZero() {
		p.Latest = r.at.latest.UnixMilli()
	}
	text, err := json.Marshal(p)
	if err != nil { // it cannot fail, and without a place reading begins anew
		return ""
	}
	return string(text)
}

// bulk reads a job from where it stands to its end, and then discards it. After
// an error it stays, to be gone on with.
func (r *linkReader) bulk(ctx context.Context, job *salesforce.BulkQuery) (time.Time, error) {
	if at := job.Place(); at.Total == 0 && !at.Ended { // it is new: a crash must not leave it behind
		if err := r.yield(turnout.LinkPart{Place: r.place(job)}); err != nil {
			return r.since, err
		}
	}
	if err := job.Await(ctx); err != nil {
		return r.since, err
	}
	for more := true; more; {
		var err error
		if more, err = r.page(ctx, job); err != nil {
			return r.since, err
		}
	}
	job.Discard(ctx)
	return r.at.next(), nil
}

// page reads a page of a job in lists, the last of which tells the place behind
// the page.
func (r *linkReader) page(ctx context.Context, job *salesforce.BulkQuery) (more bool, err error) {
	part := turnout.LinkPart{Done: job.Place().Done, Total: job.Place().Total}
	list := make([]salesforce.Record, 0, bulkFrom)
	give := func(last bool) error {
		r.yielded = true
		r.see(list)
		if last { // the place counts once its links are kept, so that it may say that they are
			part.Place = r.place(job)
		}
		part.Links, part.Done = r.o.links(list), part.Done+len(list)
		list = list[:0]
		return r.yield(part)
	}
	more, err = job.Page(ctx, func(one salesforce.Record) error {
		if len(list) == bulkFrom {
			if err := give(false); err != nil {
				return err
			}
		}
		list = append(list, one)
		return nil
	})
	if err != nil {
		return false, err
	}
	return more, give(true)
}
