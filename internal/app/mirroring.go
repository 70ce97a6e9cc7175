package app

import (
	"context"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/mirror"
)

// newMirror joins the mirror to Salesforce, the store and the cache.
func (in *instance) newMirror() error {
	in.mirror = mirror.New(mirror.Options{
		Orgs: in.Store,
		Source: func(org turnout.OrgID) (mirror.Source, error) {
			return in.targets.org(context.Background(), org)
		},
		Events: in.cache, Links: in.cache, Cursors: in.cache, Faults: in.cache,
		Pictures: in.cache, Picture: pictures(in.cfg.Mirror.Pictures),
		Ledgers: in.Store, Registrations: in.Store, DataKeys: in.Store, Feed: in.Store,
		Turns: in.Store, Errands: in.Store, Keyring: in.Keyring,
		Forget: func(ctx context.Context, org turnout.OrgID, email string) error {
			_, err := in.erasure.Forget(ctx, org, email)
			return err
		},
		Allow: func(org turnout.OrgID) bool { return in.targets.affords(org, time.Now()) },
		Owner: in.cfg.Instance, Logger: in.log, Now: in.Store.Now, Every: in.cfg.Mirror.Every,
	})
	return nil
}
