package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"strconv"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/misbehave"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/scene"
	"github.com/turnout-events/turnout/internal/simulator/schema"
	"github.com/turnout-events/turnout/internal/simulator/seed"
	"github.com/turnout-events/turnout/internal/simulator/session"
)

// maxControlBody bounds a body of the control port, in bytes.
const maxControlBody = 1 << 20

// controlRoute is one thing that the control port does.
type controlRoute struct {
	Method string           `json:"method"`
	Path   string           `json:"path"`
	Does   string           `json:"does"`
	serve  http.HandlerFunc // answers it
}

func (s *Simulator) controlRoutes() []controlRoute {
	return []controlRoute{
		{"GET", "/_sim/stats", "what the org was asked and what it holds", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, s.Stats()) }},
		{"DELETE", "/_sim/stats", "zeroes the counters and the API usage", func(w http.ResponseWriter, _ *http.Request) {
			s.meter.reset()
			w.WriteHeader(http.StatusNoContent)
		}},
		{"GET", "/_sim/records/{object}", "records, by ?FIELD=value, limit and offset", s.controlRecords},
		{"GET", "/_sim/faults", "the misbehaviour of now", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, s.faults.Current()) }},
		{"PUT", "/_sim/faults", "sets it; {} heals", s.controlFaults},
		{"POST", "/_sim/faults", "the same as PUT", s.controlFaults},
		{"GET", "/_sim/hooks", "the latest hooks and what became of them", func(w http.ResponseWriter, _ *http.Request) { s.answer(w, http.StatusOK, s.hooks.Log()) }},
		{"POST", "/_sim/events/{id}/{action}", "presses publish, update or unpublish of an event, by record id, public id or slug", s.controlEvent},
		{"POST", "/_sim/seed", `makes {"events":N,"links":N}`, s.controlSeed},
		{"GET", pictures + "{slug}", "draws a picture of a sample event", s.controlPicture},
		{"PUT", "/_sim/keys", "trusts the public keys and certificates of a PEM body, for JWT bearer", s.controlKeys},
		{"POST", "/_sim/reset", "removes all records, heals all faults, zeroes the counters", s.controlReset},
	}
}

// controlHandler serves /_sim/: what tests ask of the simulator itself. None
// of it counts as API usage, and no fault applies to it.
func (s *Simulator) controlHandler() http.Handler {
	mux := http.NewServeMux()
	routes := s.controlRoutes()
	for _, route := range routes {
		mux.HandleFunc(route.Method+" "+route.Path, route.serve)
	}
	mux.HandleFunc("GET /_sim/{$}", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusOK, map[string]any{"routes": routes})
	})
	mux.HandleFunc("/_sim/", func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, http.StatusNotFound, fmt.Errorf("the control port does not do %s %s; GET /_sim/ lists what it does", r.Method, r.URL.Path))
	})
	return mux
}

func (s *Simulator) answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		s.log.Debug("the client of the control port went away", "error", err)
	}
}

// refuse answers a control call that cannot be done: {"error": what to do}.
func (s *Simulator) refuse(w http.ResponseWriter, status int, err error) {
	s.answer(w, status, map[string]string{"error": err.Error()})
}

// Stats is what the org was asked so far and what it holds.
func (s *Simulator) Stats() Stats {
	out := s.meter.stats()
	s.store.Read(func(v records.View) {
		for _, object := range s.store.Schema().Objects() {
			out.Records[object.Name] = v.Table(object).Live()
		}
	})
	return out
}

// SetFaults makes the org misbehave; the zero value heals it.
func (s *Simulator) SetFaults(f misbehave.Faults) {
	s.faults.Put(f)
	if f.ExpireTokens {
		s.tokens.Expire()
	}
}

func (s *Simulator) controlFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
		return
	}
	f, err := misbehave.Parse(body, s.store.Schema())
	if err != nil {
		s.refuse(w, http.StatusBadRequest, err)
		return
	}
	s.SetFaults(f)
	s.answer(w, http.StatusOK, s.faults.Current())
}

