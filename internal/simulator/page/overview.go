package page

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// maxEvents bounds the events on the overview; the rest is on the object's page.
const maxEvents = 30

type overview struct {
	frame
	Numbers Numbers
	Percent int
	Events  []event
	More    bool
	Groups  []objectGroup
	Faults  faultView
	Hooks   []hookView
}

type event struct {
	ID, Name, Slug, Status, Starts, Where, Accent string
	Live                                          bool
}

type objectGroup struct {
	Title   string
	Objects []objectCount
}

type objectCount struct {
	Name, Label string
	Records     int
}

type hookView struct {
	At, Type, IDs, URL, Outcome string
	Good, Waiting               bool
}

func (p *pages) overview(w http.ResponseWriter, _ *http.Request) {
	p.showOverview(w, http.StatusOK, readFaults(p.Faults.FaultsJSON()))
}

func (p *pages) showOverview(w http.ResponseWriter, status int, faults faultView) {
	view := overview{frame: frame{Title: "Overview", Errors: faults.Errors}, Numbers: p.Org.Numbers(), Faults: faults}
	view.Percent = min(100, view.Numbers.Usage*100/max(1, view.Numbers.Limit))
	p.Store.Read(func(v records.View) {
		view.Events, view.More = events(v)
		view.Groups = groups(v)
	})
	for _, d := range p.Hooks.Log()[:min(20, len(p.Hooks.Log()))] {
		view.Hooks = append(view.Hooks, hookRow(d))
	}
	p.render(w, status, "overview.html", view)
}

func hookRow(d hooks.Delivery) hookView {
	h := hookView{At: d.At.UTC().Format("15:04:05"), Type: d.Hint.Type, IDs: strings.Join(d.Hint.IDs, ", "), URL: d.URL}
	switch {
	case d.Attempts == 0 && !d.Done:
		h.Outcome, h.Waiting = "waiting", true
	case !d.Done:
		h.Outcome, h.Waiting = fmt.Sprintf("trying again, attempt %d", d.Attempts), true
	case d.Error != "":
		h.Outcome = "lost after " + strconv.Itoa(d.Attempts) + " attempts"
	default:
		h.Outcome, h.Good = "answered "+strconv.Itoa(d.Status), d.Status < 300
	}
	return h
}

func groups(v records.View) []objectGroup {
	turnout, standard := objectGroup{Title: "Turnout package"}, objectGroup{Title: "Standard objects"}
	other := objectGroup{Title: "Other objects"}
	for _, object := range v.Schema().Objects() {
		c := objectCount{object.Name, object.Label, v.Table(object).Live()}
		switch {
		case strings.HasPrefix(object.Name, "Turnout_"):
			turnout.Objects = append(turnout.Objects, c)
		case object.Custom():
			other.Objects = append(other.Objects, c)
		default:
			standard.Objects = append(standard.Objects, c)
		}
	}
	all := []objectGroup{turnout, standard}
	if len(other.Objects) > 0 {
		all = append(all, other)
	}
	return all
}

// events lists Turnout events, then the campaigns that have a slug.
func events(v records.View) (list []event, more bool) {
	for _, of := range [...][6]string{
		{"Turnout_Event__c", "Slug__c", "Starts_At__c", "Time_Zone__c", "Venue__c", "Accent__c"},
		{"Campaign", "Turnout_Slug__c", "Turnout_Starts_At__c", "Turnout_Time_Zone__c", "Turnout_Venue__c", "Turnout_Accent__c"},
	} {
		table := v.Table(v.Schema().Object(of[0]))
		get := func(row *records.Row, name string) string {
			if field := table.Object.Field(name); field != nil {
				return v.Value(table, row, field)
			}
			return ""
		}
		for pos := range table.Len() {
			row := table.At(uint32(pos))
			if row.Deleted || get(row, of[1]) == "" {
				continue
			}
			if len(list) == maxEvents {
				return list, true
			}
			e := event{ID: table.ID(row), Name: get(row, "Name"), Slug: get(row, of[1]), Status: get(row, "Status__c"),
				Starts: localTime(get(row, of[2]), get(row, of[3])), Where: get(row, of[4]), Accent: get(row, of[5])}
			if of[0] == "Campaign" {
				e.Status = map[string]string{"true": "Published", "false": "Unpublished"}[get(row, "Turnout_Published__c")]
			}
			if e.Where == "" && (get(row, "Online__c") == "true" || get(row, "Turnout_Online__c") == "true") {
				e.Where = "Online"
			}
			e.Live = e.Status == "Published"
			list = append(list, e)
		}
	}
	return list, false
}

func localTime(value, zone string) string {
	at, err := time.Parse("2006-01-02T15:04:05.000Z", value)
	if err != nil {
		return ""
	}
	if loc, err := time.LoadLocation(zone); err == nil {
		at = at.In(loc)
	}
	return at.Format("Mon 2 Jan 2006, 15:04")
}

// columnsOf are the fields of an object's list: the name and the most telling ones.
func columnsOf(object *schema.Object) []*schema.Field {
	columns := []*schema.Field{}
	if object.Field("Name") != nil {
		columns = append(columns, object.Field("Name"))
	}
	for _, field := range object.Fields {
		if len(columns) == 7 {
			break
		}
		if field.Index < 0 || field.LongTxt || field.Name == "OwnerId" || field.Name == "Name" {
			continue
		}
		columns = append(columns, field)
	}
	return append(columns, object.Field("LastModifiedDate"))
}
