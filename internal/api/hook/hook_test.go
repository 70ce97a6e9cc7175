package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
)

var noon = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

const published = `{"type":"event.published","ids":["a01000000000001AAA"]}`

func sign(secret string, at time.Time, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return hex.EncodeToString(mac.Sum(nil))
}

func header(secret string, at time.Time, body string) string {
	return "t=" + strconv.FormatInt(at.Unix(), 10) + ",v1=" + sign(secret, at, body)
}

type desk struct {
	hook    *Hook
	now     time.Time
	secrets map[turnout.OrgID][]string
	fails   error
	hints   []string
	log     bytes.Buffer
}

func (d *desk) Secrets(_ context.Context, org turnout.OrgID) ([]string, error) {
	return d.secrets[org], nil
}

func (d *desk) Hint(_ context.Context, org turnout.OrgID, kind string, ids []string) error {
	if d.fails == nil {
		d.hints = append(d.hints, fmt.Sprint(org, " ", kind, " ", ids))
	}
	return d.fails
}

func newDesk() *desk {
	d := &desk{now: noon, secrets: map[turnout.OrgID][]string{"acme": {"old-secret", "", "new-secret"}, "blank": {""}}}
	d.hook = New(Options{
		Org: func(r *http.Request) (*turnout.Org, error) {
			if r.Host == "nobody.example.com" {
				return nil, endpoint.Misdirected("nobody has this host name")
			}
			return &turnout.Org{ID: turnout.OrgID(strings.TrimSuffix(r.Host, ".example.com"))}, nil
		},
		Secrets: d, Hints: d, Now: func() time.Time { return d.now }, Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
	})
	return d
}

func (d *desk) send(host, signature, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/hooks/salesforce", strings.NewReader(body))
	r.Host = host
	r.Header.Set("Turnout-Signature", signature)
	w := httptest.NewRecorder()
	d.hook.ServeHTTP(w, r)
	return w
}

// claims is what all instances share.
type claims map[string]string

func (c claims) of(instance string) func(context.Context, turnout.OrgID, string, time.Duration) (bool, error) {
	return func(_ context.Context, org turnout.OrgID, hook string, ttl time.Duration) (bool, error) {
		name := string(org) + hook
		if c[name] != "" && c[name] != instance {
			return false, nil
		}
		if c[name] = instance; ttl <= 0 {
			delete(c, name)
		}
		return true, nil
	}
}

// P5: a hook that one instance could not queue gets through at another; one
// that was taken is taken nowhere again.
func TestP5HookIsTakenOnceByAllInstances(t *testing.T) {
	shared := claims{}
	one, two := newDesk(), newDesk()
	one.hook.o.Ours, two.hook.o.Ours = shared.of("one"), shared.of("two")
	signature := header("old-secret", noon, published)
	one.fails = turnout.Errorf(turnout.CodeThrottled, "queue hint", "too many")
	if w := one.send("acme.example.com", signature, published); w.Code != http.StatusTooManyRequests {
		t.Fatalf("status %d", w.Code)
	}
	if w := two.send("acme.example.com", signature, published); w.Code != http.StatusAccepted {
		t.Errorf("sent again to another instance: status %d: %s", w.Code, w.Body)
	}
	one.fails = nil
	for _, d := range []*desk{one, two} {
		if w := d.send("acme.example.com", signature, published); w.Code != http.StatusUnauthorized {
			t.Errorf("a replay: status %d", w.Code)
		}
	}
}

