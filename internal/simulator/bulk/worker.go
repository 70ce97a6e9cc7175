package bulk

import (
	"context"
)

// Run works on closed jobs, one after the other, until its context ends.
func (j *Jobs) Run(ctx context.Context) {
	for {
		one := j.next()
		if one == nil {
			select {
			case <-ctx.Done():
				return
			case <-j.wake:
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		j.work(ctx, one)
	}
}

// next takes the oldest closed job and sets it in progress.
func (j *Jobs) next() *job {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.queue) > 0 {
		one := j.byID[j.queue[0]]
		j.queue = j.queue[1:]
		if one == nil || one.info.State != UploadComplete && one.info.State != InProgress {
			continue // aborted or deleted meanwhile
		}
		one.info.State = InProgress
		j.saved(one)
		return one
	}
	return nil
}

// saved stamps a job and writes it; a full disk costs its memory, not its work.
func (j *Jobs) saved(one *job) {
	if err := j.touch(one); err != nil {
		j.options.Logger.Error("writing a bulk job", "job", one.info.ID, "error", err)
	}
}

func (j *Jobs) work(ctx context.Context, one *job) {
	started := j.options.Now()
	var err error
	if one.info.Kind == Query {
		err = j.export(one)
	} else {
		err = j.ingest(ctx, one)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	one.info.Millis = j.options.Now().Sub(started).Milliseconds()
	switch {
	case ctx.Err() != nil:
		return // stopping: the job goes on after the next start
	case one.info.State == Aborted:
	case err != nil:
		one.info.State, one.info.Error = Failed, err.Error()
	default:
		one.info.State = JobComplete
	}
	j.saved(one)
}

func (j *Jobs) export(one *job) error {
	export, err := j.options.Runner.Export(one.info.Query, one.info.Operation == "queryAll")
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	one.export, one.info.Processed = export, export.Len()
	return nil
}

// ingest applies the rows that are not done yet, a chunk at a time.
func (j *Jobs) ingest(ctx context.Context, one *job) error {
	header, rows, err := ReadCSV(one.data, one.info.Delimiter)
	if err != nil {
		return &jobError{"InvalidBatch", err.Error()}
	}
	j.mu.Lock()
	one.header = header
	info := one.info
	j.mu.Unlock()
	if header == nil {
		return nil
	}
	if err := j.options.Runner.Check(info, header); err != nil {
		return err
	}
	for from := info.Processed; from < len(rows); from += Chunk {
		chunk := rows[from:min(from+Chunk, len(rows))]
		if ctx.Err() != nil || j.aborted(one) {
			return nil
		}
		outcomes, err := j.options.Runner.Apply(ctx, info, header, chunk)
		if err != nil {
			return err
		}
		j.record(one, chunk, outcomes)
	}
	return nil
}

func (j *Jobs) aborted(one *job) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return one.info.State == Aborted
}

// record notes a chunk's outcomes in the result files.
func (j *Jobs) record(one *job, rows [][]string, outcomes []Outcome) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ok, bad []byte
	for i, outcome := range outcomes {
		if outcome.Error != "" {
			bad = AppendCSV(bad, append([]string{outcome.ID, outcome.Error}, rows[i]...), one.info.Delimiter, one.info.LineEnding)
			one.info.Failures++
			continue
		}
		created := "false"
		if outcome.Created {
			created = "true"
		}
		ok = AppendCSV(ok, append([]string{outcome.ID, created}, rows[i]...), one.info.Delimiter, one.info.LineEnding)
	}
	one.info.Processed += len(outcomes)
	one.ok, one.bad = append(one.ok, ok...), append(one.bad, bad...)
	if err := j.disk.appendResults(one.info.ID, ok, bad); err != nil {
		j.options.Logger.Error("writing a bulk job's results", "job", one.info.ID, "error", err)
	}
	j.saved(one)
}

// jobError is a failure of a whole job, in Salesforce's words.
type jobError struct{ code, message string }

func (e *jobError) Error() string { return e.code + " : " + e.message }
