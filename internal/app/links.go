package app

import (
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/compact"
)

// heldBytes is how much of an instance's disk sealed links may take, about 270
// bytes each.
const heldBytes = 512 << 20

// newLinks holds links in a file beside the instance's data, or in memory, and
// fewer of them, where there is no such file. A cache that gives links in order is read ahead of need.
func (in *instance) newLinks() *catalog.Links {
	o := catalog.LinksOptions{Cache: in.cache, Keys: in.Store, Keyring: in.Keyring, Logger: in.log, Now: in.Store.Now}
	if paper, err := compact.Unnamed(in.cfg.Data); err != nil {
		in.log.Warn("links are held in memory, since the data directory takes no file; fewer than a tenth of a million find room", "error", err)
	} else {
		o.Paper, o.Bytes = paper, heldBytes
		in.paper = paper
	}
	if pages, ok := in.cache.(catalog.LinkPages); ok {
		o.Stock = &catalog.Stock{Orgs: in.Store, Links: pages, Keys: in.Store}
	}
	return catalog.NewLinks(o)
}
