package mirror

import (
	"context"
	"encoding/json"
	"time"

	"github.com/turnout-events/turnout"
)

// Progress is how far it is with reading many links. It rests in the cache, so
// that every process tells it.
type Progress struct {
	// Done of Total records were read and are kept; Total is 0 while Salesforce
	// still gathers them.
	Done, Total int
	// Since is when it began, At when it last got further.
	Since, At time.Time
	// Rate is records a second, since they were last read without a break; 0 before
	// it is known.
	Rate float64
	// First says that these are all links of the org, and not those that changed.
	First bool
}

// Left is how long the rest takes at this rate, 0 if nobody knows.
func (p Progress) Left() time.Duration {
	if p.Rate <= 0 || p.Done >= p.Total {
		return 0
	}
	return time.Duration(float64(p.Total-p.Done) / p.Rate * float64(time.Second))
}

// place is how far a pass is, as it rests in the cache beside its cursor.
type place struct {
	// From is the cursor that the pass moves, in milliseconds since 1970: of another
	// one, or in a cache that was begun anew, a place means nothing.
	From int64 `json:"from"`
	// Source is the place in the source's words.
	Source string `json:"source"`
	Done   int    `json:"done"`
	Total  int    `json:"total"`
	// Began is when the first record was asked for. Resumed is when whoever reads
	// took it up, and Had is what was done by then.
	Began   time.Time `json:"began"`
	Resumed time.Time `json:"resumed"`
	Had     int       `json:"had"`
	At      time.Time `json:"at"`
}

// takeUp begins a pass from a cursor, or goes on with it.
func (a *place) takeUp(from, now time.Time) {
	if a.Source == "" {
		a.Began = now
	}
	a.From, a.Resumed, a.Had = from.UnixMilli(), now, a.Done
}

// reach notes a part that is kept. One that lies behind is of a new beginning.
func (a *place) reach(part turnout.LinkPart, now time.Time) {
	if part.Done < a.Done {
		a.Began, a.Resumed, a.Had = now, now, 0
	}
	a.Source, a.Done, a.Total, a.At = part.Place, part.Done, part.Total, now
}

func (a *place) progress(first bool) Progress {
	p := Progress{Done: a.Done, Total: a.Total, Since: a.Began, At: a.At, First: first}
	if took := a.At.Sub(a.Resumed); took > 0 && a.Done > a.Had {
		p.Rate = float64(a.Done-a.Had) / took.Seconds()
	}
	return p
}

// place reads a cursor and the place of the pass that moves it, nil if none is
// under way.
func (o *Options) place(ctx context.Context, org turnout.OrgID, name string) (time.Time, *place, error) {
	stored, err := o.Cursors.Cursor(ctx, org, name)
	if err != nil || stored.IsZero() {
		return stored, nil, err
	}
	text, err := o.Cursors.Place(ctx, org, name)
	if err != nil || text == "" {
		return stored, nil, err
	}
	if at, ok := readPlace(text); ok && at.From == stored.UnixMilli() {
		return stored, at, nil
	}
	return stored, nil, nil
}

// readPlace is false for what is no place: reading then begins anew.
func readPlace(text string) (*place, bool) {
	var at place
	err := json.Unmarshal([]byte(text), &at)
	return &at, err == nil && at.Source != ""
}

func (o *Options) keepPlace(ctx context.Context, org turnout.OrgID, name string, at place) error {
	text, err := json.Marshal(at)
	if err != nil {
		return turnout.Wrap(turnout.CodeInternal, "keep place "+name, err)
	}
	return o.Cursors.SetPlace(ctx, org, name, string(text))
}
