package affinity

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// OpenKeys reads the file of keys that sign sessions, the one that signs first,
// or makes it with mode 0600 when it does not exist. Losing it ends sessions and
// nothing else. A file that others may read is refused.
func OpenKeys(path string) ([][]byte, error) {
	keys, err := ReadKeys(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if err := makeKeys(path); err != nil {
		return nil, fmt.Errorf("make session keys: %w", err)
	}
	return ReadKeys(path)
}

// ReadKeys is OpenKeys without making anything: fs.ErrNotExist where there is no file.
func ReadKeys(path string) ([][]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read session keys: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("read session keys: %s can be read by others; run chmod 600 on it", path)
	}
	lines, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read session keys: %w", err)
	}
	return ParseKeys(string(lines))
}

// ParseKeys reads keys, one in base64 on each line; lines that begin with # say
// nothing.
func ParseKeys(lines string) ([][]byte, error) {
	var keys [][]byte
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(key) < KeySize {
			return nil, errors.New("read session keys: every line must be 32 bytes or more in base64")
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("read session keys: there is no key in it")
	}
	return keys, nil
}

// makeKeys writes a temporary file and links it into place, so that of two
// edges that start together both read the keys of one.
func makeKeys(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".edge-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails
	_, err = tmp.WriteString("# Turnout: signs visitors' sessions at the edge. All edges have the same.\n" + base64.StdEncoding.EncodeToString(key) + "\n")
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
