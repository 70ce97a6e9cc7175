// Package bulk is the Bulk API 2.0 of a simulated org, without its HTTP: jobs
// with their states, the CSV they carry, and the worker that moves them on.
//
// A job that was accepted is worked on once [Jobs.Run] runs, in chunks of 200
// rows; rows of a failed or aborted job that were done stay done. With a
// directory, jobs survive the death of the process; a chunk that it died in
// may be applied again.
package bulk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// State of a job: Open → UploadComplete → InProgress → JobComplete, or Failed
// or Aborted on the way.
type State string

// The states.
const (
	Open           State = "Open"
	UploadComplete State = "UploadComplete"
	InProgress     State = "InProgress"
	JobComplete    State = "JobComplete"
	Failed         State = "Failed"
	Aborted        State = "Aborted"
)

// Chunk is how many rows are applied together, from the Bulk API guide.
const Chunk = 200

// Kind tells ingest jobs from query jobs, as in the API's paths.
type Kind string

// The two kinds.
const (
	Ingest Kind = "ingest"
	Query  Kind = "query"
)

// Info is what a job is and how far it got.
type Info struct {
	ID         string    `json:"id"`
	Kind       Kind      `json:"kind"`
	Operation  string    `json:"operation"` // insert, update, upsert, delete, hardDelete, query, queryAll
	Object     string    `json:"object"`
	ExternalID string    `json:"externalIdFieldName,omitempty"`
	Query      string    `json:"query,omitempty"`
	Delimiter  string    `json:"columnDelimiter"`
	LineEnding string    `json:"lineEnding"`
	Version    int       `json:"version"`
	State      State     `json:"state"`
	Error      string    `json:"errorMessage,omitempty"`
	User       string    `json:"createdById"`
	Created    time.Time `json:"createdDate"`
	Stamp      time.Time `json:"systemModstamp"`
	Uploaded   bool      `json:"uploaded"`
	Processed  int       `json:"numberRecordsProcessed"`
	Failures   int       `json:"numberRecordsFailed"`
	Millis     int64     `json:"totalProcessingTime"`
}

// Outcome is what became of one row.
type Outcome struct {
	ID      string
	Created bool
	Error   string // "" when it was done
}

// Export is a query's answer, read in slices.
type Export interface {
	Columns() []string
	Len() int
	Rows(from, n int, emit func([]string))
}

// Runner does a job's work on the records. An error fails the job.
type Runner interface {
	Check(job Info, header []string) error
	Apply(ctx context.Context, job Info, header []string, rows [][]string) ([]Outcome, error)
	Export(query string, deleted bool) (Export, error)
}

// Options configure Jobs.
type Options struct {
	Dir    string // "" keeps jobs in memory only
	Now    func() time.Time
	Runner Runner
	Logger *slog.Logger
}

// Jobs is all jobs of an org. Its methods are safe for concurrent use.
type Jobs struct {
	options Options
	disk    disk
	wake    chan struct{}

	mu    sync.Mutex
	byID  map[string]*job
	queue []string // ids in UploadComplete, oldest first
}

type job struct {
	info   Info
	data   []byte
	ok     []byte // result lines without header
	bad    []byte
	header []string
	export Export
}

// Errors that the API answers with codes of its own.
var (
	ErrNotFound = errors.New("NOTFOUND: The requested job does not exist")
	ErrState    = errors.New("INVALIDJOBSTATE: The job is not in a state that allows this")
	ErrInput    = errors.New("INVALIDJOB: The job is not valid")
)

// New makes an empty set of jobs. It does no I/O.
func New(options Options) *Jobs {
	return &Jobs{options: options, disk: disk{dir: options.Dir}, wake: make(chan struct{}, 1), byID: map[string]*job{}}
}

// Create adds a job. Ingest jobs start Open, query jobs UploadComplete.
func (j *Jobs) Create(info Info) (Info, error) {
	if _, ok := delimiter(info.Delimiter); !ok {
		return info, fmt.Errorf("%w: columnDelimiter %q is unknown", ErrInput, info.Delimiter)
	}
	if info.Delimiter == "" {
		info.Delimiter = "COMMA"
	}
	if info.LineEnding == "" {
		info.LineEnding = "LF"
	}
	if info.LineEnding != "LF" && info.LineEnding != "CRLF" {
		return info, fmt.Errorf("%w: lineEnding %q is unknown", ErrInput, info.LineEnding)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.options.Now().UTC()
	info.ID, info.State, info.Created, info.Stamp = j.newID(), Open, now, now
	made := &job{info: info}
	if info.Kind == Query {
		made.info.State = UploadComplete
		j.enqueue(info.ID)
	}
	j.byID[info.ID] = made
	return made.info, j.disk.save(made.info)
}

// newID makes an 18-character id with the key prefix of jobs.
func (j *Jobs) newID() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for {
		id := []byte("750Sm0")
		for len(id) < 15 {
			id = append(id, digits[rand.IntN(len(digits))])
		}
		text := string(id) + "AAA"
		if j.byID[text] == nil {
			return text
		}
	}
}