func (s *Simulator) controlRecords(w http.ResponseWriter, r *http.Request) {
	object := s.store.Schema().Object(r.PathValue("object"))
	if object == nil {
		s.refuse(w, http.StatusNotFound, fmt.Errorf("there is no object %q", r.PathValue("object")))
		return
	}
	limit, offset, filters, err := recordFilters(object, r)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, err)
		return
	}
	var body []byte
	s.store.Read(func(v records.View) { body = recordsJSON(v, v.Table(object), filters, limit, offset) })
	w.Header().Set("Content-Type", "application/json")
	s.wrote(w.Write(body))
}

func recordFilters(object *schema.Object, r *http.Request) (limit, offset int, filters map[*schema.Field]string, err error) {
	limit, filters = -1, map[*schema.Field]string{}
	for name, values := range r.URL.Query() {
		switch name {
		case "limit":
			limit, err = strconv.Atoi(values[0])
		case "offset":
			offset, err = strconv.Atoi(values[0])
		default:
			field := object.Field(name)
			if field == nil {
				return 0, 0, nil, fmt.Errorf("%s has no field %q; filter by a field, or use limit and offset", object.Name, name)
			}
			filters[field] = values[0]
		}
		if err != nil || offset < 0 {
			return 0, 0, nil, fmt.Errorf("%s must be a whole number", name)
		}
	}
	return limit, offset, filters, nil
}

// recordsJSON is an array of live records, the newest last.
func recordsJSON(v records.View, table *records.Table, filters map[*schema.Field]string, limit, offset int) []byte {
	b := []byte{'['}
	seen, written := 0, 0
	each(v, table, filters, func(row *records.Row) bool {
		if limit >= 0 && written >= limit {
			return false
		}
		if seen++; seen <= offset {
			return true
		}
		if written > 0 {
			b = append(b, ',')
		}
		b = appendRecord(b, v, table, row, table.Object.Fields, "/services/data/v"+strconv.Itoa(newestVersion)+".0")
		written++
		return true
	})
	return append(b, ']', '\n')
}

// each visits the live records that pass the filters, by an index if one fits.
func each(v records.View, table *records.Table, filters map[*schema.Field]string, visit func(*records.Row) bool) {
	passes := func(row *records.Row) bool {
		for field, want := range filters {
			if got := v.Value(table, row, field); got != want && records.Long(want) != got {
				return false
			}
		}
		return !row.Deleted
	}
	for field, want := range filters {
		if field.Index != schema.AtID && !field.Indexed() {
			continue
		}
		for _, pos := range table.Find(field, want) {
			if row := table.At(pos); passes(row) && !visit(row) {
				return
			}
		}
		return
	}
	for pos := range table.Len() {
		if row := table.At(uint32(pos)); passes(row) && !visit(row) {
			return
		}
	}
}

func (s *Simulator) controlEvent(w http.ResponseWriter, r *http.Request) {
	id, err := s.PressButton(r.PathValue("id"), r.PathValue("action"))
	switch {
	case errors.Is(err, errNoEvent):
		s.refuse(w, http.StatusNotFound, err)
	case err != nil:
		s.refuse(w, http.StatusBadRequest, err)
	default:
		s.answer(w, http.StatusOK, map[string]any{"id": id, "hooks": len(s.options.Hooks)})
	}
}

var errNoEvent = errors.New("there is no event with this id, public id or slug")

