// Package turnout is the domain of Turnout: event registration for
// organisations that run on Salesforce.
//
// It holds the nouns (Org, Event, Ticket, AgendaItem, Form, Question,
// AttendeeLink, Registration), their states and the rules that connect them,
// and one closed set of error codes. It imports nothing but the standard
// library and does no I/O. Everything else in the module imports it, so what
// crosses a boundary between two parts is a type from here.
//
// Values are plain data: safe to share between goroutines as long as nobody
// changes them, which nobody does after they were built. Times are UTC.
package turnout

import (
	"regexp"
	"time"
)

// OrgID names a customer: a DNS label such as "acme". It is part of every
// sealed record's associated data, so an org is never renamed.
type OrgID string

// Org is a customer, which is one Salesforce org.
type Org struct {
	ID   OrgID  `json:"id"`
	Name string `json:"name"`
	// Hosts are the names its public pages answer on, lower case, without port.
	// ID + ".localhost" always works besides.
	Hosts []string `json:"hosts,omitempty"`
	// Origin is the absolute origin of its public pages, such as
	// "https://events.acme.example"; empty means https on the first of Hosts.
	Origin string `json:"origin,omitempty"`
	// EmbedOn are the origins, such as "https://www.acme.example", of the sites
	// that may show its event pages and forms in a frame; nil means none.
	EmbedOn []string `json:"embed_on,omitempty"`
	// Zone is the IANA zone of the org's own night, "UTC" if unsaid.
	Zone string `json:"zone,omitempty"`
	// Language is the BCP 47 tag of its pages, "en" if unsaid.
	Language string `json:"language,omitempty"`
	// Mapping names the object model: "turnout", "campaign" or a file.
	Mapping string `json:"mapping"`
	// Salesforce says how to reach the org. Secrets are sealed apart from it.
	Salesforce Connection `json:"salesforce"`
	// APIShare is the part of the daily API requests that Turnout may use, in
	// (0,1]; zero means 0.8.
	APIShare float64 `json:"api_share,omitempty"`
	// Retention is how long answers are kept after an event ended; zero means 30 days.
	Retention time.Duration `json:"retention,omitempty"`
	// Placement says where its visitors are served.
	Placement Placement `json:"placement,omitzero"`
	// Move is its part in a migration, nil for none. No file of an operator's says it.
	Move *Move `json:"move,omitempty"`
	// Secrets are never shown and never stored unsealed.
	Secrets Secrets `json:"-"`
}

// Connection says how Turnout signs in to an org.
type Connection struct {
	// LoginURL is the origin of the token endpoint.
	LoginURL string `json:"login_url"`
	// APIVersion is like "v65.0"; empty means that.
	APIVersion string `json:"api_version,omitempty"`
	// Flow is "client_credentials" or "jwt".
	Flow     string `json:"flow"`
	ClientID string `json:"client_id"`
	// Username is the integration user's, for the jwt flow.
	Username string `json:"username,omitempty"`
	// Audience is the aud claim of the jwt flow; empty means LoginURL.
	Audience string `json:"audience,omitempty"`
}

// Secrets of an org.
type Secrets struct {
	ClientSecret string `json:"client_secret,omitempty"`
	// PrivateKey is a PEM RSA key, for the jwt flow.
	PrivateKey string `json:"private_key,omitempty"`
	// HookSecrets sign hooks; two are valid while one is being replaced.
	HookSecrets []string `json:"hook_secrets,omitempty"`
}

var orgIDPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Valid reports whether id is a lower-case DNS label of at most 40 characters.
func (id OrgID) Valid() bool { return orgIDPattern.MatchString(string(id)) }

// KeepAnswers is how long answers are kept after an event ended.
func (o Org) KeepAnswers() time.Duration {
	if o.Retention > 0 {
		return o.Retention
	}
	return 30 * 24 * time.Hour
}

// PublicOrigin is where the org's public pages are: what they name themselves
// by in calendars, previews and API answers. No slash at the end.
func (o Org) PublicOrigin() string {
	switch {
	case o.Origin != "":
		return o.Origin
	case len(o.Hosts) > 0:
		return "https://" + o.Hosts[0]
	}
	return "http://" + string(o.ID) + ".localhost"
}
