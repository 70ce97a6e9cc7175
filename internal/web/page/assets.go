package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
)

//go:embed assets/*
var assetFiles embed.FS

// AssetPrefix is where the pages' files are.
const AssetPrefix = "/assets/"

// Assets are the stylesheet, script and icon of the pages. Their paths carry a
// hash of their bytes, so they may be kept for ever.
type Assets struct {
	CSS, JS, Icon string
	// Embed is the script for organisers' own sites, whose path stays as it is.
	Embed  Asset
	byPath map[string]Asset
}

// Asset is one file.
type Asset struct {
	Type  string
	Bytes []byte
	Gzip  []byte
}

func newAssets() (*Assets, error) {
	a := &Assets{byPath: map[string]Asset{}}
	var err error
	add := func(name, extension, mime string) string {
		if err != nil {
			return ""
		}
		var b []byte
		if b, err = assetFiles.ReadFile("assets/" + name + "." + extension); err != nil {
			return ""
		}
		if b = squeeze(b); extension == "css" {
			// Spaces that CSS needs stand elsewhere: between values and in selectors.
			b = []byte(strings.NewReplacer(" { ", "{", "; }", "}", "; ", ";", ": ", ":").Replace(string(b)))
		}
		sum := sha256.Sum256(b)
		path := AssetPrefix + name + "-" + hex.EncodeToString(sum[:6]) + "." + extension
		a.byPath[path] = Asset{Type: mime, Bytes: b, Gzip: compress(b)}
		return path
	}
	a.CSS = add("site", "css", "text/css; charset=utf-8")
	a.JS = add("site", "js", "text/javascript; charset=utf-8")
	a.Icon = add("icon", "svg", "image/svg+xml")
	a.Embed = a.byPath[add("embed", "js", "text/javascript; charset=utf-8")]
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	return a, nil
}

// squeeze leaves out what only readers of the source need: indentation, empty
// lines, and comments that have a line of their own.
func squeeze(source []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(source) {
		line = bytes.TrimSpace(line)
		comment := bytes.HasPrefix(line, []byte("//")) || bytes.HasPrefix(line, []byte("/*")) && bytes.HasSuffix(line, []byte("*/"))
		if len(line) > 0 && !comment {
			out.Write(line)
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// Find returns the file at path.
func (a *Assets) Find(path string) (Asset, bool) {
	asset, ok := a.byPath[path]
	return asset, ok
}

func compress(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid one
	_, _ = w.Write(b)                                       // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}
