package seed

import (
	"strconv"
	"time"

	"github.com/turnout-events/turnout/internal/simulator/records"
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// open lists the published events that take registrations now and have a seat
// of their own free: a link to another one would show a person a closed door.
// Seats of tickets are not looked at.
func open(v records.View, now time.Time) []Event {
	table := v.Table(v.Schema().Object("Turnout_Event__c"))
	var list []Event
	for pos := range table.Len() {
		row := table.At(uint32(pos))
		value := func(field string) string { return v.Value(table, row, table.Object.Field(field)) }
		if row.Deleted || value("Status__c") != "Published" || !takes(value, records.FormatTime(now.UnixMilli())) {
			continue
		}
		if seats, err := strconv.ParseFloat(value("Seats__c"), 64); err == nil && taken(v, table.ID(row)) >= seats {
			continue
		}
		list = append(list, Event{ID: table.ID(row), Slug: value("Slug__c")})
	}
	return list
}

// takes reports whether registration has opened and not closed: it closes when
// the event starts, unless the event says otherwise. Date-times in canonical
// form compare as text.
func takes(value func(string) string, now string) bool {
	closes := value("Registration_Closes_At__c")
	if closes == "" {
		closes = value("Starts_At__c")
	}
	over := value("Ends_At__c")
	return value("Registration_Opens_At__c") <= now && (closes == "" || now < closes) && (over == "" || now < over)
}

// taken counts the seats of an event that people hold, their guests included.
func taken(v records.View, event string) float64 {
	table := v.Table(v.Schema().Object("Turnout_Registration__c"))
	field := func(name string) *schema.Field { return table.Object.Field(name) }
	seats := 0.0
	for _, pos := range table.Find(field("Event__c"), event) {
		row := table.At(pos)
		switch v.Value(table, row, field("Status__c")) {
		case "Waitlisted", "Cancelled", "Declined":
			continue
		}
		guests, _ := strconv.ParseFloat(v.Value(table, row, field("Guest_Count__c")), 64) // none when it is empty
		seats += 1 + guests
	}
	return seats
}