func TestP5HookSignatures(t *testing.T) {
	tests := []struct {
		name, host, signature, body string
		want                        int
	}{
		{"first secret", "acme.example.com", header("old-secret", noon, published), published, 202},
		{"second secret, being rotated in", "acme.example.com", header("new-secret", noon, published), published, 202},
		{"signed with both", "acme.example.com", header("old-secret", noon, published) + ",v1=" + sign("new-secret", noon, published), published, 202},
		{"one right among wrong ones", "acme.example.com", header("stale", noon, published) + ", v1=" + sign("new-secret", noon, published), published, 202},
		{"upper-case hex", "acme.example.com", strings.ToUpper(header("old-secret", noon, published)[14:]) + "x", published, 401},
		{"at the edge of the skew", "acme.example.com", header("old-secret", noon.Add(-5*time.Minute), published), published, 202},
		{"ahead within the skew", "acme.example.com", header("old-secret", noon.Add(5*time.Minute), published), published, 202},
		{"too old", "acme.example.com", header("old-secret", noon.Add(-301*time.Second), published), published, 401},
		{"too far ahead", "acme.example.com", header("old-secret", noon.Add(301*time.Second), published), published, 401},
		{"wrong secret", "acme.example.com", header("guess", noon, published), published, 401},
		{"empty secret is none", "acme.example.com", header("", noon, published), published, 401},
		{"no secret at all", "blank.example.com", header("", noon, published), published, 401},
		{"of another org", "other.example.com", header("old-secret", noon, published), published, 401},
		{"another body", "acme.example.com", header("old-secret", noon, published), strings.Replace(published, "1AAA", "2AAA", 1), 401},
		{"time moved", "acme.example.com", "t=" + strconv.FormatInt(noon.Unix()+1, 10) + ",v1=" + sign("old-secret", noon, published), published, 401},
		{"missing", "acme.example.com", "", published, 401},
		{"no time", "acme.example.com", "v1=" + sign("old-secret", noon, published), published, 401},
		{"unknown host", "nobody.example.com", header("old-secret", noon, published), published, 421},
		{"too large", "acme.example.com", header("old-secret", noon, published), published + strings.Repeat(" ", 64<<10), 413},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDesk()
			w := d.send(test.host, test.signature, test.body)
			if w.Code != test.want {
				t.Fatalf("status %d, want %d: %s", w.Code, test.want, w.Body)
			}
			if accepted := test.want == 202; accepted != (len(d.hints) == 1) {
				t.Errorf("hints: %v", d.hints)
			}
			if test.want == 202 && strings.TrimSpace(w.Body.String()) != `{"queued":1}` {
				t.Errorf("answer %s", w.Body)
			}
			if all := w.Body.String() + d.log.String(); strings.Contains(all, "secret\"") || strings.Contains(all, "old-secret") || strings.Contains(all, "v1=6") {
				t.Errorf("it gives secrets away: %s", all)
			}
		})
	}
}

func TestP5HookRefusalsReadTheSame(t *testing.T) {
	d := newDesk()
	wrong := d.send("acme.example.com", header("guess", noon, published), published).Body.String()
	expired := d.send("acme.example.com", header("old-secret", noon.Add(-time.Hour), published), published).Body.String()
	if wrong != expired {
		t.Errorf("%s\n%s", wrong, expired)
	}
}

