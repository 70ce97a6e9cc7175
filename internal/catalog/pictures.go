package catalog

import (
	"container/list"
	"context"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// PictureCache reads the cache's pictures.
type PictureCache interface {
	// Picture answers CodeNotFound for a file that it does not have.
	Picture(ctx context.Context, org turnout.OrgID, name string) ([]byte, error)
}

// RingKeyring opens org keys.
type RingKeyring interface {
	Ring(ctx context.Context, scope string) (*seal.Ring, error)
}

// PicturesOptions are what Pictures needs.
type PicturesOptions struct {
	Cache   PictureCache
	Keyring RingKeyring
	// Bytes bounds how much of them is in memory; 0 means 32 MiB.
	Bytes int
}

// Pictures opens files of events' pictures. Those that were asked for last are in memory.
// Safe for concurrent use.
type Pictures struct {
	o      PicturesOptions
	flight singleflight.Group

	mu    sync.Mutex
	bytes int
	known map[pictureKey]*list.Element
	order *list.List // of *shownPicture, the one that was asked for last in front
}

type pictureKey struct {
	org  turnout.OrgID
	name string
}

type shownPicture struct {
	pictureKey
	file []byte
}

// NewPictures makes a Pictures that holds nothing yet.
func NewPictures(o PicturesOptions) *Pictures {
	if o.Bytes == 0 {
		o.Bytes = 32 << 20
	}
	return &Pictures{o: o, known: map[pictureKey]*list.Element{}, order: list.New()}
}

// Picture is a file of a picture, CodeNotFound if there is none. Nobody changes it. Of
// several who ask for one that is not in memory, one asks the cache, and nobody asks
// anybody else (P3).
func (p *Pictures) Picture(ctx context.Context, org turnout.OrgID, name string) ([]byte, error) {
	const op = "read picture"
	if !turnout.ValidPictureFile(name) {
		return nil, &turnout.Error{Code: turnout.CodeNotFound, Op: op}
	}
	key := pictureKey{org, name}
	if file, ok := p.held(key); ok {
		return file, nil
	}
	file, err, _ := p.flight.Do(string(org)+"/"+name, func() (any, error) {
		ctx := context.WithoutCancel(ctx) // it is for others, too
		sealed, err := p.o.Cache.Picture(ctx, org, name)
		if err != nil {
			return nil, err
		}
		ring, err := p.o.Keyring.Ring(ctx, string(org))
		if err != nil {
			return nil, err
		}
		file, err := ring.Open(sealed, "picture", name)
		if err != nil {
			return nil, turnout.Wrap(turnout.CodeInternal, op, err)
		}
		p.hold(key, file)
		return file, nil
	})
	if err != nil {
		return nil, err
	}
	return file.([]byte), nil
}

func (p *Pictures) held(key pictureKey) ([]byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.known[key]
	if !ok {
		return nil, false
	}
	p.order.MoveToFront(e)
	return e.Value.(*shownPicture).file, true
}

// hold keeps a file, and lets go of those that were asked for longest ago.
func (p *Pictures) hold(key pictureKey, file []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[key]; ok || len(file) > p.o.Bytes {
		return
	}
	p.known[key] = p.order.PushFront(&shownPicture{key, file})
	for p.bytes += len(file); p.bytes > p.o.Bytes; {
		last := p.order.Remove(p.order.Back()).(*shownPicture)
		p.bytes -= len(last.file)
		delete(p.known, last.pictureKey)
	}
}
