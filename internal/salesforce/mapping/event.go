package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
)

// Parts are the records that belong to an event.
type Parts struct {
	Tickets, Agenda, Questions []salesforce.Record
}

// stamp is the system field that polls go by.
const stamp = "SystemModstamp"

// Columns are the fields of an event that a query asks for, subqueries for
// its parts included.
func (e Event) Columns() []string {
	columns := append(named(e.Fields, "Id", stamp, e.Published.Field), e.Details)
	for _, part := range []*Part{e.Tickets, e.Agenda, e.Questions} {
		if part != nil {
			columns = append(columns, "(SELECT "+strings.Join(named(part.Fields, "Id", stamp), ",")+" FROM "+part.Relationship+")")
		}
	}
	return unique(columns)
}

// Holds reports whether the record passes the test.
func (t Test) Holds(r salesforce.Record) bool {
	value := r.Text(t.Field)
	for _, v := range t.Values {
		if strings.EqualFold(v, value) {
			return true
		}
	}
	return false
}

// Read turns an event's record and its parts into Turnout's event. zone is
// the org's, for events that have none. Event is nil if the record is not
// published; Fault lists what keeps a published one from being shown.
func (e Event) Read(r salesforce.Record, parts Parts, zone string) turnout.EventCopy {
	out := turnout.EventCopy{ID: turnout.EventID(r.ID("Id")), Modified: e.modified(r, parts), Note: e.NoteOf(r)}
	if !e.Published.Holds(r) {
		return out
	}
	f := &faults{}
	event := e.plain(r, zone, f)
	event.Tickets = readTickets(e.Tickets, parts.Tickets)
	event.Agenda = readAgenda(e.Agenda, parts.Agenda)
	event.Form.Questions = readQuestions(e.Questions, parts.Questions, f)
	if e.Details != "" {
		readDetails(r.Text(e.Details), event, f)
	}
	if len(event.Tickets) == 0 {
		event.Tickets = []turnout.Ticket{{ID: "general", Name: "General admission", Seats: turnout.Unlimited}}
	}
	for _, fault := range turnout.FieldsOf(event.Validate()) {
		f.add(fault.Field, "%s", fault.Message)
	}
	setVersions(event)
	out.Remarks = e.remarks(r, event)
	out.Event, out.Fault = event, f.err("read event "+string(out.ID))
	return out
}

// NoteOf is what the record tells its organiser, nil where the query did not ask.
func (e Event) NoteOf(r salesforce.Record) *string {
	if e.Note == "" || !r.Has(e.Note) {
		return nil
	}
	note := r.Text(e.Note)
	return &note
}

// TakesNotes reports whether events, as the org describes them, have a field for notes
// that the integration user may write and that is long enough.
func (e Event) TakesNotes(object *salesforce.Object) bool {
	if e.Note == "" || object == nil {
		return false
	}
	f, ok := object.Field(e.Note)
	return ok && object.Update && f.Update && f.Length >= turnout.MaxEventNote
}

// remarks are about what the record says of the event's looks and is not followed.
func (e Event) remarks(r salesforce.Record, event *turnout.Event) (remarks faults) {
	get := reader{r, e.Fields}
	if get.line("accent") != "" && event.Accent == "" {
		remarks.add("accent", "give a colour such as #0b5c8a")
	}
	if get.line("image") != "" && event.Image == "" {
		remarks.add("image", "give an address that starts with https://")
	}
	return remarks
}

func (e Event) modified(r salesforce.Record, parts Parts) time.Time {
	latest, _ := r.Time(stamp)
	for _, list := range [][]salesforce.Record{parts.Tickets, parts.Agenda, parts.Questions} {
		for _, part := range list {
			if t, ok := part.Time(stamp); ok && t.After(latest) {
				latest = t
			}
		}
	}
	return latest
}

// plain reads the event's own fields.
func (e Event) plain(r salesforce.Record, zone string, f *faults) *turnout.Event {
	get := reader{r, e.Fields}
	event := &turnout.Event{
		ID: turnout.EventID(r.ID("Id")), Title: get.line("title"), Slug: get.line("slug"), Summary: get.line("summary"),
		Organizer: get.line("organizer"), Zone: get.line("zone"), Language: languageTag(get.line("language")),
		Venue: get.line("venue"), Address: get.text("address"), Online: get.flag("online"), Private: get.flag("private"),
		Opens: get.time("opens"), Closes: get.time("closes"), EditUntil: get.time("edit_until"), CancelUntil: get.time("cancel_until"),
		Seats: get.whole("seats", turnout.Unlimited), Waitlist: get.flag("waitlist"), MaxGuests: get.whole("max_guests", 0),
		OncePerPerson: get.flag("once_per_person"), LockEmail: get.flag("lock_email"),
		Button: get.line("button"), Accent: accent(get.line("accent")), Image: webURL(get.line("image")),
	}
	if event.Zone == "" {
		event.Zone = zone
	}
	if event.Slug == "" {
		event.Slug = slugFor(event.Title, string(event.ID))
	}
	event.Starts, event.Ends = e.bounds(get, event.Location())
	if event.Body = Sanitize(get.text("body")); event.Body == "" {
		event.Body = paragraphs(get.text("body_text"))
	}
	if raw := get.line("join_url"); raw != "" {
		if event.JoinURL = webURL(raw); event.JoinURL == "" {
			f.add("join_url", "give an address that starts with https://")
		}
	}
	event.Form.Title, event.Form.Company = ask(get.line("ask_title")), ask(get.line("ask_company"))
	return event
}