func (j *Jobs) enqueue(id string) {
	j.queue = append(j.queue, id)
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// find needs the lock.
func (j *Jobs) find(kind Kind, id string) (*job, error) {
	if len(id) == 15 {
		id += "AAA"
	}
	found := j.byID[id]
	if found == nil || found.info.Kind != kind {
		return nil, ErrNotFound
	}
	return found, nil
}

// Get is a job's present info.
func (j *Jobs) Get(kind Kind, id string) (Info, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, err := j.find(kind, id)
	if err != nil {
		return Info{}, err
	}
	return found.info, nil
}

// List is all jobs of a kind, newest first.
func (j *Jobs) List(kind Kind) []Info {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []Info
	for _, one := range j.byID {
		if one.info.Kind == kind {
			list = append(list, one.info)
		}
	}
	slices.SortFunc(list, func(a, b Info) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	return list
}

// Upload gives an open ingest job its one upload.
func (j *Jobs) Upload(id string, data []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, err := j.find(Ingest, id)
	if err != nil {
		return err
	}
	if found.info.State != Open || found.info.Uploaded {
		return ErrState
	}
	if err := j.disk.saveData(id, data); err != nil {
		return err
	}
	found.data, found.info.Uploaded = data, true
	return j.touch(found)
}

// Move asks for a new state: UploadComplete or Aborted.
func (j *Jobs) Move(kind Kind, id string, to State) (Info, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, err := j.find(kind, id)
	if err != nil {
		return Info{}, err
	}
	switch {
	case to == UploadComplete && found.info.State == Open:
		found.info.State = UploadComplete
		j.enqueue(found.info.ID)
	case to == Aborted && !ended(found.info.State):
		found.info.State = Aborted
	case to == found.info.State:
		return found.info, nil
	default:
		return found.info, ErrState
	}
	return found.info, j.touch(found)
}

func ended(s State) bool { return s == JobComplete || s == Failed || s == Aborted }

// Delete forgets a job that has ended or was never closed.
func (j *Jobs) Delete(kind Kind, id string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, err := j.find(kind, id)
	if err != nil {
		return err
	}
	if found.info.State == UploadComplete || found.info.State == InProgress {
		return ErrState
	}
	delete(j.byID, found.info.ID)
	return j.disk.remove(found.info.ID)
}

// Reset forgets every job.
func (j *Jobs) Reset() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	for id := range j.byID {
		err = errors.Join(err, j.disk.remove(id))
	}
	clear(j.byID)
	j.queue = nil
	return err
}

func (j *Jobs) touch(one *job) error {
	one.info.Stamp = j.options.Now().UTC()
	return j.disk.save(one.info)
}

// Results writes one of an ingest job's three result files: "successfulResults",
// "failedResults" or "unprocessedrecords".
func (j *Jobs) Results(id, which string) ([]byte, Info, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	found, err := j.find(Ingest, id)
	if err != nil {
		return nil, Info{}, err
	}
	line := func(values ...string) []byte {
		return AppendCSV(nil, append(values, found.header...), found.info.Delimiter, found.info.LineEnding)
	}
	switch strings.ToLower(which) {
	case "successfulresults":
		return append(line("sf__Id", "sf__Created"), found.ok...), found.info, nil
	case "failedresults":
		return append(line("sf__Id", "sf__Error"), found.bad...), found.info, nil
	case "unprocessedrecords":
		return append(line(), found.unprocessed()...), found.info, nil
	}
	return nil, Info{}, ErrNotFound
}

// unprocessed is what is left of the upload when the job ended early.
func (one *job) unprocessed() []byte {
	if !ended(one.info.State) {
		return nil
	}
	_, rows, err := ReadCSV(one.data, one.info.Delimiter)
	if err != nil || one.info.Processed >= len(rows) {
		return nil
	}
	var b []byte
	for _, row := range rows[one.info.Processed:] {
		b = AppendCSV(b, row, one.info.Delimiter, one.info.LineEnding)
	}
	return b
}

// Exported is a page of a finished query job: CSV with header, the number of
// rows in it, and where the next page starts (-1 for the end).
func (j *Jobs) Exported(id string, from, most int) (page []byte, rows, next int, err error) {
	j.mu.Lock()
	found, err := j.find(Query, id)
	if err == nil && (found.info.State != JobComplete || found.export == nil) {
		err = ErrState
	}
	var export Export
	var info Info
	if err == nil {
		export, info = found.export, found.info
	}
	j.mu.Unlock()
	if err != nil {
		return nil, 0, -1, err
	}
	if from < 0 || from > export.Len() {
		return nil, 0, -1, fmt.Errorf("%w: the locator is not of this job", ErrInput)
	}
	page = AppendCSV(nil, export.Columns(), info.Delimiter, info.LineEnding)
	rows = min(most, export.Len()-from)
	export.Rows(from, rows, func(values []string) { page = AppendCSV(page, values, info.Delimiter, info.LineEnding) })
	if next = from + rows; next >= export.Len() {
		next = -1
	}
	return page, rows, next, nil
}

// encode is a job's info for its file.
func encode(info Info) ([]byte, error) { return json.MarshalIndent(info, "", " ") }
