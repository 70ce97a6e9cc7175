// Package simulator is a Salesforce org to develop and test against: the REST,
// Bulk 2.0 and OAuth interfaces that well-known clients use, over records that
// obey a schema, with a control port under /_sim/ that makes it misbehave on
// request, and pages for people at /.
//
// It promises that refusals come for Salesforce's reasons, in Salesforce's
// codes and shapes; that a write it answered is kept, through kill -9 when it
// has a directory; and that everything it was asked to do is counted. It
// shares no code with the product's own Salesforce client, so that one
// misreading of the API cannot hide in both.
package simulator

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/bulk"
	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/misbehave"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
	"github.com/turnout-events/turnout/internal/simulator/session"
	"github.com/turnout-events/turnout/internal/simulator/tally"
)

// Options configure a Simulator. The zero value is an empty org in memory with
// client id and secret "demo".
type Options struct {
	Logger *slog.Logger // nil discards
	Dir    string       // records, jobs and counters survive here; "" keeps them in memory only
	Schema []byte       // YAML that adds objects and fields; nil for none
	Hooks  []Hook       // every hook is sent every hint

	ClientID, ClientSecret string           // "" means "demo"
	JWTKeys                []*rsa.PublicKey // whose JWT bearer assertions are accepted; see session.ParseKeys

	Now    func() time.Time // nil means time.Now
	Sample bool             // Open loads the sample data into an org that has no events
	// Pictures is the origin at which Handler is reached, for addresses of pictures of the
	// sample's events; empty for events without.
	Pictures string
}

// Hook is a receiver of hints: who changes an event, says so there.
type Hook struct {
	URL    string
	Secret string // signs each body, see the Turnout-Signature header
}

// Simulator is one simulated org. All methods are safe for concurrent use.
type Simulator struct {
	log     *slog.Logger
	options Options
	now     func() time.Time

	store  *records.Store
	tokens *session.Tokens
	keys   *session.Keys
	meter  *meter
	locks  *locks
	faults *misbehave.Present
	hooks  *hooks.Sender
	jobs   *bulk.Jobs
	finds  *cursors

	closing sync.Once
	closed  error
}

// New parses the schemas and makes an empty org. It does no I/O.
func New(options Options) (*Simulator, error) {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.ClientID == "" {
		options.ClientID = "demo"
	}
	if options.ClientSecret == "" {
		options.ClientSecret = "demo"
	}
	extra := [][]byte{}
	if len(options.Schema) > 0 {
		extra = append(extra, options.Schema)
	}
	org, err := schema.Load(extra...)
	if err != nil {
		return nil, fmt.Errorf("loading the schema: %w", err)
	}
	s := &Simulator{
		log: options.Logger, options: options, now: options.Now,
		store:  records.New(records.Options{Schema: org, Dir: options.Dir, Now: options.Now}),
		tokens: session.New(options.Now),
		keys:   &session.Keys{},
		meter:  newMeter(options.Now),
		locks:  newLocks(),
		faults: misbehave.New(options.Now),
		finds:  newCursors(options.Now),
	}
	if _, err := s.keys.Add(options.JWTKeys...); err != nil {
		return nil, fmt.Errorf("trusting the keys: %w", err)
	}
	receivers := make([]hooks.Receiver, len(options.Hooks))
	for i, hook := range options.Hooks {
		receivers[i] = hooks.Receiver(hook)
	}
	s.hooks = hooks.New(hooks.Options{Receivers: receivers, Now: options.Now, Logger: options.Logger})
	s.jobs = bulk.New(bulk.Options{Dir: options.Dir, Now: options.Now, Runner: (*bulkRunner)(s), Logger: options.Logger})
	return s, nil
}

