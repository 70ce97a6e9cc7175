package seal

import (
	"context"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Master wraps org keys. A KMS implements it with one call each; Turnout
// calls it when an org's keys are made, first used by a process, or rewrapped,
// never per record.
type Master interface {
	// ID names the key that Wrap uses now.
	ID() string
	Wrap(ctx context.Context, key, ad []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, ad []byte) ([]byte, error)
}

// FileMaster is the master key from a file or the environment. Its text holds
// one or more keys in base64, one a line: the first wraps, all unwrap, so that
// a new key can stand above the old one while org keys are rewrapped.
type FileMaster struct {
	ids   []string
	aeads map[string]cipher.AEAD
}

// masterIDSize is the length of a master key's id, in hexadecimal digits.
const masterIDSize = 8

// MasterOf names the master key of a file that wrapped an org key, for messages;
// empty if a KMS did.
func MasterOf(wrapped []byte) string {
	if len(wrapped) < masterIDSize || strings.Trim(string(wrapped[:masterIDSize]), "0123456789abcdef") != "" {
		return ""
	}
	return string(wrapped[:masterIDSize])
}

// ParseMaster reads keys in base64, one a line; lines that start with "#" are comments.
func ParseMaster(text string) (*FileMaster, error) {
	m := &FileMaster{aeads: map[string]cipher.AEAD{}}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) != KeySize {
			return nil, fmt.Errorf("read master key: every line must be %d bytes in base64", KeySize)
		}
		aead, err := newAEAD(key)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(append([]byte("turnout master key id\x00"), key...))
		id := hex.EncodeToString(sum[:masterIDSize/2])
		m.ids = append(m.ids, id)
		m.aeads[id] = aead
	}
	if len(m.ids) == 0 {
		return nil, errors.New("read master key: there is no key in it")
	}
	return m, nil
}

// OpenMaster reads the master key file, or makes it with mode 0600 when it
// does not exist; made says so, since losing the file loses the data.
// A file that others may read is refused.
func OpenMaster(path string) (m *FileMaster, made bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createMaster(path); err != nil {
			return nil, false, err
		}
		made = true
	} else if err != nil {
		return nil, false, fmt.Errorf("open master key: %w", err)
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, false, fmt.Errorf("open master key: %s can be read by others; run chmod 600 on it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, false, fmt.Errorf("open master key: %w", err)
	}
	m, err = ParseMaster(string(text))
	return m, made, err
}

// NewMasterLine makes a new key, as a line of a master key file.
func NewMasterLine() string { return base64.StdEncoding.EncodeToString(newKey()) + "\n" }

// createMaster writes a new key to a temporary file and links it into place,
// so that of two processes that start together one wins and both read its key.
func createMaster(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make master key: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".master-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make master key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString("# Turnout master key. Without it the data cannot be read. Keep a copy apart from the backups.\n" + NewMasterLine())
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make master key: %w", err)
	}
	return nil
}

// RotateMaster puts a new key above those in the file. Running processes go
// on: the old key still unwraps, and they reread the file when they meet a key
// that they cannot unwrap.
func RotateMaster(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("rotate master key: %w", err)
	}
	return replaceFile(path, NewMasterLine()+string(text))
}

// RetireMaster leaves only the first key in the file. Call it when every org
// key was rewrapped.
func RetireMaster(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("retire master key: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if l := strings.TrimSpace(line); l != "" && l[0] != '#' {
			return replaceFile(path, l+"\n")
		}
	}
	return errors.New("retire master key: there is no key in the file")
}

func replaceFile(path, text string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".master-*")
	if err != nil {
		return fmt.Errorf("write master key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(text)
	if err == nil {
		err = tmp.Sync()
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write master key: %w", err)
	}
	return nil
}

// ID implements Master.
func (m *FileMaster) ID() string { return m.ids[0] }

// Wrap implements Master. The wrapped key begins with the id of the master key.
func (m *FileMaster) Wrap(_ context.Context, key, ad []byte) ([]byte, error) {
	id := m.ID()
	return sealTo([]byte(id), m.aeads[id], key, ad), nil
}

// Unwrap implements Master.
func (m *FileMaster) Unwrap(_ context.Context, wrapped, ad []byte) ([]byte, error) {
	if len(wrapped) < masterIDSize {
		return nil, ErrSealed
	}
	aead, ok := m.aeads[string(wrapped[:masterIDSize])]
	if !ok {
		return nil, fmt.Errorf("unwrap org key: it was wrapped by master key %q, which is not in the master key file: %w", wrapped[:masterIDSize], ErrSealed)
	}
	return open(aead, wrapped[masterIDSize:], ad)
}
