package catalog

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// drawer is a cache of pictures, all of them sealed by acme's key, that counts.
type drawer struct {
	ring  *seal.Ring
	asked atomic.Int64
	gate  chan struct{} // what a read waits for; nil for nothing
}

const pictureOf = "0123456789abcdef0123456789abcdef-480.jpg"

func (d *drawer) Picture(_ context.Context, org turnout.OrgID, name string) ([]byte, error) {
	d.asked.Add(1)
	if d.gate != nil {
		<-d.gate
	}
	if org != "acme" {
		return nil, &turnout.Error{Code: turnout.CodeNotFound}
	}
	return d.ring.Seal(bytes.Repeat([]byte(name[:1]), 1000), "picture", name), nil
}

func openDrawer(t *testing.T) (*drawer, *Pictures) {
	t.Helper()
	keyring := newKeyring(t, &keyShelf{})
	ring, err := keyring.Ring(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	d := &drawer{ring: ring}
	return d, NewPictures(PicturesOptions{Cache: d, Keyring: keyring, Bytes: 3000})
}

// P3: pictures come from memory, and else from the cache, which many at once ask once.
func TestP3PicturesComeFromMemory(t *testing.T) {
	d, p := openDrawer(t)
	d.gate = make(chan struct{})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if file, err := p.Picture(t.Context(), "acme", pictureOf); err != nil || len(file) != 1000 {
				t.Errorf("%d bytes, %v", len(file), err)
			}
		})
	}
	close(d.gate)
	all.Wait()
	first := d.asked.Load()
	for range 10 {
		if _, err := p.Picture(t.Context(), "acme", pictureOf); err != nil {
			t.Error(err)
		}
	}
	if d.asked.Load() != first || first > 20 {
		t.Errorf("the cache was asked %d times, then %d", first, d.asked.Load())
	}
}

func TestPicturesKeepToTheirBytes(t *testing.T) {
	d, p := openDrawer(t)
	name := func(n int) string { return fmt.Sprintf("%x123456789abcdef0123456789abcdef-480.jpg", n) }
	read := func(n int) {
		t.Helper()
		if file, err := p.Picture(t.Context(), "acme", name(n)); err != nil || file[0] != name(n)[0] {
			t.Errorf("%d: %v", n, err)
		}
	}
	for n := range 3 {
		read(n)
	}
	read(0) // 1 is the oldest now
	read(3)
	asked := d.asked.Load()
	for _, n := range []int{0, 2, 3} {
		read(n)
	}
	if d.asked.Load() != asked || p.bytes != 3000 {
		t.Errorf("%d bytes are held, and the cache was asked %d times more", p.bytes, d.asked.Load()-asked)
	}
	if read(1); d.asked.Load() != asked+1 {
		t.Error("more is held than may be")
	}
}

func TestPicturesThatAreNotThere(t *testing.T) {
	d, p := openDrawer(t)
	for _, name := range []string{"", "../store.db", "0123-480.jpg", pictureOf + "x", "0123456789ABCDEF0123456789ABCDEF-480.jpg"} {
		if _, err := p.Picture(t.Context(), "acme", name); turnout.CodeOf(err) != turnout.CodeNotFound {
			t.Errorf("%q: %v", name, err)
		}
	}
	if d.asked.Load() != 0 {
		t.Error("the cache was asked for what cannot be there")
	}
	if _, err := p.Picture(t.Context(), "birch", pictureOf); turnout.CodeOf(err) != turnout.CodeNotFound {
		t.Errorf("another org's: %v", err)
	}
}