func TestP5ReplaysAreRefused(t *testing.T) {
	d := newDesk()
	first := header("old-secret", noon, published)
	if w := d.send("acme.example.com", first, published); w.Code != 202 {
		t.Fatal(w.Code)
	}
	for name, again := range map[string]string{
		"as it was": first, "other spelling": strings.Replace(first, ",", ", x=1, ", 1),
		"under the other secret": header("new-secret", noon, published),
	} {
		if w := d.send("acme.example.com", again, published); w.Code != 401 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	d.now = noon.Add(Skew)
	if w := d.send("acme.example.com", first, published); w.Code != 401 {
		t.Errorf("at the end of its time: %d", w.Code)
	}
	if w := d.send("acme.example.com", header("old-secret", noon.Add(time.Second), published), published); w.Code != 202 {
		t.Errorf("the same hint signed anew: %d", w.Code)
	}
	d.secrets["twin"] = []string{"old-secret"}
	if w := d.send("twin.example.com", first, published); w.Code != 202 {
		t.Errorf("another org's memory counts: %d", w.Code)
	}
}

// P5: somebody saves twice within a second, and the second change counts. What signs
// for it is the same as before, so that it is refused as a replay would be.
func TestP5PressedTwiceInOneSecond(t *testing.T) {
	shared := claims{}
	one, two, three := newDesk(), newDesk(), newDesk()
	one.hook.o.Ours, two.hook.o.Ours, three.hook.o.Ours = shared.of("one"), shared.of("two"), shared.of("three")
	first := header("old-secret", noon, published)
	for _, step := range []struct {
		name  string
		at    *desk
		after time.Duration
		want  int
		hints int
	}{
		{"pressed", one, 0, 202, 1},
		{"again, at the same instance", one, 900 * time.Millisecond, 401, 2},
		{"again, at another instance", two, 900 * time.Millisecond, 401, 1},
		{"a replay soon after", one, pressedTwice + time.Millisecond, 401, 2},
		{"a replay at the end of its time", one, Skew, 401, 2},
		{"a replay soon after, at an instance that had none", three, pressedTwice + time.Millisecond, 401, 0},
	} {
		step.at.now = noon.Add(step.after)
		w := step.at.send("acme.example.com", first, published)
		if w.Code != step.want || len(step.at.hints) != step.hints {
			t.Errorf("%s: status %d, %d hints; want %d and %d", step.name, w.Code, len(step.at.hints), step.want, step.hints)
		}
	}
}

// P1: whoever was forgotten may have registered again, and a repeated hook does not
// forget them again, at no instance.
func TestP1RepeatedForgetForgetsNobody(t *testing.T) {
	const forgotten = `{"type":"person.forgotten","ids":["003000000000001AAA"]}`
	shared := claims{}
	one, two, three := newDesk(), newDesk(), newDesk()
	first := header("old-secret", noon, forgotten)
	for _, step := range []struct {
		at    *desk
		after time.Duration
		want  int
		hints int
	}{{one, 0, 202, 1}, {one, time.Second, 401, 1}, {two, time.Second, 401, 0}, {three, Skew - time.Second, 401, 0}} {
		step.at.hook.o.Ours = shared.of(map[*desk]string{one: "one", two: "two", three: "three"}[step.at])
		step.at.now = noon.Add(step.after)
		w := step.at.send("acme.example.com", first, forgotten)
		if w.Code != step.want || len(step.at.hints) != step.hints {
			t.Errorf("after %v: status %d, %d hints; want %d and %d", step.after, w.Code, len(step.at.hints), step.want, step.hints)
		}
	}
}

func TestHookThatCouldNotBeQueuedMayComeAgain(t *testing.T) {
	d := newDesk()
	d.fails = errors.New("queue broke")
	first := header("old-secret", noon, published)
	if w := d.send("acme.example.com", first, published); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	d.fails = nil
	if w := d.send("acme.example.com", first, published); w.Code != 202 {
		t.Error(w.Code)
	}
}

func TestHookBodies(t *testing.T) {
	ids := func(n int) string { return `["` + strings.Repeat(`x","`, n-1) + `x"]` }
	for body, want := range map[string]int{
		`{"type":"event.updated","ids":` + ids(200) + `}`:       202,
		`{"type":"event.updated","ids":` + ids(201) + `}`:       422,
		`{"type":"event.updated","ids":[]}`:                     422,
		`{"type":"event.updated"}`:                              422,
		`{"type":"event.deleted","ids":["x"]}`:                  422,
		`{"type":"person.forgotten","ids":["003xx000004TmiQ"]}`: 202,
		`{"type":"attendee.changed","ids":["tok_-9"]}`:          202,
		`{"type":"attendee.changed","ids":["a b"]}`:             422,
		`{"type":"attendee.changed","ids":[""]}`:                422,
		`{"type":"attendee.changed","ids":[7]}`:                 422,
		`{"type":"attendee.changed","ids":["x"],"more":1}`:      422,
		`{"Type":"attendee.changed","ids":["x"]}`:               422,
		`{"type":"x","type":"attendee.changed","ids":["x"]}`:    422,
		`{"type":"attendee.changed","ids":["x"]} x`:             400,
		``:                               400,
		"{\"type\":\"\xff\",\"ids\":[]}": 400,
	} {
		d := newDesk()
		if w := d.send("acme.example.com", header("old-secret", noon, body), body); w.Code != want {
			t.Errorf("%.60q: %d, want %d: %s", body, w.Code, want, w.Body)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory()
	first := func(d digest, at time.Time) bool { _, first := m.add("acme", d, at); return first }
	for i := range 5 * perOrg {
		if !first(digestOf(strconv.Itoa(i), nil), noon) {
			t.Fatal("a new one is taken for an old one")
		}
	}
	if first(digestOf(strconv.Itoa(5*perOrg-1), nil), noon) {
		t.Error("the last one is forgotten")
	}
	for i := range m.shard {
		for _, g := range m.shard[i].orgs {
			if len(g.now)+len(g.before) > 2*perOrg {
				t.Errorf("%d are kept", len(g.now)+len(g.before))
			}
		}
	}
	if d := digestOf("later", nil); !first(d, noon) || !first(d, noon.Add(2*remember)) && !first(d, noon.Add(3*remember)) {
		t.Error("it is kept for ever")
	}
}

func FuzzParseSignature(f *testing.F) {
	f.Add(header("s", noon, published))
	f.Add("t=1,v1=00,v1=zz,v0=x")
	f.Add("t=-1,t=01")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSignature(text)
		if err != nil {
			if turnout.CodeOf(err) != turnout.CodeUnauthorized {
				t.Error(err)
			}
			return
		}
		if s.Stamp == "" || len(s.MACs) < 1 || len(s.MACs) > maxSignatures || strconv.FormatInt(s.At.Unix(), 10) != s.Stamp {
			t.Errorf("%q gives %+v", text, s)
		}
		if s.Verify([]byte("x"), []string{"", "k"}, noon) == nil {
			t.Error("a random signature passes")
		}
	})
}

func FuzzParseHint(f *testing.F) {
	f.Add([]byte(published))
	f.Add([]byte(`{"type":"person.forgotten","ids":["x",null]}`))
	f.Add([]byte(`{"ids":{"a":[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := ParseHint(body)
		switch code := turnout.CodeOf(err); {
		case err != nil && code != turnout.CodeMalformed && code != turnout.CodeInvalid:
			t.Errorf("%q: %v", body, err)
		case err == nil && (h.Type == "" || len(h.IDs) == 0 || len(h.IDs) > MaxIDs || !allValid(h.IDs)):
			t.Errorf("%q gives %+v", body, h)
		}
	})
}
