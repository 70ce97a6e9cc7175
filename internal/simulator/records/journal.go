package records

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// journal is the store's file: a snapshot of all rows, then every row version
// written since. One frame is a length, a checksum and a payload; a torn frame
// at the end is what a killed process leaves and is cut off.
//
// Payloads: 'O' object name and its stored field names, in the order of the
// values that follow; 'R' one row version of an object declared before.
type journal struct {
	dir  string
	file *os.File
	size int64
	base int64 // size after the last snapshot
	// declared numbers the objects whose fields the file already names.
	declared map[*Table]uint64
	buffer   []byte
}

const (
	journalName = "records.journal"
	frameHead   = 8
	// maxFrame bounds what a length may claim; the longest legal row is far below.
	maxFrame = 64 << 20
)

// Open loads the directory's records; a store without a directory has nothing
// to load.
func (s *Store) Open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil || s.journal.file != nil {
		return nil
	}
	if err := s.journal.open(s); err != nil {
		return fmt.Errorf("opening the records in %s: %w", s.journal.dir, err)
	}
	return nil
}

// Close writes a snapshot and closes the files. A second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil || s.journal.file == nil {
		return nil
	}
	var err error
	if s.journal.size > s.journal.base {
		err = s.journal.snapshot(s)
	}
	err = errors.Join(err, s.journal.file.Close())
	s.journal.file = nil
	return err
}

// Compact rewrites the journal when its changes outgrew its snapshot.
func (s *Store) Compact() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil || s.journal.file == nil || s.journal.size < 2*s.journal.base+256<<20 {
		return nil
	}
	return s.journal.snapshot(s)
}

func (j *journal) path() string { return filepath.Join(j.dir, journalName) }

func (j *journal) open(s *Store) error {
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	good, err := replay(bufio.NewReaderSize(file, 1<<20), s)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	if err := file.Truncate(good); err != nil {
		return errors.Join(err, file.Close())
	}
	if _, err := file.Seek(good, io.SeekStart); err != nil {
		return errors.Join(err, file.Close())
	}
	for _, table := range s.tables {
		table.sortOrder()
	}
	j.file, j.size, j.base, j.declared = file, good, good, map[*Table]uint64{}
	return nil
}

// append writes a transaction's rows with one write call.
func (j *journal) append(tx *Tx) error {
	if j.file == nil {
		return fs.ErrClosed
	}
	j.buffer = j.buffer[:0]
	before := len(j.declared)
	for _, c := range tx.log {
		j.buffer = j.frames(j.buffer, c.table, c.row)
	}
	n, err := j.file.Write(j.buffer)
	if err != nil {
		// What was half written is overwritten by the next append.
		if _, seekErr := j.file.Seek(j.size, io.SeekStart); seekErr != nil {
			err = errors.Join(err, seekErr)
		}
		if len(j.declared) > before {
			j.declared = map[*Table]uint64{}
		}
		return err
	}
	j.size += int64(n)
	if cap(j.buffer) > 1<<22 {
		j.buffer = nil
	}
	return nil
}

// frames appends a row's frame, and its object's frame before the first row.
func (j *journal) frames(b []byte, table *Table, row *Row) []byte {
	number, known := j.declared[table]
	if !known {
		number = uint64(len(j.declared))
		j.declared[table] = number
		b = frame(b, func(b []byte) []byte { return appendObject(b, number, table.Object) })
	}
	return frame(b, func(b []byte) []byte { return appendRow(b, number, row) })
}

func frame(b []byte, payload func([]byte) []byte) []byte {
	at := len(b)
	b = payload(append(b, make([]byte, frameHead)...))
	body := b[at+frameHead:]
	binary.LittleEndian.PutUint32(b[at:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[at+4:], crc32.ChecksumIEEE(body))
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendObject(b []byte, number uint64, object *schema.Object) []byte {
	b = binary.AppendUvarint(append(b, 'O'), number)
	b = appendText(b, object.Name)
	b = binary.AppendUvarint(b, uint64(object.Width))
	for _, field := range object.Fields {
		if field.Index >= 0 {
			b = appendText(b, field.Name)
		}
	}
	return b
}

func appendRow(b []byte, number uint64, row *Row) []byte {
	b = binary.AppendUvarint(append(b, 'R'), number)
	b = binary.AppendUvarint(b, uint64(row.Pos))
	deleted := byte(0)
	if row.Deleted {
		deleted = 1
	}
	b = append(b, deleted)
	b = binary.AppendVarint(b, row.Created)
	b = binary.AppendVarint(b, row.Modified)
	b = binary.AppendVarint(b, row.Stamp)
	for _, value := range row.Values {
		b = appendText(b, value)
	}
	return b
}

// snapshot writes all rows to a new file and puts it in the old one's place.
func (j *journal) snapshot(s *Store) error {
	next := j.path() + ".new"
	file, err := os.OpenFile(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	declared := j.declared
	j.declared = map[*Table]uint64{}
	size, err := j.dump(file, s)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(next, j.path())
	}
	if err != nil {
		j.declared = declared
		return errors.Join(err, file.Close())
	}
	if j.file != nil {
		err = j.file.Close()
	}
	j.file, j.size, j.base = file, size, size
	return err
}

func (j *journal) dump(file *os.File, s *Store) (int64, error) {
	w := bufio.NewWriterSize(file, 1<<20)
	var size int64
	for _, object := range s.schema.Objects() {
		table := s.tables[object]
		for _, row := range table.rows {
			j.buffer = j.frames(j.buffer[:0], table, row)
			if _, err := w.Write(j.buffer); err != nil {
				return 0, err
			}
			size += int64(len(j.buffer))
		}
	}
	return size, w.Flush()
}
