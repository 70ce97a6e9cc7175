package transfer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
)

// row is one of a table's, its values in the order of the columns: int64, string,
// []byte, bool, or nil.
type row []any

// compare orders two rows of t by their keys, as both engines do.
func (t Table) compare(a, b row) int {
	for i := range t.Keys {
		var c int
		switch v := a[i].(type) {
		case int64:
			c = cmp.Compare(v, b[i].(int64))
		case string:
			c = cmp.Compare(v, b[i].(string))
		case []byte:
			c = bytes.Compare(v, b[i].([]byte))
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func equal(a, b row) bool {
	return slices.EqualFunc(a, b, func(x, y any) bool {
		xs, isBytes := x.([]byte)
		ys, _ := y.([]byte)
		if isBytes {
			return y != nil && bytes.Equal(xs, ys)
		}
		return x == y
	})
}

// holders are what a row of t is scanned into.
func (t Table) holders() []any {
	all := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		switch c.Kind {
		case Integer:
			all[i] = new(sql.NullInt64)
		case Text:
			all[i] = new(sql.NullString)
		case Boolean:
			all[i] = new(sql.NullBool)
		case Bytes:
			all[i] = new(sql.Null[[]byte])
		}
	}
	return all
}

// rowOf takes a row out of its holders.
func rowOf(holders []any) row {
	r := make(row, len(holders))
	for i, h := range holders {
		switch h := h.(type) {
		case *sql.NullInt64:
			if h.Valid {
				r[i] = h.Int64
			}
		case *sql.NullString:
			if h.Valid {
				r[i] = h.String
			}
		case *sql.NullBool:
			if h.Valid {
				r[i] = h.Bool
			}
		case *sql.Null[[]byte]:
			if h.Valid { // drivers differ on whether what is empty is nil
				r[i] = append([]byte{}, h.V...)
			}
		}
	}
	return r
}

// Digest is of all rows of a table at one moment.
type Digest struct {
	Rows int64
	// SHA256 is in hexadecimal, over the rows in the order of their keys.
	SHA256 string
}

// digester makes one.
type digester struct {
	rows int64
	hash hash.Hash
	buf  []byte
}

func newDigester() *digester { return &digester{hash: sha256.New()} }

func (d *digester) add(r row) {
	d.rows++
	b := d.buf[:0]
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			b = append(b, 'n')
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v)) // all 64 bits, whatever the sign
		case bool:
			b = append(b, map[bool]byte{false: 'f', true: 't'}[v])
		case string:
			b = append(binary.BigEndian.AppendUint64(append(b, 's'), uint64(len(v))), v...)
		case []byte:
			b = append(binary.BigEndian.AppendUint64(append(b, 'b'), uint64(len(v))), v...)
		}
	}
	d.hash.Write(b)
	d.buf = b
}

func (d *digester) digest() Digest {
	return Digest{d.rows, hex.EncodeToString(d.hash.Sum(nil))}
}
