package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/picture"
)

// pictures is how the mirror gets events' pictures; nil where the settings want none.
func pictures(from string) func(ctx context.Context, address string) (turnout.Picture, map[string][]byte, error) {
	if from == config.NoPictures {
		return nil
	}
	fetcher := picture.NewFetcher(picture.Options{Private: from == config.AnyPictures})
	turn := make(chan struct{}, 1) // one at a time: a large one takes 160 MB while it is made
	return func(ctx context.Context, address string) (turnout.Picture, map[string][]byte, error) {
		file, err := fetcher.Fetch(ctx, address)
		if err != nil {
			return turnout.Picture{}, nil, err
		}
		turn <- struct{}{}
		made, err := picture.Make(file)
		<-turn
		if err != nil {
			return turnout.Picture{}, nil, err
		}
		p, files := named(file, made)
		return p, files, nil
	}
}

// making is how pictures are made. It is part of their names: what is made otherwise is
// another picture, since browsers keep each for ever.
const making = "1"

// named gives a picture a name that is made of the file that it was made of.
func named(file []byte, made picture.Made) (turnout.Picture, map[string][]byte) {
	sum := sha256.Sum256(append([]byte("picture "+making+" "), file...))
	p := turnout.Picture{Name: hex.EncodeToString(sum[:16]), Width: made.Width, Height: made.Height}
	files := map[string][]byte{}
	for _, size := range made.Sizes {
		p.Widths = append(p.Widths, size.Width)
		files[p.File(size.Width)] = size.JPEG
	}
	return p, files
}
