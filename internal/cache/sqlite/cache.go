// Package sqlite is the cache on one SQLite file: the mirror of Salesforce,
// which is published events and AttendeeLinks, sealed.
//
// It promises what any engine of the cache promises (package cachetest):
// reads and writes by id only, an older copy never replaces a newer one, a
// write that returned is seen by every later read of every process on the
// file, and times are kept to the millisecond, which is as fine as
// Salesforce's SystemModstamp.
//
// Nothing here is the truth. Salesforce can give all of it again, so the file
// is written with synchronous=NORMAL, needs no backup, and is set aside and
// begun anew when it turns out to be damaged. Cursors live in the same file:
// when it is lost they are lost with it, and that makes the mirror fetch
// everything once more.
package sqlite

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/turnout-events/turnout"
)

// Options of a cache.
type Options struct {
	// Path of the file. It is made if it is missing, readable by its owner
	// only. Several processes of one machine may share it.
	Path string
	// Logger hears of damaged files; nil means silence.
	Logger *slog.Logger
}

// Cache is an open cache. All methods are safe for concurrent use.
type Cache struct {
	path   string
	logger *slog.Logger

	// now is the open file. Another one takes its place when it is damaged, or
	// when another process set it aside.
	now   atomic.Pointer[file]
	reads atomic.Uint64

	mu     sync.Mutex // guards replacing now, and closed
	closed bool
}

// Open opens the cache, makes it if it is missing, and begins it anew if it
// is damaged or of another version. It fails when SQLite does not take the
// settings that the promises rest on.
func Open(ctx context.Context, o Options) (*Cache, error) {
	if o.Path == "" {
		return nil, turnout.Errorf(turnout.CodeInvalid, "open cache", "give the cache a path")
	}
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, turnout.Wrap(turnout.CodeInvalid, "open cache", err)
	}
	c := &Cache{path: path, logger: o.Logger}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	f, err := c.openOrRebuild(ctx, nil)
	if err != nil {
		return nil, turnout.Wrap(codeOf(err), "open cache", err)
	}
	c.now.Store(f)
	return c, nil
}

// Close closes the cache. It may be called twice.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	return c.now.Load().close()
}

// file is the open file, after a look at whether it still is the one at the
// cache's path.
func (c *Cache) file() *file {
	f := c.now.Load()
	if !f.replaced() {
		return f
	}
	c.replace(f, "another process set it aside")
	return c.now.Load()
}

// hot is file for the hottest read, which looks only once in a while.
func (c *Cache) hot() *file {
	if c.reads.Add(1)%1024 == 0 {
		return c.file()
	}
	return c.now.Load()
}

// failed gives err its code and says what was being done. A damaged file is
// replaced at once.
func (c *Cache) failed(f *file, op string, err error) error {
	if damaged(err) {
		c.replace(f, err.Error())
	}
	code := codeOf(err)
	if c.gone(f) {
		code = turnout.CodeUnavailable // the error is only that f was closed
	}
	return turnout.Wrap(code, op, err)
}

// gone reports whether f is no longer the open file.
func (c *Cache) gone(f *file) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed || c.now.Load() != f
}

// replace opens the cache again unless somebody already did since f was got.
func (c *Cache) replace(f *file, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.now.Load() != f {
		return
	}
	c.logger.Error("cache file is gone or damaged; opening it again", "path", c.path, "why", why)
	next, err := c.openOrRebuild(context.Background(), f)
	if err != nil {
		c.logger.Error("cache cannot be opened again", "path", c.path, "err", err)
		return
	}
	c.now.Store(next)
	_ = f.close() // what still reads it fails, and is asked again
}

// openOrRebuild opens the file, under a lock so that of several processes
// that find it damaged one sets it aside and the others take the new one.
// used is the file known to be damaged, or nil.
func (c *Cache) openOrRebuild(ctx context.Context, used *file) (*file, error) {
	unlock, err := lock(c.path + ".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if used != nil && !used.replaced() {
		if err := c.setAside(); err != nil {
			return nil, err
		}
	}
	f, err := openFile(ctx, c.path)
	if err == nil || !damaged(err) {
		return f, err
	}
	c.logger.Error("cache file is damaged; beginning anew", "path", c.path, "err", err)
	if err := c.setAside(); err != nil {
		return nil, err
	}
	return openFile(ctx, c.path)
}

// setAside moves the file out of the way. One such file is kept, for whoever
// wants to know what happened to it.
func (c *Cache) setAside() error {
	aside := c.path + ".damaged"
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(c.path+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	c.logger.Error("cache file was set aside; the mirror fills the new one from Salesforce", "path", c.path, "aside", aside)
	return nil
}
