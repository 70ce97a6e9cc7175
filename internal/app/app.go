// Package app is where Turnout's parts meet: it opens the engines, joins
// features to adapters, puts faces on them and runs all of it.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/delivery"
	"github.com/turnout-events/turnout/internal/erasure"
	"github.com/turnout-events/turnout/internal/intake"
	"github.com/turnout-events/turnout/internal/interest"
	"github.com/turnout-events/turnout/internal/mirror"
	"github.com/turnout-events/turnout/internal/pace"
	"github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/run"
	"github.com/turnout-events/turnout/internal/web"
	"github.com/turnout-events/turnout/internal/web/page"
)

// instance is one app process, put together.
type instance struct {
	cfg config.Config
	log *slog.Logger
	// life tells this process from the one that had its name before.
	life string

	*Engines
	cache    Cache
	metrics  *metrics
	catalog  *catalog.Catalog
	links    *catalog.Links
	paper    io.Closer // that links are held on; nil for memory
	intake   *intake.Intake
	delivery *delivery.Delivery
	mirror   *mirror.Mirror
	erasure  *erasure.Erasure
	interest *interest.Interest
	pages    *page.Pages
	sessions *sessions
	draining draining
}

// Serve runs one instance until ctx ends. It answers requests once everything
// published was read into memory; ready is then written, if it names a file.
func Serve(ctx context.Context, cfg config.Config, log *slog.Logger, ready string) (err error) {
	in, err := open(ctx, cfg, log)
	if err != nil {
		return err
	}
	served := false
	defer func() { saysStopped(served, log) }()
	defer func() { err = errors.Join(err, in.close()) }()
	if err := in.catalog.Load(ctx); err != nil {
		return fmt.Errorf("read published events: %w", err)
	}
	if err := errors.Join(in.knowOrgs(ctx), in.sessions.recall(ctx)); err != nil {
		return err
	}
	services, r, err := in.services()
	if err != nil {
		return err
	}
	if err := WriteReady(ready, r); err != nil {
		return err
	}
	log.Info("serving", "public", r.URL, "admin", r.Admin)
	served = true
	drained, ended := in.draining.first(ctx, cfg.Drain, log)
	defer ended()
	return run.Group{Services: services, Logger: log}.Run(drained)
}

// saysStopped logs the last line of a process that served: whoever reads the log
// then knows that nothing of it is still at work.
func saysStopped(served bool, log *slog.Logger) {
	if served {
		log.Info("stopped")
	}
}