// Open loads the directory, when there is one, and makes sure that the org has
// its own record and a user. With Options.Sample it fills an empty org.
func (s *Simulator) Open(ctx context.Context) error {
	if err := s.store.Open(); err != nil {
		return err
	}
	if err := s.restoreCounters(); err != nil {
		return err
	}
	if err := s.jobs.Open(); err != nil {
		return fmt.Errorf("opening the bulk jobs: %w", err)
	}
	if err := s.store.Write(s.found); err != nil {
		return fmt.Errorf("founding the org: %w", err)
	}
	if !s.options.Sample {
		return nil
	}
	seeder := s.seeder()
	if s.options.Pictures != "" {
		seeder.Pictures = s.options.Pictures + pictures
	}
	return seeder.Sample(ctx)
}

func (s *Simulator) restoreCounters() error {
	if s.options.Dir == "" {
		return nil
	}
	err := s.meter.restore(s.options.Dir)
	if errors.Is(err, tally.ErrDamaged) {
		s.log.Error("reading the counters", "dir", s.options.Dir, "error", err)
		return nil
	}
	return err
}

func (s *Simulator) keepCounters() error {
	if s.options.Dir == "" {
		return nil
	}
	return s.meter.keep(s.options.Dir)
}

// found creates the organization and the integration user.
func (s *Simulator) found(tx *records.Tx) error {
	if tx.Organization() != "" {
		return nil
	}
	make := func(object string, values map[string]string) error {
		o := tx.Schema().Object(object)
		w := records.Write{Op: records.Create, Object: o, Trusted: true}
		for name, value := range values {
			w.Sets = append(w.Sets, records.Set{Field: o.Field(name), Value: value})
		}
		if result := tx.Apply([]records.Write{w}, true)[0]; !result.OK() {
			return result.Faults[0]
		}
		return nil
	}
	if err := make("Organization", map[string]string{"Name": "Turnout Simulator", "OrganizationType": "Enterprise Edition",
		"InstanceName": "SIM1", "LanguageLocaleKey": "en_US", "TimeZoneSidKey": "Europe/Vienna"}); err != nil {
		return err
	}
	return make("User", map[string]string{"Username": "integration@simulator.example.com", "FirstName": "Integration", "LastName": "User",
		"Email": "integration@simulator.example.com", "UserType": "Standard", "TimeZoneSidKey": "Europe/Vienna",
		"LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US", "ProfileId": "00eSm0000000001"})
}

// Run sends hooks, works on bulk jobs, writes the counters down every second
// and keeps the journal short until its context ends.
func (s *Simulator) Run(ctx context.Context) error {
	var group sync.WaitGroup
	group.Go(func() { s.hooks.Run(ctx) })
	group.Go(func() { s.jobs.Run(ctx) })
	compact := time.NewTicker(time.Minute)
	defer compact.Stop()
	count := time.NewTicker(time.Second)
	defer count.Stop()
	for {
		select {
		case <-ctx.Done():
			group.Wait()
			return nil
		case <-count.C:
			if err := s.keepCounters(); err != nil {
				s.log.Error("writing the counters down", "error", err)
			}
		case <-compact.C:
			if err := s.store.Compact(); err != nil {
				s.log.Error("compacting the journal", "error", err)
			}
		}
	}
}

// Close writes a snapshot when there is a directory. It may be called twice.
func (s *Simulator) Close() error {
	s.closing.Do(func() { s.closed = errors.Join(s.keepCounters(), s.store.Close()) })
	return s.closed
}

// Handler serves the API under /services/ and /id/, the control port under
// /_sim/ and the pages at /.
func (s *Simulator) Handler() http.Handler {
	protect := http.NewCrossOriginProtection()
	control := protect.Handler(s.controlHandler())
	pages := protect.Handler(s.pageHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		segments := split(r.URL)
		switch {
		case len(segments) > 0 && (segments[0] == "services" || segments[0] == "id"):
			s.serveAPI(w, r, segments)
		case len(segments) > 0 && segments[0] == "_sim":
			control.ServeHTTP(w, r)
		default:
			pages.ServeHTTP(w, r)
		}
	})
}
