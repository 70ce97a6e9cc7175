package simulator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/misbehave"
	"github.com/turnout-events/turnout/internal/simulator/page"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// person is the simulator as its pages see it.
type person Simulator

func (s *Simulator) pageHandler() http.Handler {
	handler, err := page.New(page.Options{Store: s.store, Org: (*person)(s), Faults: (*person)(s), Hooks: s.hooks, Now: s.now, Logger: s.log})
	if err != nil { // the templates are part of the program
		s.log.Error("reading the page templates", "error", err)
		return http.NotFoundHandler()
	}
	return handler
}

// Numbers are the counters, the most frequent call first.
func (p *person) Numbers() page.Numbers {
	s := (*Simulator)(p)
	stats, faults := s.meter.stats(), s.faults.Current()
	out := page.Numbers{Usage: stats.APIUsage, Limit: faults.Limit(), Duplicates: stats.Duplicates, MaxPerParent: stats.MaxPerLock}
	for name, n := range stats.Calls {
		out.Calls = append(out.Calls, page.Count{Name: name, N: n})
	}
	slices.SortFunc(out.Calls, func(a, b page.Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return out
}

// Press does what the button of an event does.
func (p *person) Press(event, action string) (string, error) {
	return (*Simulator)(p).PressButton(event, action)
}

// Change edits a record by hand. Attendees' changes send a hint, as the
// package's trigger would.
func (p *person) Change(id string, values map[string]string) error {
	var object *schema.Object
	err := p.store.Write(func(tx *records.Tx) error {
		table, row := tx.ByID(id)
		if row == nil || table.Object.ReadOnly {
			return errors.New("this record cannot be changed")
		}
		object = table.Object
		w, errs := written(object, id, values)
		if errs != nil {
			return errs
		}
		if result := tx.Apply([]records.Write{w}, true)[0]; !result.OK() {
			return refused(result)
		}
		return nil
	})
	if err != nil {
		return err
	}
	switch object.Name {
	case "CampaignMember", "Turnout_Registration__c", "Turnout_Link__c":
		p.hooks.Send(hooks.Hint{Type: "attendee.changed", IDs: []string{records.Long(id)}})
	}
	return nil
}

// written is what a person typed as a write, or what is wrong with it.
func written(object *schema.Object, id string, values map[string]string) (records.Write, error) {
	w := records.Write{Op: records.Update, Object: object, ID: id}
	var errs page.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(values)) {
		field := object.Field(name)
		if field == nil {
			return w, fmt.Errorf("there is no field %s", name)
		}
		value, fault := records.Canonical(field, values[name])
		if fault != nil {
			errs = append(errs, page.FieldError{Field: name, Message: field.Label + ": " + shape(field)})
			continue
		}
		w.Sets = append(w.Sets, records.Set{Field: field, Value: value})
	}
	if errs != nil {
		return w, errs
	}
	return w, nil
}

// shape says what to write into a field that did not take what was typed.
func shape(field *schema.Field) string {
	switch field.Type {
	case schema.Double, schema.Int:
		return "write a number, like 12 or 12.5"
	case schema.Date:
		return "write a date, like 2027-03-01"
	case schema.DateTime:
		return "write a date and time in UTC, like 2027-03-01T15:00:00Z"
	case schema.Boolean:
		return "choose true or false"
	}
	return "write something else"
}

// refused is what a write failed of, in the org's own words.
func refused(result records.Result) error {
	var errs page.FieldErrors
	for _, fault := range result.Faults {
		one := page.FieldError{Message: fault.Message}
		if len(fault.Fields) > 0 {
			one.Field = fault.Fields[0]
		}
		errs = append(errs, one)
	}
	return errs
}

// Forget reports a person and what belongs to them: a contact or lead with
// their links and memberships, or a link with its person.
func (p *person) Forget(id string) error {
	var ids []string
	p.store.Read(func(v records.View) { ids = belonging(v, id) })
	if ids == nil {
		return errors.New("only a contact, a lead or a link is a person")
	}
	p.hooks.Send(hooks.Hint{Type: "person.forgotten", IDs: ids})
	return nil
}

func belonging(v records.View, id string) []string {
	table, row := v.ByID(id)
	if row == nil {
		return nil
	}
	ids := []string{table.ID(row)}
	switch table.Object.Name {
	case "Turnout_Link__c":
		for _, name := range [...]string{"Contact__c", "Lead__c"} {
			if person := v.Value(table, row, table.Object.Field(name)); person != "" {
				ids = append(ids, person)
			}
		}
	case "Contact", "Lead":
	default:
		return nil
	}
	for _, child := range table.Object.Children {
		if table.Object.Name == "Turnout_Link__c" || child.Object.Name == "CampaignMember" || child.Object.Name == "Turnout_Link__c" {
			children := v.Table(child.Object)
			for _, pos := range children.Find(child.Field, ids[0]) {
				ids = append(ids, children.ID(children.At(pos)))
			}
		}
	}
	return ids
}

// FaultsJSON is the present misbehaviour as the control port shows it.
func (p *person) FaultsJSON() string {
	text, err := json.Marshal(p.faults.Current())
	if err != nil {
		return "{}"
	}
	return string(text)
}

// SetFaultsJSON sets it from the control port's form.
func (p *person) SetFaultsJSON(text string) error {
	f, err := misbehave.Parse([]byte(text), p.store.Schema())
	if err != nil {
		return err
	}
	(*Simulator)(p).SetFaults(f)
	return nil
}
