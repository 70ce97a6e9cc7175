package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
)

// Ring is the opened keys of one scope. It never changes: a rotation makes
// another one.
type Ring struct {
	scope   string
	current uint32
	// wrapping holds the org key versions, by number.
	wrapping map[uint32]cipher.AEAD
	index    *hasher
	mac      *hasher
}

// Subject names whose data key it is: the blind index of an e-mail address.
type Subject = [16]byte

// Index is the blind index of a value: a keyed hash that only this scope can
// compute. Callers fold case first.
func (r *Ring) Index(value string) Subject {
	return Subject(r.index.sum("index", r.scope, value)[:16])
}

// MAC authenticates parts for a purpose, 32 bytes. No two lists of parts give
// the same input.
func (r *Ring) MAC(purpose string, parts ...string) []byte {
	return r.mac.sum(append([]string{purpose, r.scope}, parts...)...)
}

// hasher makes keyed hashes. A state that was used is used again, which spares
// hashing the key: half of the work for a token.
type hasher struct{ states sync.Pool }

func newHasher(key []byte) *hasher {
	return &hasher{sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (h *hasher) sum(parts ...string) []byte {
	state := h.states.Get().(hash.Hash)
	defer h.states.Put(state)
	state.Reset()
	state.Write(associated(parts...))
	return state.Sum(make([]byte, 0, sha256.Size))
}

// Version is the number of the org key that wraps now.
func (r *Ring) Version() uint32 { return r.current }

// Seal encrypts what belongs to the org and to no person: an event, a secret.
// kind and id say what it is; it opens only under the same.
func (r *Ring) Seal(plain []byte, kind, id string) []byte {
	return sealTo(r.versioned(), r.wrapping[r.current], plain, associated(r.scope, "org", kind, id))
}

// Open reverses Seal.
func (r *Ring) Open(sealed []byte, kind, id string) ([]byte, error) {
	aead, rest, err := r.version(sealed)
	if err != nil {
		return nil, err
	}
	return open(aead, rest, associated(r.scope, "org", kind, id))
}

// NewDataKey makes a person's key, and its wrapped form to be stored.
func (r *Ring) NewDataKey(subject Subject) (*DataKey, []byte, error) {
	key := newKey()
	wrapped := r.wrap(subject, key)
	dk, err := r.dataKey(subject, key)
	return dk, wrapped, err
}

// DataKey unwraps a person's key.
func (r *Ring) DataKey(subject Subject, wrapped []byte) (*DataKey, error) {
	key, err := r.unwrap(subject, wrapped)
	if err != nil {
		return nil, err
	}
	return r.dataKey(subject, key)
}

// Rewrap wraps a data key by the current org key. It returns wrapped itself
// when it already is.
func (r *Ring) Rewrap(subject Subject, wrapped []byte) ([]byte, error) {
	if len(wrapped) >= 4 && binary.BigEndian.Uint32(wrapped) == r.current {
		return wrapped, nil
	}
	key, err := r.unwrap(subject, wrapped)
	if err != nil {
		return nil, err
	}
	return r.wrap(subject, key), nil
}

func (r *Ring) wrap(subject Subject, key []byte) []byte {
	return sealTo(r.versioned(), r.wrapping[r.current], key, associated(r.scope, "data-key", string(subject[:])))
}

func (r *Ring) unwrap(subject Subject, wrapped []byte) ([]byte, error) {
	aead, rest, err := r.version(wrapped)
	if err != nil {
		return nil, err
	}
	return open(aead, rest, associated(r.scope, "data-key", string(subject[:])))
}

func (r *Ring) dataKey(subject Subject, key []byte) (*DataKey, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return &DataKey{aead: aead, scope: r.scope, subject: subject}, nil
}

func (r *Ring) versioned() []byte { return binary.BigEndian.AppendUint32(nil, r.current) }

func (r *Ring) version(sealed []byte) (cipher.AEAD, []byte, error) {
	if len(sealed) < 4 {
		return nil, nil, ErrSealed
	}
	v := binary.BigEndian.Uint32(sealed)
	aead, ok := r.wrapping[v]
	if !ok {
		return nil, nil, fmt.Errorf("org key version %d of %s is not known here: %w: %w", v, r.scope, errVersion, ErrSealed)
	}
	return aead, sealed[4:], nil
}

// DataKey seals one person's fields.
type DataKey struct {
	aead    cipher.AEAD
	scope   string
	subject Subject
}

// Seal encrypts one record of the person. kind and id say which; it opens only
// under the same.
func (k *DataKey) Seal(plain []byte, kind, id string) []byte {
	return sealTo(nil, k.aead, plain, k.associated(kind, id))
}

// Open reverses Seal.
func (k *DataKey) Open(sealed []byte, kind, id string) ([]byte, error) {
	return open(k.aead, sealed, k.associated(kind, id))
}

func (k *DataKey) associated(kind, id string) []byte {
	return associated(k.scope, "person", string(k.subject[:]), kind, id)
}
