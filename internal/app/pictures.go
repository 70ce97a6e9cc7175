package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/picture"
)

const (
	// atOnce is how many pictures a process fetches at once, of 8 MB at the most; one of
	// them at a time is decoded, which takes some 100 MB.
	atOnce = 4
	// picturePatience bounds fetching and making one.
	picturePatience = 45 * time.Second
)

// pictures is how the mirror gets events' pictures; nil where the settings want none.
func pictures(from string) func(ctx context.Context, address string) (turnout.Picture, map[string][]byte, error) {
	if from == config.NoPictures {
		return nil
	}
	fetcher := picture.NewFetcher(picture.Options{Private: from == config.AnyPictures})
	fetching, making := make(chan struct{}, atOnce), make(chan struct{}, 1)
	return func(ctx context.Context, address string) (p turnout.Picture, files map[string][]byte, err error) {
		err = inTurn(ctx, fetching, func() error {
			ctx, cancel := context.WithTimeout(ctx, picturePatience)
			defer cancel()
			file, err := fetcher.Fetch(ctx, address)
			if err != nil {
				return err
			}
			return inTurn(ctx, making, func() error {
				made, err := picture.Make(ctx, file)
				p, files = named(made)
				return err
			})
		})
		return p, files, err
	}
}

// inTurn does something once there is a place. What panics is an error: a file that
// somebody else made is decoded, and nobody else is to suffer from it.
func inTurn(ctx context.Context, places chan struct{}, do func() error) (err error) {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return errors.New("too many others were before it")
		}
		return ctx.Err()
	}
	defer func() {
		if recover() != nil {
			err = errors.New("it cannot be read: it is damaged in a way that nobody thought of")
		}
		<-places
	}()
	return do()
}

// named gives a picture a name that is made of the bytes of its files.
func named(made picture.Made) (turnout.Picture, map[string][]byte) {
	p, files := turnout.Picture{Width: made.Width, Height: made.Height}, map[string][]byte{}
	sum := sha256.New()
	for _, size := range made.Sizes {
		sum.Write(size.JPEG)
		p.Widths = append(p.Widths, size.Width)
	}
	p.Name = hex.EncodeToString(sum.Sum(nil)[:16])
	for _, size := range made.Sizes {
		files[p.File(size.Width)] = size.JPEG
	}
	return p, files
}
