package mirror

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

// salesforce is one org's Salesforce in memory.
type salesforce struct {
	mu                sync.Mutex
	events            map[turnout.EventID]turnout.EventCopy
	links             map[string]turnout.LinkCopy // by record id
	registrationsPage int                         // copies in a list, 1 if unsaid
	registrations     []turnout.RegistrationCopy
	hands             []turnout.HandCount
	people            map[string]string // record id to e-mail address
	err               error             // what every call answers
	calls             map[string]int
	asked             map[string]int // ids over all calls of an operation
	chunk             int            // links per list, 0 means all
	afterChunk        func(n int) error
	hang              chan struct{}              // calls wait until it is closed
	bulk              bool                       // links come from a job, with places
	job               int                        // its number, a new one without a place of it
	places            []string                   // that LinksSince was given
	yielded           int                        // links, as often as they were
	notes             map[turnout.EventID]string // nil where records have no field for them
	refuseNotes       error                      // what NoteEvents answers
	noteHangs         chan struct{}              // NoteEvents waits until it is closed
	rule              func(string) string        // what the org makes of a note, nil for itself
}

func newSalesforce() *salesforce {
	return &salesforce{events: map[turnout.EventID]turnout.EventCopy{}, links: map[string]turnout.LinkCopy{},
		people: map[string]string{}, calls: map[string]int{}, asked: map[string]int{}}
}

func (s *salesforce) call(name string, ids int) error {
	s.mu.Lock()
	s.calls[name]++
	s.asked[name] += ids
	err, hang := s.err, s.hang
	s.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return err
}

func (s *salesforce) called(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[name]
}

func (s *salesforce) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, calls := range s.calls {
		n += calls
	}
	return n
}

