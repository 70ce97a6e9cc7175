package compact

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// Paper is what a Log is written on. Reads and writes may overlap in time; what a
// read of bytes that are being written gives does not matter.
type Paper interface {
	io.ReaderAt
	io.WriterAt
}

// Unnamed makes a file in dir that has no name by the time this returns: nobody
// else can open it, and it is gone with the process however that ends. An empty
// dir is the system's for temporary files.
func Unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".turnout-links-*")
	if err != nil {
		return nil, fmt.Errorf("make a file without a name: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("take a file's name away: %w", err)
	}
	return f, nil
}

// Memory is paper where there is no disk for it. It takes what was written and
// gives nothing back.
type Memory struct {
	mu     sync.RWMutex
	sheets [][]byte
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{} }

// ReadAt reads up to what was written so far.
func (m *Memory) ReadAt(p []byte, at int64) (n int, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for n < len(p) {
		sheet, from := int((at+int64(n))/slabBytes), int((at+int64(n))%slabBytes)
		if sheet >= len(m.sheets) {
			return n, io.EOF
		}
		n += copy(p[n:], m.sheets[sheet][from:])
	}
	return n, nil
}

// WriteAt never fails.
func (m *Memory) WriteAt(p []byte, at int64) (n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n < len(p) {
		sheet, from := int((at+int64(n))/slabBytes), int((at+int64(n))%slabBytes)
		for sheet >= len(m.sheets) {
			m.sheets = append(m.sheets, offHeap(slabBytes))
		}
		n += copy(m.sheets[sheet][from:], p[n:])
	}
	return n, nil
}