// open opens the engines and joins the parts. Nothing runs yet. What is beside the
// store comes first: where that cannot be used, nothing was made or changed.
func open(ctx context.Context, cfg config.Config, log *slog.Logger) (*instance, error) {
	if err := lookAtCache(ctx, cfg); err != nil {
		return nil, err
	}
	server, err := openSessionServer(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	engines, err := OpenEngines(ctx, cfg, log)
	if err != nil {
		return nil, errors.Join(err, closeServer(server))
	}
	return assemble(ctx, cfg, engines, server, log)
}

// assemble joins the parts over engines and the server for sessions, which may be
// nil. It closes both if it cannot.
func assemble(ctx context.Context, cfg config.Config, engines *Engines, server *redis.Server, log *slog.Logger) (_ *instance, err error) {
	in := &instance{cfg: cfg, log: log, life: cfg.Instance + "/" + rand.Text(), Engines: engines}
	if in.cache, err = engines.openCache(ctx, cfg, log); err != nil {
		return nil, errors.Join(err, closeServer(server), engines.Close())
	}
	in.sessions = newSessions(engines, server, in.knownOrgs, log)
	in.features()
	if err := in.reading(); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return in, nil
}

// features joins what changes things.
func (in *instance) features() {
	in.intake = intake.New(intake.Options{Store: in.Store, Keys: in.Store, Keyring: in.Keyring, Changed: in.changed, Now: in.Store.Now})
	in.delivery = delivery.New(delivery.Options{
		Queue: in.Store, Leases: in.Store, Records: in.intake,
		Target: func(ctx context.Context, org turnout.OrgID) (delivery.Target, error) { return in.targets.org(ctx, org) },
		Event:  func(org turnout.OrgID, id turnout.EventID) *turnout.Event { return in.catalog.LastKnown(org, id) }, Owner: in.cfg.Instance, Share: in.targets.share,
		Policy:      delivery.Policy{Few: in.cfg.Delivery.Few, Longest: in.cfg.Delivery.Longest, Most: in.cfg.Delivery.Most},
		LanesPerOrg: in.cfg.Delivery.LanesPerOrg, Logger: in.log, Now: in.Store.Now,
		Observe: func(org turnout.OrgID, result turnout.Result, n int) {
			in.metrics.outcomes.WithLabelValues(string(org), string(result)).Add(float64(n))
		},
	})
	in.erasure = erasure.New(erasure.Options{
		Store: in.Store, Cache: in.cache, Orgs: in.Store, Keyring: in.Keyring, Sessions: in.sessions, Logger: in.log, Now: in.Store.Now,
	})
	in.interest = interest.New(interest.Options{Shelf: in.Store, Logger: in.log})
	in.metrics = newMetrics(orgGauges{oldest: in.delivery.Oldest, usage: in.targets.usage, reads: in.lastReads, now: in.Store.Now})
	in.sessions.show(in.metrics.registry)
	in.targets.observe = in.metrics.observeCall
}

// reading joins what shows things.
func (in *instance) reading() (err error) {
	if in.pages, err = web.NewRenderer(page.Options{Now: in.Store.Now}); err != nil {
		return err
	}
	in.catalog = catalog.New(catalog.Options{
		Orgs: in.Store, Cache: in.cache, Seats: in.Store, Feed: in.Store, Keyring: in.Keyring, Renderer: in.pages, Logger: in.log, Now: in.Store.Now,
	})
	in.links = in.newLinks()
	in.catalog.Follow(in.links.Hear)
	in.catalog.Follow(in.orgsChanged)
	in.catalog.Follow(in.sessions.hear)
	return in.newMirror()
}

// changed is told of every registration that waits for delivery.
func (in *instance) changed(org turnout.OrgID, _ turnout.EventID, fresh bool) {
	if fresh {
		in.metrics.accepted.WithLabelValues(string(org)).Inc()
	}
	in.delivery.Nudge()
}

func (in *instance) event(org turnout.OrgID, id turnout.EventID) *turnout.Event {
	if e, ok := in.catalog.EventByID(org, id); ok {
		return e.Event
	}
	return nil
}

// knowOrgs begins the metrics of every org that is set up.
func (in *instance) knowOrgs(ctx context.Context) error {
	orgs, err := in.Store.Orgs(ctx)
	for _, o := range orgs {
		in.metrics.know(o.ID)
	}
	return err
}

// knownOrgs are those that are set up, as far as was heard.
func (in *instance) knownOrgs() []turnout.OrgID {
	return slices.Collect(maps.Keys(in.metrics.known.all()))
}

// orgsChanged drops what was made from an org's old settings.
func (in *instance) orgsChanged(ctx context.Context, n catalog.News) {
	if n.All { // too much was missed to know what changed
		in.Keyring.Drop("")
		in.targets.drop("")
		if err := in.knowOrgs(ctx); err != nil {
			in.log.Warn("metrics: some orgs are not shown until something happens to them", "error", err)
		}
	}
	for _, c := range n.Changes {
		if c.Kind == turnout.ChangeOrg && c.Org.Valid() {
			in.Keyring.Drop(string(c.Org))
			in.targets.drop(c.Org)
			in.metrics.know(c.Org)
		}
	}
}

// services are the instance's, in the order in which they start: whoever is
// used comes before whoever uses it, so that stopping goes the other way.
func (in *instance) services() ([]run.Service, Ready, error) {
	public, err := in.public()
	if err != nil {
		return nil, Ready{}, err
	}
	admin, err := in.admin()
	if err != nil {
		return nil, Ready{}, err
	}
	adminService, adminAddr, err := listen("admin pages", in.cfg.AdminListen, admin, in.log)
	if err != nil {
		return nil, Ready{}, fmt.Errorf("admin_listen: %w", err)
	}
	publicService, publicAddr, err := listen("public pages", in.cfg.Listen, public, in.log)
	if err != nil {
		return nil, Ready{}, fmt.Errorf("listen: %w", err)
	}
	services := append(in.sessions.services(), run.Service{Name: "links", Run: in.links.Run})
	if c, ok := in.cache.(sweeping); ok {
		services = append(services, run.Service{Name: "cache sweeper", Run: c.Run})
	}
	return append(services, []run.Service{
		{Name: "pace", Run: pace.Run},
		{Name: "interest", Run: in.interest.Run},
		{Name: "erasure", Run: in.erasure.Run},
		{Name: "catalog", Run: in.catalog.Run},
		{Name: "mirror", Run: in.mirror.Run},
		{Name: "delivery", Run: in.delivery.Run},
		adminService, publicService,
	}...), Ready{PID: os.Getpid(), URL: "http://" + publicAddr.String(), Admin: "http://" + adminAddr.String()}, nil
}

// public is what registrants, API clients and Salesforce's hooks reach.
func (in *instance) public() (http.Handler, error) {
	links, forms := countedLinks{in.links, in.interest}, countedForms{in.intake, in.interest}
	pages, err := web.New(web.Options{
		Catalog: in.catalog, Links: links, Intake: forms, Sessions: in.sessions,
		Pictures: catalog.NewPictures(catalog.PicturesOptions{Cache: in.cache, Keyring: in.Keyring}), Stack: in.cfg.Stack, Pages: in.pages, Logger: in.log,
		Now: in.Store.Now,
	})
	if err != nil {
		return nil, err
	}
	public, err := api.New(api.Options{Catalog: in.catalog, Links: in.links, Intake: forms, Secrets: in.targets, Hints: in.mirror, HookOurs: in.hookOurs, Logger: in.log, Now: in.Store.Now})
	if err != nil {
		return nil, err
	}
	apiHandler, pageHandler := public.Handler(), pages.Handler()
	return in.draining.before(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, "/hooks/") {
			apiHandler.ServeHTTP(w, r)
			return
		}
		pageHandler.ServeHTTP(w, r)
	})), nil
}

// hookOurs lets one process of all take a hook: not the next one under the same
// name either.
func (in *instance) hookOurs(ctx context.Context, org turnout.OrgID, hook string, ttl time.Duration) (bool, error) {
	return in.Store.Turn(ctx, org, "hook/"+hook, in.life, in.Store.Now(), ttl)
}

func (in *instance) close() error {
	errs := []error{in.sessions.Close(), in.cache.Close(), in.Store.Close()}
	if in.paper != nil {
		errs = append(errs, in.paper.Close())
	}
	return errors.Join(errs...)
}