// PressButton does what Publish, Update and Unpublish do in the org: it changes
// the event's status, or touches it, and sends the hint. It returns the
// record's id.
func (s *Simulator) PressButton(event, action string) (string, error) {
	kinds := map[string]string{"publish": "event.published", "update": "event.updated", "unpublish": "event.unpublished"}
	kind, known := kinds[action]
	if !known {
		return "", fmt.Errorf("the buttons are publish, update and unpublish, not %q", action)
	}
	var id string
	err := s.store.Write(func(tx *records.Tx) error {
		table, row := findEvent(tx.View, event)
		if row == nil {
			return errNoEvent
		}
		id = table.ID(row)
		if action == "update" {
			tx.Touch(table, row)
			return nil
		}
		set := records.Set{Field: table.Object.Field("Turnout_Published__c"), Value: strconv.FormatBool(action == "publish")}
		if set.Field == nil {
			set = records.Set{Field: table.Object.Field("Status__c"), Value: map[bool]string{true: "Published", false: "Unpublished"}[action == "publish"]}
		}
		result := tx.Apply([]records.Write{{Op: records.Update, Object: table.Object, ID: id, Sets: []records.Set{set}}}, true)[0]
		if !result.OK() {
			return result.Faults[0]
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	s.hooks.Send(hooks.Hint{Type: kind, IDs: []string{id}})
	return id, nil
}

// findEvent finds an event or campaign by record id, public id or slug.
func findEvent(v records.View, event string) (*records.Table, *records.Row) {
	if table, row := v.ByID(event); row != nil && !row.Deleted && (table.Object.Name == "Turnout_Event__c" || table.Object.Name == "Campaign") {
		return table, row
	}
	for _, by := range [...][2]string{{"Turnout_Event__c", "Public_Id__c"}, {"Turnout_Event__c", "Slug__c"}, {"Campaign", "Turnout_Slug__c"}} {
		table := v.Table(v.Schema().Object(by[0]))
		if found := table.Find(table.Object.Field(by[1]), event); len(found) == 1 {
			return table, table.At(found[0])
		}
	}
	return nil, nil
}

func (s *Simulator) controlSeed(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Events int `json:"events"`
		Links  int `json:"links"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&ask); err != nil {
		s.refuse(w, http.StatusBadRequest, fmt.Errorf(`send {"events":N,"links":N}: %w`, err))
		return
	}
	seeded, err := s.seeder().Make(ask.Events, ask.Links)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, err)
		return
	}
	s.answer(w, http.StatusOK, seeded)
}

func (s *Simulator) seeder() *seed.Seeder {
	return &seed.Seeder{Store: s.store, Now: s.now, Hint: func(hint hooks.Hint) { s.hooks.Send(hint) }}
}

// pictures is where pictures of the sample's events are.
const pictures = "/_sim/pictures/"

// controlPicture draws a picture of one of the sample's events, as if its organiser had
// it on a site of their own.
func (s *Simulator) controlPicture(w http.ResponseWriter, r *http.Request) {
	img, ok := scene.Draw(r.PathValue("slug"))
	if !ok {
		s.refuse(w, http.StatusNotFound, errors.New("there is no picture of that event"))
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	if err := jpeg.Encode(w, img, &jpeg.Options{Quality: 90}); err != nil {
		s.log.Debug("simulator: a picture was not fetched to its end", "error", err)
	}
}

// controlKeys trusts more keys, as uploading a certificate to an app does.
func (s *Simulator) controlKeys(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxControlBody))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, fmt.Errorf("reading the body: %w", err))
		return
	}
	keys, err := session.ParseKeys(body)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, err)
		return
	}
	trusted, err := s.keys.Add(keys...)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, err)
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"added": len(keys), "trusted": trusted, "iss": s.options.ClientID})
}

// controlReset empties the org and heals it.
func (s *Simulator) controlReset(w http.ResponseWriter, _ *http.Request) {
	if err := s.Reset(); err != nil {
		s.refuse(w, http.StatusInternalServerError, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Reset removes every record, job and cursor, heals all faults and zeroes the
// counters. Sessions stay valid.
func (s *Simulator) Reset() error {
	s.finds.clear()
	if err := s.jobs.Reset(); err != nil {
		return fmt.Errorf("removing the bulk jobs: %w", err)
	}
	if err := s.store.Reset(); err != nil {
		return fmt.Errorf("removing the records: %w", err)
	}
	s.faults.Put(misbehave.Faults{})
	s.meter.reset()
	return s.store.Write(s.found)
}
