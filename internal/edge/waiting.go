package edge

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"html"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/refusal"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/edge/speech"
	"github.com/turnout-events/turnout/internal/limit"
	"github.com/turnout-events/turnout/internal/words"
)

// Names of the cookies of those who wait and of those who were let in.
const (
	ticketCookie = "turnout_ticket"
	passCookie   = "turnout_pass"
)

// gate is the lobby that a request goes through, nil for one that goes through
// none: event pages stay readable, and whoever submits something is not held up.
// identity is what keeps the place of whoever came with a personal link.
func (e *Edge) gate(v *visit) (l *lobby, identity []byte) {
	if v.kind != page || v.r.Method != http.MethodGet {
		return nil, nil
	}
	path, slug := v.r.URL.Path, ""
	if rest, ok := strings.CutPrefix(path, "/events/"); ok {
		if slug, ok = strings.CutSuffix(rest, "/register"); !ok {
			return nil, nil
		}
	} else if token := tokenOf(path); token != "" {
		sum := sha256.Sum256([]byte(token))
		slug, identity = e.lines.links.event(v.site.tenant.org, token), sum[:]
	} else {
		return nil, nil
	}
	if l := v.site.lobbies[slug]; l != nil {
		return l, identity
	}
	return v.site.lobbies[""], identity
}

// tokenOf is the token of a personal link's path, empty for another path.
func tokenOf(path string) string {
	token, _ := strings.CutPrefix(path, "/l/")
	if len(token) == len(path) {
		return ""
	}
	return strings.TrimSuffix(token, "/")
}

// mayEnter reports whether a visitor goes on to a form. If not they have been
// given their place in line.
func (e *Edge) mayEnter(v *visit) bool {
	l, identity := e.gate(v)
	if l == nil || (identity != nil && l.event == "" && e.inSomeEvent(v)) {
		return true
	}
	return e.enter(v, l, identity)
}

// enter is mayEnter for a lobby.
func (e *Edge) enter(v *visit, l *lobby, identity []byte) bool {
	if e.passed(v, l) {
		return true
	}
	if in := v.site.tenant.share.InUse(); in >= v.site.part() || (l.busy.Load() && v.site.crowded(v.began)) {
		l.learn(v.began)
	}
	// As long as nobody had to wait, nobody needs a line; where edges share one,
	// only all of them know.
	if l.room.Load() == nil && (!e.lines.shared || l.sessions.Load() == 0) && l.in.Enter(l.holds(), v.began) {
		e.letIn(v, l, v.began)
		return true
	}
	r, err := e.open(v.r.Context(), l, v.began)
	if err != nil {
		return e.withoutRoom(v, l, identity)
	}
	place, at := e.ask(v, r, cookie(v, l.cookie(ticketCookie)), identity)
	switch {
	case place.Admitted:
		e.letIn(v, l, at)
		return true
	case place.Refused:
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(place.RetryAfter/time.Second))))
		e.refuse(v, http.StatusTooManyRequests)
	default:
		e.showLine(v, l, place, identity != nil)
	}
	return false
}

// withoutRoom is enter where no room can be made: this edge's own count is what
// there is, and who comes beyond it comes again, in no order.
func (e *Edge) withoutRoom(v *visit, l *lobby, identity []byte) bool {
	e.lines.unmade.Add(1)
	if !l.in.Enter(l.holds(), v.began) {
		e.showLine(v, l, room.Place{Refresh: comeAgain}, identity != nil)
		return false
	}
	e.letIn(v, l, v.began)
	return true
}

// ask asks a room for the visitor's place, and says when. Whoever has been shown
// theirs and whose turn is near stays until it comes: then it is taken at once,
// and by the first in line.
func (e *Edge) ask(v *visit, r *room.Room, ticket string, identity []byte) (room.Place, time.Time) {
	now := v.began
	place := r.Enter(v.r.Context(), now, ticket, identity, v.client)
	if !place.Near || e.o.Stay < 0 {
		return place, now
	}
	defer e.lines.staying.Add(-1)
	if e.lines.staying.Add(1) > mostStaying || !e.lines.stays.TakeAddr(v.client, staysOf(), now).OK {
		return place, now
	}
	over := time.NewTimer(e.o.Stay)
	defer over.Stop()
	for place.Near {
		select {
		case <-r.Moved():
		case <-over.C:
			return place, now
		case <-e.lines.ended:
			return place, now
		case <-v.r.Context().Done():
			return place, now
		}
		now = e.now()
		place = r.Enter(v.r.Context(), now, place.Ticket, identity, v.client)
	}
	return place, now
}

