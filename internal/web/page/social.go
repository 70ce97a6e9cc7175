package page

import (
	"time"

	"github.com/turnout-events/turnout"
)

// Structured data after schema.org/Event, as far as search engines read it.
type (
	linkedEvent struct {
		Context     string         `json:"@context"`
		Type        string         `json:"@type"`
		Name        string         `json:"name"`
		Description string         `json:"description,omitempty"`
		Start       string         `json:"startDate"`
		End         string         `json:"endDate,omitempty"`
		Status      string         `json:"eventStatus"`
		Mode        string         `json:"eventAttendanceMode"`
		URL         string         `json:"url"`
		Image       []string       `json:"image,omitempty"`
		Location    linkedPlace    `json:"location"`
		Organizer   *linkedCompany `json:"organizer,omitempty"`
		Offers      *linkedOffer   `json:"offers,omitempty"`
	}
	linkedPlace struct {
		Type    string `json:"@type"`
		Name    string `json:"name,omitempty"`
		Address string `json:"address,omitempty"`
		URL     string `json:"url,omitempty"`
	}
	linkedCompany struct {
		Type string `json:"@type"`
		Name string `json:"name"`
	}
	linkedOffer struct {
		Type         string `json:"@type"`
		URL          string `json:"url"`
		Availability string `json:"availability"`
	}
)

func (p *Edition) social(org *turnout.Org, e *turnout.Event, seats turnout.Seatings, phase turnout.Phase) *social {
	origin := p.origin(org)
	url := origin + EventPath(e)
	s := &social{Title: e.Title, About: e.Summary, URL: url, Site: org.Name}
	data := linkedEvent{
		Context: "https://schema.org", Type: "Event", Name: e.Title, Description: e.Summary, URL: url,
		Start: e.Starts.In(p.zones.of(e)).Format(time.RFC3339), Status: "https://schema.org/EventScheduled",
		Mode:     "https://schema.org/OfflineEventAttendanceMode",
		Location: linkedPlace{Type: "Place", Name: e.Venue, Address: e.Address},
	}
	if !e.Ends.IsZero() {
		data.End = e.Ends.In(p.zones.of(e)).Format(time.RFC3339)
	}
	if path := e.Picture.Path(1600); path != "" {
		s.Image = origin + path
		data.Image = []string{s.Image}
	}
	if e.Online && place(e) == "" {
		data.Mode = "https://schema.org/OnlineEventAttendanceMode"
		data.Location = linkedPlace{Type: "VirtualLocation", URL: url}
	} else if e.Online {
		data.Mode = "https://schema.org/MixedEventAttendanceMode"
	}
	if e.Organizer != "" {
		data.Organizer = &linkedCompany{Type: "Organization", Name: e.Organizer}
	}
	if phase == turnout.PhaseOpen {
		data.Offers = &linkedOffer{Type: "Offer", URL: url + "/register", Availability: "https://schema.org/InStock"}
		if Full(e, seats) {
			data.Offers.Availability = "https://schema.org/SoldOut"
		}
	}
	s.Data = data
	return s
}
