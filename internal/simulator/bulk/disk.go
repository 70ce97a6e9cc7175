package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// disk keeps jobs as files: ID.json, ID.csv (the upload), ID.ok and ID.bad
// (result lines). Without a directory it does nothing.
type disk struct{ dir string }

func (d disk) path(id, ext string) string { return filepath.Join(d.dir, "jobs", id+ext) }

func (d disk) save(info Info) error {
	if d.dir == "" {
		return nil
	}
	text, err := encode(info)
	if err != nil {
		return err
	}
	// A half-written file never stands under the job's name.
	next := d.path(info.ID, ".new")
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, d.path(info.ID, ".json"))
}

func (d disk) saveData(id string, data []byte) error {
	if d.dir == "" {
		return nil
	}
	return os.WriteFile(d.path(id, ".csv"), data, 0o600)
}

func (d disk) appendResults(id string, ok, bad []byte) error {
	if d.dir == "" {
		return nil
	}
	return errors.Join(appendFile(d.path(id, ".ok"), ok), appendFile(d.path(id, ".bad"), bad))
}

func appendFile(path string, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

func (d disk) remove(id string) error {
	if d.dir == "" {
		return nil
	}
	var failed error
	for _, ext := range [...]string{".json", ".csv", ".ok", ".bad"} {
		if err := os.Remove(d.path(id, ext)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// Open loads the jobs of the directory and queues those that were under way.
// Queries run again: their answers are not kept on disk.
func (j *Jobs) Open() error {
	if j.disk.dir == "" {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := os.MkdirAll(filepath.Join(j.disk.dir, "jobs"), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(j.disk.dir, "jobs"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok {
			continue
		}
		one, err := j.disk.load(id)
		if err != nil {
			return fmt.Errorf("loading job %s: %w", id, err)
		}
		j.byID[id] = one
		if again := one.info.Kind == Query && one.info.State == JobComplete; again ||
			one.info.State == UploadComplete || one.info.State == InProgress {
			one.info.State = UploadComplete
			j.enqueue(id)
		}
	}
	slices.SortFunc(j.queue, func(a, b string) int { return j.byID[a].info.Created.Compare(j.byID[b].info.Created) })
	return nil
}

func (d disk) load(id string) (*job, error) {
	text, err := os.ReadFile(d.path(id, ".json"))
	if err != nil {
		return nil, err
	}
	one := &job{}
	if err := json.Unmarshal(text, &one.info); err != nil {
		return nil, err
	}
	for ext, into := range map[string]*[]byte{".csv": &one.data, ".ok": &one.ok, ".bad": &one.bad} {
		data, err := os.ReadFile(d.path(id, ext))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		*into = data
	}
	if one.info.Kind == Ingest {
		one.header, _, _ = ReadCSV(one.data, one.info.Delimiter)
	}
	return one, nil
}