// mostStaying bounds the requests that wait for their turn, a connection each,
// and staysOf those of an address. Beyond it they look again every few seconds.
const mostStaying = 2048

func staysOf() limit.Rate { return limit.Rate{PerSecond: 2, Burst: 100} }

// cookie is the name of one of the lobby's cookies: an event's own are not to
// disturb those of its org.
func (l *lobby) cookie(name string) string {
	if l.event != "" {
		return fmt.Sprintf("%s_%08x", name, uint32(pool.Key(l.event)))
	}
	return name
}

// cookie is the value of one of the edge's cookies, empty for none.
func cookie(v *visit, name string) string {
	for value := range cookieValues(v.r.Header["Cookie"], v.cookieNamed(name)) {
		return value
	}
	return ""
}

func (v *visit) setCookie(h http.Header, name, value string) {
	c := http.Cookie{
		Name: v.cookieNamed(name), Value: value, Path: "/", HttpOnly: true, Secure: v.https, SameSite: http.SameSiteLaxMode,
	}
	if strings.HasPrefix(name, ticketCookie) { // it outlives the browser's window, as a place in line does
		c.MaxAge = int((6 * time.Hour) / time.Second)
	}
	h.Add("Set-Cookie", c.String())
}

//go:embed waiting.html
var waitingHTML string

// linePages are the line's page by language, with what is the same for everybody filled in.
func linePages(languages *words.Languages) map[string]string {
	pages, esc := map[string]string{}, html.EscapeString
	for _, tag := range languages.Tags() {
		in := languages.Of(tag)
		pages[tag] = strings.NewReplacer(
			"{{lang}}", in.Tag, "{{heading}}", esc(in.Say("line.title")), "{{text}}", esc(in.Say("line.text")),
			"{{place}}", esc(in.Say("line.place")), "{{refresh}}", esc(in.Say("line.refresh")),
		).Replace(waitingHTML)
	}
	return pages
}

// showLine shows where in line a visitor is. The page asks again by itself,
// without script.
func (e *Edge) showLine(v *visit, l *lobby, place room.Place, byLink bool) {
	if place.Ticket != "" {
		v.setCookie(v.w.Header(), l.cookie(ticketCookie), place.Ticket)
	}
	e.tell(v, v.w.Header()) // some were let in, and found no place free
	seconds := max(2, int(math.Ceil(place.Refresh.Seconds())))
	h := v.w.Header()
	h.Set("Refresh", strconv.Itoa(seconds))
	h.Set("Retry-After", strconv.Itoa(seconds))
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	in := speech.To(e.speech, v.r, v.site.language)
	keep := in.Say("line.keep")
	if byLink {
		keep = in.Say("line.keep.link")
	}
	position, wait := "", in.Say("line.looking")
	if place.Position > 0 {
		position, wait = strconv.Itoa(place.Position), about(in, place.Wait)
	}
	title, esc := in.Say("line.title"), html.EscapeString
	if v.site.name != "" {
		title += " · " + v.site.name
	}
	body := strings.NewReplacer(
		"{{title}}", esc(title), "{{org}}", esc(v.site.name), "{{position}}", position, "{{wait}}", esc(wait), "{{keep}}", esc(keep),
		"{{seconds}}", strconv.Itoa(seconds), "{{hidden}}", map[bool]string{true: " hidden"}[position == ""],
	).Replace(e.linePages[in.Tag])
	v.status = http.StatusOK
	e.keepToHTTPS(v, h)
	for name, values := range refusal.Header("text/html; charset=utf-8") {
		h[name] = values
	}
	_, _ = v.w.Write([]byte(body)) // whoever went away does not need it
	v.site.tenant.waited.Add(1)
}

// about is a wait in words that promise no more than is known.
func about(in *words.Language, d time.Duration) string {
	switch minutes := int(math.Ceil(d.Minutes())); {
	case d <= 0:
		return in.Say("line.wait.unknown")
	case d < 45*time.Second:
		return in.Say("line.wait.less")
	case minutes <= 1:
		return in.Say("line.wait.minute")
	case minutes < 90:
		return in.Say("line.wait.minutes", minutes)
	default:
		return in.Say("line.wait.hours", int(math.Round(d.Hours())))
	}
}
