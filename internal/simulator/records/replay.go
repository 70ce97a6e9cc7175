package records

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// errTorn marks the end of what a journal holds.
var errTorn = errors.New("torn frame")

// declaration says which field each stored value belongs to; nil fields are no
// longer in the schema.
type declaration struct {
	table  *Table
	fields []*schema.Field
}

// replay reads frames until the end or the first torn one and returns how many
// bytes were good.
func replay(r io.Reader, s *Store) (int64, error) {
	objects := map[uint64]declaration{}
	var good int64
	var head [frameHead]byte
	for {
		body, err := nextFrame(r, head[:])
		if errors.Is(err, errTorn) {
			return good, nil
		}
		if err != nil {
			return 0, err
		}
		if err := load(body, s, objects); err != nil {
			return 0, fmt.Errorf("at byte %d: %w", good, err)
		}
		good += int64(frameHead + len(body))
	}
}

func nextFrame(r io.Reader, head []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, tornOr(err)
	}
	size := binary.LittleEndian.Uint32(head)
	if size == 0 || size > maxFrame {
		return nil, errTorn
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, tornOr(err)
	}
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errTorn
	}
	return body, nil
}

func tornOr(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}

// load takes one frame in. A frame with a right checksum and a wrong content
// was written by another version: an error, not a torn tail.
func load(body []byte, s *Store, objects map[uint64]declaration) error {
	d := decoder{rest: body[1:]}
	number := d.uvarint()
	switch body[0] {
	case 'O':
		objects[number] = loadObject(&d, s)
	case 'R':
		declared, ok := objects[number]
		if !ok {
			return fmt.Errorf("a row of the undeclared object %d", number)
		}
		loadRow(&d, s, declared)
	default:
		return fmt.Errorf("unknown frame %q", body[0])
	}
	if d.bad {
		return fmt.Errorf("frame %q is cut short", body[0])
	}
	return nil
}

func loadObject(d *decoder, s *Store) declaration {
	object := s.schema.Object(d.text())
	count := d.uvarint()
	declared := declaration{}
	if object != nil {
		declared.table = s.tables[object]
	}
	for range count {
		if d.bad {
			break
		}
		name := d.text()
		var field *schema.Field
		if object != nil {
			field = object.Field(name)
		}
		declared.fields = append(declared.fields, field)
	}
	return declared
}

func loadRow(d *decoder, s *Store, declared declaration) {
	row := &Row{Pos: uint32(d.uvarint()), Deleted: d.byte() == 1}
	row.Created, row.Modified, row.Stamp = d.varint(), d.varint(), d.varint()
	t := declared.table
	if t != nil {
		row.Values = make([]string, t.Object.Width)
	}
	for _, field := range declared.fields {
		value := d.text()
		if field != nil && field.Index >= 0 && t != nil {
			row.Values[field.Index] = t.share(field, value)
		}
	}
	if d.bad || t == nil {
		return
	}
	if int(row.Pos) > len(t.rows) {
		d.bad = true
		return
	}
	s.stamp = max(s.stamp, row.Stamp)
	t.put(row)
	t.settle()
}

// decoder reads a payload; bad says that it ended too soon.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.bad = true
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) text() string {
	n := d.uvarint()
	if d.bad || n > uint64(len(d.rest)) {
		d.bad = true
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.bad, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}