// bounds are the event's start and end. Where only days are given, it starts
// with the first one and ends in the last minute of the last one.
func (e Event) bounds(get reader, loc *time.Location) (starts, ends time.Time) {
	starts, ends = get.time("starts"), get.time("ends")
	if starts.IsZero() {
		starts = get.day("starts_on", loc)
	}
	if last := get.day("ends_on", loc); ends.IsZero() && !last.IsZero() {
		y, m, d := last.In(loc).Date()
		ends = time.Date(y, m, d, 23, 59, 0, 0, loc).UTC()
	}
	// A day's fallback end before a precise start is no end at all.
	if get.time("ends").IsZero() && ends.Before(starts) {
		ends = time.Time{}
	}
	return starts, ends
}

func ask(word string) turnout.Ask {
	switch a := turnout.Ask(strings.ToLower(word)); a {
	case turnout.AskRequired, turnout.AskHidden:
		return a
	}
	return turnout.AskOptional
}

var accentPattern = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// languagePattern is a language of BCP 47 with whatever follows it, which Salesforce sets off
// by an underscore.
var languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][0-9A-Za-z]{2,8})*$`)

// languageTag drops what is no language: pages are then in their org's, and a browser is told
// nothing that it cannot read.
func languageTag(s string) string {
	if languagePattern.MatchString(s) {
		return strings.ReplaceAll(s, "_", "-")
	}
	return ""
}

// accent drops what is no colour: the page then has the usual one, and a
// style sheet gets nothing else into it.
func accent(s string) string {
	if accentPattern.MatchString(s) {
		return strings.ToLower(s)
	}
	return ""
}

// webURL is s if it is an absolute web address, else "".
func webURL(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return ""
	}
	return u.String()
}

// slugFor makes a slug of a name. The end of the id keeps two events of one
// name apart.
func slugFor(name, id string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if folded, ok := fold(r); ok {
			b.WriteString(folded)
			continue
		}
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			b.WriteRune(r)
			continue
		}
		b.WriteByte(' ')
	}
	slug := strings.Join(strings.Fields(b.String()), "-")
	if len(slug) > 60 {
		slug = strings.TrimRight(slug[:60], "-")
	}
	if len(id) >= 15 {
		id = strings.ToLower(id[9:15])
	}
	return strings.Trim(slug+"-"+id, "-")
}

// fold is a letter as a slug has it, and whether it is another one there.
func fold(r rune) (string, bool) {
	switch r {
	case 'ä':
		return "ae", true
	case 'ö':
		return "oe", true
	case 'ü':
		return "ue", true
	case 'ß':
		return "ss", true
	case 'à', 'á', 'â', 'å':
		return "a", true
	case 'ç':
		return "c", true
	case 'è', 'é', 'ê', 'ë':
		return "e", true
	case 'ì', 'í', 'î':
		return "i", true
	case 'ñ':
		return "n", true
	case 'ò', 'ó', 'ô', 'ø':
		return "o", true
	case 'ù', 'ú', 'û':
		return "u", true
	case '’', '\'':
		return "", true
	}
	return "", false
}

// paragraphs makes HTML of plain text.
func paragraphs(text string) string {
	var b strings.Builder
	for block := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if block = strings.TrimSpace(block); block != "" {
			b.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(block), "\n", "<br>") + "</p>")
		}
	}
	return b.String()
}

// setVersions gives form and event their versions: short hashes of what they
// say. The form's covers what a filled form can refer to, so that a change of
// seats alone lets forms that are open go through.
func setVersions(event *turnout.Event) {
	event.Form.Version, event.Version = "", ""
	asked := struct {
		Form            turnout.Form
		Tickets, Agenda []string
	}{Form: event.Form}
	for _, t := range event.Tickets {
		asked.Tickets = append(asked.Tickets, t.ID)
	}
	for _, a := range event.Agenda {
		asked.Agenda = append(asked.Agenda, a.ID)
	}
	event.Form.Version = hash(asked)
	event.Version = hash(event)
}

func hash(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic("mapping: an event is not JSON: " + err.Error()) // floats are finite, see readQuestions
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