func (s *salesforce) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *salesforce) Events(_ context.Context, ids []turnout.EventID) ([]turnout.EventCopy, error) {
	if err := s.call("Events", len(ids)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []turnout.EventCopy
	for _, id := range ids {
		c := s.events[id]
		c.ID = id
		out = append(out, s.noted(c))
	}
	return out, nil
}

func (s *salesforce) EventsSince(_ context.Context, since time.Time) ([]turnout.EventCopy, time.Time, error) {
	if err := s.call("EventsSince", 0); err != nil {
		return nil, since, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []turnout.EventCopy
	next := since
	for _, id := range slices.Sorted(maps.Keys(s.events)) {
		if c := s.events[id]; !c.Modified.Before(since) {
			out = append(out, s.noted(c))
			next = latest(next, c.Modified)
		}
	}
	return out, next, nil
}

func (s *salesforce) noted(c turnout.EventCopy) turnout.EventCopy {
	if note := s.notes[c.ID]; s.notes != nil {
		c.Note = &note
	}
	return c
}

// NoteEvents changes records, as any change does.
func (s *salesforce) NoteEvents(_ context.Context, notes map[turnout.EventID]string) error {
	if err := s.call("NoteEvents", len(notes)); err != nil {
		return err
	}
	if s.noteHangs != nil {
		<-s.noteHangs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuseNotes != nil {
		return s.refuseNotes
	}
	if s.rule == nil {
		s.rule = func(note string) string { return note }
	}
	for id, note := range notes {
		c := s.events[id]
		c.Modified = stamp()
		s.events[id], s.notes[id] = c, s.rule(note)
	}
	return nil
}

func (s *salesforce) note(id turnout.EventID) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.notes[id]
}

func (s *salesforce) LinksSince(_ context.Context, since time.Time, place string, yield func(turnout.LinkPart) error) (time.Time, error) {
	if err := s.call("LinksSince", 0); err != nil {
		return since, err
	}
	s.mu.Lock()
	var out []turnout.LinkCopy
	next := since
	for _, id := range slices.Sorted(maps.Keys(s.links)) {
		if c := s.links[id]; !c.Modified.Before(since) {
			out = append(out, c)
			next = latest(next, c.Modified)
		}
	}
	size, after, total := s.chunk, s.afterChunk, 0
	s.places = append(s.places, place)
	var job, done int
	if s.bulk {
		total = len(out)
		if n, _ := fmt.Sscanf(place, "job %d after %d", &job, &done); n != 2 || job != s.job {
			s.job++
			done = 0
		}
		job, out = s.job, out[done:]
	}
	s.mu.Unlock()
	if size == 0 {
		size = max(1, len(out))
	}
	n := 0
	for chunk := range slices.Chunk(out, size) {
		part := turnout.LinkPart{Links: chunk}
		if total > 0 {
			done += len(chunk)
			part.Done, part.Total, part.Place = done, total, fmt.Sprintf("job %d after %d", job, done)
		}
		s.yielded += len(chunk)
		if err := yield(part); err != nil {
			return since, err
		}
		if n++; after != nil {
			if err := after(n); err != nil {
				return since, err
			}
		}
	}
	return next, nil
}

func (s *salesforce) LinkRecords(_ context.Context, ids []string) ([]turnout.LinkCopy, error) {
	if err := s.call("LinkRecords", len(ids)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []turnout.LinkCopy
	for _, id := range ids {
		if c, ok := s.links[id]; ok {
			out = append(out, c)
		}
	}
	return out, nil
}

func (s *salesforce) RegistrationsSince(_ context.Context, since time.Time, yield func([]turnout.RegistrationCopy) error) (time.Time, error) {
	if err := s.call("RegistrationsSince", 0); err != nil {
		return since, err
	}
	s.mu.Lock()
	next := since
	var out []turnout.RegistrationCopy
	for _, c := range s.registrations {
		if !c.Modified.Before(since) {
			out = append(out, c)
			next = latest(next, c.Modified)
		}
	}
	s.mu.Unlock()
	for page := range slices.Chunk(out, max(1, s.registrationsPage)) {
		if err := yield(page); err != nil {
			return since, err
		}
	}
	return next, nil
}

func (s *salesforce) Registrations(_ context.Context, ids []string) ([]turnout.RegistrationCopy, error) {
	if err := s.call("Registrations", len(ids)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.registrations), func(c turnout.RegistrationCopy) bool { return !slices.Contains(ids, c.Record) }), nil
}

func (s *salesforce) HandCounts(_ context.Context, events []turnout.EventID) ([]turnout.HandCount, error) {
	if err := s.call("HandCounts", len(events)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hands), nil
}

func (s *salesforce) People(_ context.Context, ids []string) (map[string][]string, error) {
	if err := s.call("People", len(ids)); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	emails := map[string][]string{}
	for _, id := range ids {
		if e, ok := s.people[id]; ok {
			emails[id] = []string{e}
		}
	}
	return emails, nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// publish does what the button does.
func (s *salesforce) publish(n int, title string) turnout.EventID {
	e := event(n, title)
	s.set(turnout.EventCopy{ID: e.ID, Event: &e, Modified: stamp()})
	return e.ID
}

func (s *salesforce) unpublish(n int) { s.set(turnout.EventCopy{ID: eventID(n), Modified: stamp()}) }

func (s *salesforce) set(c turnout.EventCopy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events[c.ID] = c
}

// stamp is SystemModstamp: seconds.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Second) }

func eventID(n int) turnout.EventID { return turnout.EventID(fmt.Sprintf("a0E%012dAAA", n)) }

func event(n int, title string) turnout.Event {
	return turnout.Event{ID: eventID(n), Slug: fmt.Sprintf("event-%d", n), Title: title, Starts: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
		Zone: "Europe/Vienna", Seats: 10, Tickets: []turnout.Ticket{{ID: "t", Name: "Ticket", Seats: turnout.Unlimited}}}
}

func linkRecord(n int) string { return fmt.Sprintf("a0L%012dAAA", n) }

func linkCopy(n int) turnout.LinkCopy {
	return turnout.LinkCopy{Token: fmt.Sprintf("token-%08d", n), Event: eventID(1), Modified: stamp(), Invite: turnout.Invite{Record: linkRecord(n),
		Person: turnout.Person{Email: fmt.Sprintf("Visitor%d@Example.com", n), FirstName: "Visitor", LastName: fmt.Sprint("Number ", n), Title: "Tester", Company: "Example Ltd"}}}
}

func (s *salesforce) invite(c turnout.LinkCopy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links[c.Invite.Record] = c
}

// house is store and cache in memory, shared by the mirrors of a test.
type house struct {
	t testing.TB

	mu         sync.Mutex
	orgs       []turnout.Org
	events     map[turnout.EventID]SealedEvent
	links      map[turnout.LinkID]turnout.AttendeeLink
	cursors    map[string]time.Time
	places     map[string]string
	fetched    map[turnout.EventID]time.Time
	faults     map[turnout.EventID][]byte
	ledgers    map[turnout.EventID]turnout.Ledger
	outside    map[turnout.EventID]int
	feed       []turnout.Change
	keys       map[turnout.PersonID][]byte
	tombstones map[turnout.PersonID]bool
	regs       map[turnout.Key]turnout.Registration
	revisions  []turnout.Revision
	resent     []turnout.Key
	// lookups are when standings were asked for, each of which takes slow; alone counts
	// registrations that were asked for by themselves.
	lookups []time.Time
	slow    time.Duration
	alone   int

	linksWritten int
	removed      map[turnout.LinkID]time.Time
	conflicts    int // how many revisions are refused first
	turns        map[string]fakeTurn
	forgotten    []string
	errands      []string
	order        []string // of writes
	failFeed     int      // how many appends fail first
	orgKeys      []seal.StoredKey
	master       string
	log          journal
}

func newHouse(t testing.TB) *house {
	return &house{t: t, orgs: []turnout.Org{{ID: "acme"}}, events: map[turnout.EventID]SealedEvent{}, links: map[turnout.LinkID]turnout.AttendeeLink{},
		removed: map[turnout.LinkID]time.Time{}, turns: map[string]fakeTurn{},
		cursors: map[string]time.Time{}, places: map[string]string{}, fetched: map[turnout.EventID]time.Time{}, faults: map[turnout.EventID][]byte{}, ledgers: map[turnout.EventID]turnout.Ledger{}, outside: map[turnout.EventID]int{}, keys: map[turnout.PersonID][]byte{},
		tombstones: map[turnout.PersonID]bool{}, regs: map[turnout.Key]turnout.Registration{}, master: seal.NewMasterLine()}
}

func (h *house) keyring() *seal.Keyring {
	return seal.NewKeyring(h, func() (seal.Master, error) { return seal.ParseMaster(h.master) })
}

func (h *house) lock() func() { h.mu.Lock(); return h.mu.Unlock }

func (h *house) OrgKeys(_ context.Context, scope string) ([]seal.StoredKey, error) {
	defer h.lock()()
	return slices.DeleteFunc(slices.Clone(h.orgKeys), func(k seal.StoredKey) bool { return k.Scope != scope }), nil
}

func (h *house) AddOrgKeys(ctx context.Context, keys []seal.StoredKey) ([]seal.StoredKey, error) {
	h.mu.Lock()
	h.orgKeys = append(h.orgKeys, keys...)
	h.mu.Unlock()
	return h.OrgKeys(ctx, keys[0].Scope)
}

func (h *house) ReplaceOrgKeys(context.Context, []seal.StoredKey) error { return nil }

func (h *house) Orgs(context.Context) ([]turnout.Org, error) {
	defer h.lock()()
	return slices.Clone(h.orgs), nil
}

func (h *house) PutEvent(_ context.Context, _ turnout.OrgID, id turnout.EventID, slug string, sealed []byte, modified time.Time) error {
	defer h.lock()()
	h.order = append(h.order, "cache")
	if old, ok := h.events[id]; !ok || !modified.Before(old.Modified) {
		h.events[id] = SealedEvent{ID: id, Slug: slug, Sealed: sealed, Modified: modified}
	}
	return nil
}

func (h *house) DeleteEvent(_ context.Context, _ turnout.OrgID, id turnout.EventID) error {
	defer h.lock()()
	h.order = append(h.order, "cache")
	delete(h.events, id)
	return nil
}

func (h *house) Events(context.Context, turnout.OrgID) ([]SealedEvent, error) {
	defer h.lock()()
	return slices.Collect(maps.Values(h.events)), nil
}

func (h *house) PutFault(_ context.Context, _ turnout.OrgID, id turnout.EventID, sealed []byte) error {
	defer h.lock()()
	h.faults[id] = sealed
	return nil
}

func (h *house) DeleteFault(_ context.Context, _ turnout.OrgID, id turnout.EventID) error {
	defer h.lock()()
	delete(h.faults, id)
	return nil
}

func (h *house) Faults(context.Context, turnout.OrgID) (map[turnout.EventID][]byte, error) {
	defer h.lock()()
	return maps.Clone(h.faults), nil
}

// told are the faults that a mirror tells.
func told(t *testing.T, m *Mirror) []Fault {
	t.Helper()
	faults, err := m.Faults(t.Context(), "acme")
	must(t, err)
	return faults
}

func (h *house) NoteFetched(_ context.Context, _ turnout.OrgID, ids []turnout.EventID, at time.Time) error {
	defer h.lock()()
	for _, id := range ids {
		h.fetched[id] = at
	}
	return nil
}

func (h *house) PutLinks(_ context.Context, links []turnout.AttendeeLink) error {
	defer h.lock()()
	h.linksWritten += len(links)
	for _, l := range links {
		if at, ok := h.removed[l.ID]; ok && !l.Changed.After(at) {
			continue
		}
		if old, ok := h.links[l.ID]; !ok || !l.Changed.Before(old.Changed) {
			h.links[l.ID] = l
		}
	}
	return nil
}

func (h *house) DeleteLinks(_ context.Context, links []turnout.AttendeeLink) error {
	defer h.lock()()
	for _, l := range links {
		if old, ok := h.links[l.ID]; !ok || !old.Changed.After(l.Changed) {
			delete(h.links, l.ID)
			h.removed[l.ID] = l.Changed
		}
	}
	return nil
}

func (h *house) Cursor(_ context.Context, _ turnout.OrgID, name string) (time.Time, error) {
	defer h.lock()()
	return h.cursors[name], nil
}

func (h *house) SetCursor(_ context.Context, _ turnout.OrgID, name string, from, to time.Time) (bool, error) {
	defer h.lock()()
	if !h.cursors[name].Equal(from) {
		return false, nil
	}
	h.cursors[name] = to
	return true, nil
}

func (h *house) Place(_ context.Context, _ turnout.OrgID, name string) (string, error) {
	defer h.lock()()
	return h.places[name], nil
}

func (h *house) SetPlace(_ context.Context, _ turnout.OrgID, name, place string) error {
	defer h.lock()()
	if place != "" {
		h.order = append(h.order, "place")
	}
	h.places[name] = place
	return nil
}

func (h *house) Resend(_ context.Context, _ turnout.OrgID, key turnout.Key, now time.Time) error {
	defer h.lock()()
	r := h.regs[key]
	r.Due = now
	h.regs[key] = r
	h.resent = append(h.resent, key)
	return nil
}

func (h *house) SetLedger(_ context.Context, l turnout.Ledger, _ time.Time) error {
	defer h.lock()()
	h.order = append(h.order, "ledger")
	h.ledgers[l.Event] = l
	return nil
}

func (h *house) CloseLedger(_ context.Context, _ turnout.OrgID, id turnout.EventID, _ time.Time) error {
	defer h.lock()()
	h.order = append(h.order, "ledger")
	delete(h.ledgers, id)
	return nil
}

func (h *house) SetOutside(_ context.Context, _ turnout.OrgID, counts []turnout.HandCount, events []turnout.EventID, _ time.Time) error {
	defer h.lock()()
	for _, id := range events {
		h.outside[id] = 0
	}
	for _, c := range counts {
		h.outside[c.Event] = c.Seats
	}
	return nil
}

func (h *house) AppendChanges(_ context.Context, changes []turnout.Change) error {
	defer h.lock()()
	if h.failFeed > 0 {
		h.failFeed--
		return turnout.Errorf(turnout.CodeUnavailable, "append changes", "")
	}
	h.order = append(h.order, "feed")
	h.feed = append(h.feed, changes...)
	return nil
}

func (h *house) EnsureDataKeys(_ context.Context, _ turnout.OrgID, keys []turnout.DataKey) ([]turnout.DataKey, error) {
	defer h.lock()()
	out := slices.Clone(keys)
	for i, k := range keys {
		switch {
		case h.tombstones[k.Person]:
			out[i].Wrapped = nil
		case h.keys[k.Person] != nil:
			out[i].Wrapped = h.keys[k.Person]
		default:
			h.keys[k.Person] = k.Wrapped
		}
	}
	return out, nil
}

func (h *house) Registration(_ context.Context, _ turnout.OrgID, key turnout.Key) (turnout.Registration, error) {
	defer h.lock()()
	h.alone++
	r, ok := h.regs[key]
	if !ok {
		return r, &turnout.Error{Code: turnout.CodeNotFound}
	}
	return r, nil
}

func (h *house) Standings(_ context.Context, _ turnout.OrgID, keys []turnout.Key) (found []turnout.Standing, err error) {
	<-time.After(h.slow) // before the lock: whoever waits for one keeps the bubble's clock from moving
	defer h.lock()()
	h.lookups = append(h.lookups, time.Now())
	for _, k := range keys {
		if r, ok := h.regs[k]; ok {
			found = append(found, r.Standing())
		}
	}
	return found, nil
}

func (h *house) Revise(_ context.Context, v turnout.Revision) (turnout.Registration, error) {
	defer h.lock()()
	r := h.regs[v.Key]
	if h.conflicts > 0 {
		h.conflicts--
		return r, &turnout.Error{Code: turnout.CodeConflict}
	}
	r.Status, r.Attendance = v.Status, v.Attendance
	h.regs[v.Key] = r
	h.revisions = append(h.revisions, v)
	return r, nil
}

type fakeTurn struct {
	owner string
	until time.Time
}

func (h *house) Turn(_ context.Context, _ turnout.OrgID, name, owner string, now time.Time, ttl time.Duration) (bool, error) {
	defer h.lock()()
	if t := h.turns[name]; t.owner != owner && t.until.After(now) {
		return false, nil
	}
	h.turns[name] = fakeTurn{owner, now.Add(ttl)}
	return true, nil
}

// journal is a log that several mirrors write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (h *house) Forget(_ context.Context, _ turnout.OrgID, email string) error {
	defer h.lock()()
	h.forgotten = append(h.forgotten, email)
	return nil
}

func (h *house) AddErrands(_ context.Context, _ turnout.OrgID, ids []string) error {
	defer h.lock()()
	h.errands = append(h.errands, ids...)
	return nil
}

func (h *house) Errands(context.Context, turnout.OrgID) ([]string, error) {
	defer h.lock()()
	return slices.Clone(h.errands), nil
}

func (h *house) DoneErrands(_ context.Context, _ turnout.OrgID, ids []string) error {
	defer h.lock()()
	h.errands = slices.DeleteFunc(h.errands, func(id string) bool { return slices.Contains(ids, id) })
	return nil
}

// changes counts the feed's entries of a kind.
func (h *house) changes(kind turnout.ChangeKind) (n int) {
	defer h.lock()()
	for _, c := range h.feed {
		if c.Kind == kind {
			n++
		}
	}
	return n
}

func (h *house) cached(id turnout.EventID) (SealedEvent, bool) {
	defer h.lock()()
	e, ok := h.events[id]
	return e, ok
}

// mirror makes a mirror of one Salesforce per org.
func (h *house) mirror(owner string, of map[turnout.OrgID]*salesforce) *Mirror {
	return New(Options{Orgs: h, Source: func(org turnout.OrgID) (Source, error) { return of[org], nil }, Events: h, Links: h, Cursors: h, Faults: h, Ledgers: h,
		Registrations: h, DataKeys: h, Feed: h, Turns: h, Errands: h, Keyring: h.keyring(), Forget: h.Forget, Owner: owner,
		Logger: slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
}

// running runs mirrors; the result ends them.
func running(t *testing.T, mirrors ...*Mirror) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	for _, m := range mirrors {
		go m.Run(ctx)
	}
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

// pass lets time pass; nothing sleeps inside a bubble. What the test read of
// the house before is ordered before what is written meanwhile.
func (h *house) pass(d time.Duration) {
	h.lock()()
	<-time.After(d)
	synctest.Wait()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
