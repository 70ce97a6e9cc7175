package app

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/catalog"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/redis"
	"github.com/turnout-events/turnout/internal/run"
	"github.com/turnout-events/turnout/internal/session/cookie"
	sessionredis "github.com/turnout-events/turnout/internal/session/redis"
	"github.com/turnout-events/turnout/internal/web"
)

// sessionEngine is what both engines do.
type sessionEngine interface {
	web.Sessions
	RevokePerson(ctx context.Context, org turnout.OrgID, person turnout.PersonID) error
	RevokeOrg(ctx context.Context, org turnout.OrgID) error
	Heard(org turnout.OrgID, person turnout.PersonID, at time.Time)
}

// sessions are visitors' sessions on whichever engine. What ends an org's is
// written into the store, so that it holds on every instance, through restarts, and
// while Redis is away.
type sessions struct {
	sessionEngine
	engines *Engines
	// server and kept are nil for cookies alone.
	server *redis.Server
	kept   *sessionredis.Engine
}

// openSessionServer connects to the Redis server for sessions that cfg names, if
// it names one.
func openSessionServer(ctx context.Context, cfg config.Config, log *slog.Logger) (*redis.Server, error) {
	if cfg.Sessions == "" {
		return nil, nil
	}
	return redis.Open(ctx, redis.Options{URL: cfg.Sessions, Use: "sessions", Without: "sealed cookies go on, and nobody is logged out", Logger: log})
}

// newSessions are in cookies, and on server unless that is nil; orgs are those whose
// sessions are counted.
func newSessions(engines *Engines, server *redis.Server, orgs func() []turnout.OrgID, log *slog.Logger) *sessions {
	cookies := cookie.New(cookie.Options{Keyring: engines.Keyring, Now: engines.Store.Now})
	s := &sessions{sessionEngine: cookies, engines: engines, server: server}
	if server == nil {
		return s
	}
	s.kept = sessionredis.New(sessionredis.Options{Server: s.server, Cookies: cookies, Keyring: engines.Keyring, Orgs: orgs, Logger: log, Now: engines.Store.Now})
	s.sessionEngine = s.kept
	return s
}

// services are those of Redis, if there is one.
func (s *sessions) services() []run.Service {
	if s.server == nil {
		return nil
	}
	return []run.Service{{Name: "redis", Run: s.server.Run}, {Name: "sessions", Run: s.kept.Run}}
}

// Close ends the connection to Redis. It may be called twice.
func (s *sessions) Close() error { return closeServer(s.server) }

func closeServer(server *redis.Server) error {
	if server == nil {
		return nil
	}
	return server.Close()
}

// endedFiles begins the names of the store's files that tell when an org's
// sessions were ended. Their time is what they say.
const endedFiles = "sessions/"

// RevokeOrg ends an org's sessions everywhere. An error says that it may not have:
// ask again.
func (s *sessions) RevokeOrg(ctx context.Context, org turnout.OrgID) error {
	if _, err := s.engines.targets.settings(ctx, org); err != nil {
		return err
	}
	now := s.engines.Store.Now().UTC()
	if err := s.engines.Store.PutFile(ctx, endedFiles+string(org), nil, now); err != nil {
		return err
	}
	if err := s.engines.Store.AppendChanges(ctx, []turnout.Change{{Kind: turnout.ChangeSessions, Org: org, At: now}}); err != nil {
		return err
	}
	return s.sessionEngine.RevokeOrg(ctx, org)
}

// recall reads which orgs' sessions were ended.
func (s *sessions) recall(ctx context.Context) error {
	files, err := s.engines.Store.Files(ctx, endedFiles)
	if err != nil {
		return turnout.Wrap(turnout.CodeOf(err), "read when sessions were ended", err)
	}
	for _, f := range files {
		s.Heard(turnout.OrgID(strings.TrimPrefix(f.Name, endedFiles)), turnout.PersonID{}, f.Modified)
	}
	return nil
}

// hear ends what another process ended.
func (s *sessions) hear(ctx context.Context, n catalog.News) {
	if n.All {
		if err := s.recall(ctx); err != nil {
			s.engines.log.Warn("sessions: what was ended meanwhile is heard of later", "error", err)
		}
	}
	for _, c := range n.Changes {
		switch c.Kind {
		case turnout.ChangeSessions:
			s.Heard(c.Org, turnout.PersonID{}, c.At)
		case turnout.ChangePerson:
			if id, err := hex.DecodeString(c.ID); err == nil && len(id) == len(turnout.PersonID{}) {
				s.Heard(c.Org, turnout.PersonID(id), c.At)
			}
		}
	}
}

// active is how many sessions of an org were seen lately, on all instances; false
// where nobody counts.
func (s *sessions) active(org turnout.OrgID) (int, bool) {
	if s.kept == nil {
		return 0, false
	}
	n, ok := s.kept.Active()[org]
	return n, ok
}

// show adds what Redis tells to the metrics.
func (s *sessions) show(registry prometheus.Registerer) {
	if s.server != nil {
		registry.MustRegister(redisUp("sessions", s.server), sessionGauges{s.kept.Active})
	}
}

// redisUp is 1 while a server answers.
func redisUp(use string, server *redis.Server) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "turnout_redis_up", Help: "1 while Redis answers, 0 while it is gone without.", ConstLabels: prometheus.Labels{"use": use},
	}, func() float64 {
		if server.Away() {
			return 0
		}
		return 1
	})
}

// sessionGauges shows how many sessions there are, by org.
type sessionGauges struct {
	active func() map[turnout.OrgID]int
}

func keptDescription() *prometheus.Desc {
	return prometheus.NewDesc("turnout_sessions_kept", "Sessions that a personal link began and that were seen within five minutes, on all instances together.", []string{"org"}, nil)
}

// Describe implements prometheus.Collector.
func (sessionGauges) Describe(ch chan<- *prometheus.Desc) { ch <- keptDescription() }

// Collect implements prometheus.Collector. No org has a value while Redis is away.
func (g sessionGauges) Collect(ch chan<- prometheus.Metric) {
	for org, n := range g.active() {
		ch <- prometheus.MustNewConstMetric(keptDescription(), prometheus.GaugeValue, float64(n), string(org))
	}
}
