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

	"github.com/turnout-events/turnout/internal/edge/affinity"
	"github.com/turnout-events/turnout/internal/edge/pool"
	"github.com/turnout-events/turnout/internal/edge/room"
	"github.com/turnout-events/turnout/internal/limit"
)

// Names of the cookies of those who wait and of those who were let in.
const (
	ticketCookie = "turnout_ticket"
	passCookie   = "turnout_pass"
)

// gate is the lobby that a request goes through, nil for one that goes through
// none: event pages stay readable, and whoever submits something is not held up.
// identity is what keeps the place of whoever came with a personal link.
func (v *visit) gate() (l *lobby, identity []byte) {
	if v.kind != page || v.r.Method != http.MethodGet {
		return nil, nil
	}
	path := v.r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/events/"); ok {
		slug, form := strings.CutSuffix(rest, "/register")
		if !form {
			return nil, nil
		}
		if l := v.site.lobbies[slug]; l != nil {
			return l, nil
		}
		return v.site.lobbies[""], nil
	}
	if token, ok := strings.CutPrefix(path, "/l/"); ok && token != "" {
		sum := sha256.Sum256([]byte(token))
		return v.site.lobbies[""], sum[:]
	}
	return nil, nil
}

// mayEnter reports whether a visitor goes on to a form. If not they have been
// given their place in line.
func (e *Edge) mayEnter(v *visit) bool {
	l, identity := v.gate()
	if l == nil {
		return true
	}
	pass := affinity.Binding{Org: string(v.site.tenant.org), Host: v.site.host, Stack: "in " + l.name}
	if e.passed(v, l, pass) {
		return true
	}
	if in := v.site.tenant.share.InUse(); in >= v.site.part() || (l.busy.Load() && v.site.crowded(v.began)) {
		l.learn(v.began)
	}
	// As long as nobody had to wait, nobody needs a line; where edges share one,
	// only all of them know.
	if l.room.Load() == nil && l.in.count(v.began) < l.holds() && (!e.shared || l.sessions.Load() == 0) {
		e.letIn(v, l, pass)
		return true
	}
	r, err := e.open(v.r.Context(), l, v.began)
	if err != nil { // it is a fault of ours, which is not to keep anybody out
		e.log.Error("edge: a waiting room cannot be made", "room", l.name, "error", err)
		return true
	}
	place := r.Enter(v.r.Context(), v.began, cookie(v, l.cookie(ticketCookie)), identity, v.client)
	switch {
	case place.Admitted:
		e.letIn(v, l, pass)
		return true
	case place.Refused:
		v.w.Header().Set("Retry-After", strconv.Itoa(max(1, int(place.RetryAfter/time.Second))))
		e.refuse(v, http.StatusTooManyRequests)
	default:
		e.showLine(v, l, place, identity != nil)
	}
	return false
}

// Whether a pass was counted when it was given.
const (
	countedPass   = 0
	uncountedPass = 1
)

// passed reports whether the visitor was let in before: everybody who sees a form
// is given a pass, whether or not there is a line.
func (e *Edge) passed(v *visit, l *lobby, pass affinity.Binding) bool {
	s, ok := e.o.Signer.Read(cookie(v, l.cookie(passCookie)), pass, v.began)
	if !ok {
		return false
	}
	if s.Upstream == countedPass && v.began.Sub(s.Seen) < countEvery {
		return true
	}
	if e.counted.first(s.ID, v.began) { // a pass that is old or copied counts once a minute
		if s.Upstream == countedPass {
			l.in.move(s.Seen, v.began)
		} else {
			l.in.add(v.began)
		}
	}
	s.Seen, s.Upstream = v.began.UTC().Truncate(time.Minute), countedPass
	v.given(l, e.o.Signer.Sign(s, pass))
	return true
}

// letIn gives a pass. Of those who never come back with one, such as scanners,
// only as many count for each address as it would get places in line.
func (e *Edge) letIn(v *visit, l *lobby, pass affinity.Binding) {
	s := affinity.Fresh(uncountedPass, v.began)
	if e.newcomers.TakeAddr(v.client, newcomersOf(), v.began).OK {
		s.Upstream = countedPass
		l.in.add(v.began)
	}
	v.given(l, e.o.Signer.Sign(s, pass))
}

// newcomersOf is how many of an address count before they have come back.
func newcomersOf() limit.Rate { return limit.Rate{PerSecond: 0.5, Burst: 40} }

func (v *visit) given(l *lobby, pass string) { v.pass, v.passName = pass, l.cookie(passCookie) }

// cookie is the name of one of the lobby's cookies: an event's own are not to
// disturb those of its org.
func (l *lobby) cookie(name string) string {
	if _, event, ok := strings.Cut(l.name, "/"); ok {
		return fmt.Sprintf("%s_%08x", name, uint32(pool.Key(event)))
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

// showLine shows where in line a visitor is. The page asks again by itself,
// without script.
func (e *Edge) showLine(v *visit, l *lobby, place room.Place, byLink bool) {
	if place.Ticket != "" {
		v.setCookie(v.w.Header(), l.cookie(ticketCookie), place.Ticket)
	}
	if v.pass != "" { // they were let in, and found no place free
		v.setCookie(v.w.Header(), v.passName, v.pass)
	}
	seconds := max(2, int(math.Ceil(place.Refresh.Seconds())))
	h := v.w.Header()
	h.Set("Refresh", strconv.Itoa(seconds))
	h.Set("Retry-After", strconv.Itoa(seconds))
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	keep := "Keep this page open. If you close it, come back with the same browser and you have your place again."
	if byLink {
		keep = "Your link keeps your place: you may close this tab and open the link again later, on another device too."
	}
	position, wait := "", "We are looking for your place."
	if place.Position > 0 {
		position, wait = strconv.Itoa(place.Position), about(place.Wait)
	}
	title := "You are in line"
	if v.site.name != "" {
		title += " · " + v.site.name
	}
	body := strings.NewReplacer(
		"{{title}}", html.EscapeString(title), "{{org}}", html.EscapeString(v.site.name), "{{position}}", position, "{{wait}}", wait,
		"{{keep}}", keep, "{{seconds}}", strconv.Itoa(seconds), "{{hidden}}", map[bool]string{true: " hidden"}[position == ""],
	).Replace(waitingHTML)
	v.status = http.StatusOK
	if v.https {
		h.Set("Strict-Transport-Security", strictTransport)
	}
	for name, values := range header("text/html; charset=utf-8") {
		h[name] = values
	}
	_, _ = v.w.Write([]byte(body)) // whoever went away does not need it
	v.site.tenant.waited.Add(1)
}

// about is a wait in words that promise no more than is known.
func about(d time.Duration) string {
	switch minutes := int(math.Ceil(d.Minutes())); {
	case d <= 0:
		return "It is too early to say how long it takes."
	case d < 45*time.Second:
		return "Less than a minute to go."
	case minutes <= 1:
		return "About a minute to go."
	case minutes < 90:
		return fmt.Sprintf("About %d minutes to go.", minutes)
	default:
		return fmt.Sprintf("About %d hours to go.", int(math.Round(d.Hours())))
	}
}
