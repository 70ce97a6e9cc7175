package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-events/turnout/internal/simulator/hooks"
	"github.com/turnout-events/turnout/internal/simulator/seed"
)

func TestControlRoutes(t *testing.T) {
	o := open(t, Options{})
	list := o.want("GET", "/_sim/", "", 200, `{"method":"PUT","path":"/_sim/keys"`)
	for _, path := range []string{"/_sim/stats", "/_sim/faults", "/_sim/seed", "/_sim/reset", "/_sim/hooks"} {
		if !strings.Contains(list, path) {
			t.Errorf("%s is not in %s", path, list)
		}
	}
	o.want("PATCH", "/_sim/faults", `{}`, 404, "GET /_sim/")
	o.want("POST", "/_sim/faults", `{"lock_rate":1}`, 200, `"lock_rate":1`)
	o.want("GET", "/_sim/faults", "", 200, `"lock_rate":1`)
}

// A key that the org is given over the control port signs a login.
func TestGivenKeysSignIn(t *testing.T) {
	o := open(t, Options{})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signIn := func(iss string) string {
		assertion, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": iss, "sub": "integration@simulator.example.com",
			"aud": "https://login.salesforce.com", "exp": time.Now().Add(time.Minute).Unix()}).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
		_, body, _ := o.do("POST", "/services/oauth2/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
		return body
	}
	if body := signIn("demo"); !strings.Contains(body, "invalid assertion") {
		t.Errorf("an unknown key signs in: %s", body)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	o.want("PUT", "/_sim/keys", text, 200, `"added":1,"iss":"demo","trusted":1`)
	o.want("PUT", "/_sim/keys", "demo", 400, "not PEM")
	if body := signIn("demo"); !strings.Contains(body, `"access_token":"00D`) {
		t.Errorf("a known key does not sign in: %s", body)
	}
	if body := signIn("somebody"); !strings.Contains(body, "invalid_client_id") {
		t.Errorf("another issuer signs in: %s", body)
	}
}

// What is seeded is told of as if somebody had pressed Publish and invited.
func TestSeedTellsTheHooks(t *testing.T) {
	arrived := make(chan hooks.Hint, 40)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var hint hooks.Hint
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &hint); err != nil {
			t.Error(err)
		}
		arrived <- hint
	}))
	defer receiver.Close()
	away := httptest.NewServer(nil)
	away.Close()
	o := open(t, Options{Hooks: []Hook{{URL: away.URL, Secret: "k0"}, {URL: receiver.URL, Secret: "k1"}}})
	made := seedMade(t, o, `{"events":3,"links":2100}`)
	published := <-arrived
	if published.Type != "event.published" || len(published.IDs) != 3 || published.IDs[2] != made.Events[2].ID {
		t.Errorf("%+v of %+v", published, made.Events)
	}
	links := map[string]bool{}
	for range 10 {
		hint := <-arrived
		if hint.Type != "attendee.changed" || len(hint.IDs) != 200 {
			t.Errorf("%s of %d", hint.Type, len(hint.IDs))
		}
		for _, id := range hint.IDs {
			links[id] = true
		}
	}
	if len(links) != 2000 {
		t.Errorf("%d links were told of", len(links))
	}
	seedMade(t, o, `{"events":1}`)
	if next := <-arrived; next.Type != "event.published" { // nothing was told beyond the cap
		t.Errorf("%+v", next)
	}
}

// Links go to the events of the same call, or to those where they are of use.
func TestSeededLinksGoWhereSeatsAre(t *testing.T) {
	o := open(t, Options{})
	make := func(slug, more string) {
		o.create("Turnout_Event__c", fmt.Sprintf(`{"Name":%q,"Slug__c":%q,"Public_Id__c":%q,"Status__c":"Published"%s}`, slug, slug, slug, more))
	}
	make("old", `,"Starts_At__c":"2020-01-01T10:00:00Z"`)
	make("early", `,"Registration_Opens_At__c":"2099-01-01T10:00:00Z"`)
	make("none", `,"Seats__c":0`)
	make("full", `,"Seats__c":3`)
	make("last-seat", `,"Seats__c":3`)
	make("long", `,"Starts_At__c":"2020-01-01T10:00:00Z","Ends_At__c":"2099-01-01T10:00:00Z","Registration_Closes_At__c":"2098-01-01T10:00:00Z"`)
	o.create("Turnout_Event__c", `{"Name":"Draft","Slug__c":"draft"}`)
	o.create("Turnout_Registration__c", `{"Last_Name__c":"A","Status__c":"Registered","Guest_Count__c":2,"Event__r":{"Public_Id__c":"full"}}`)
	o.create("Turnout_Registration__c", `{"Last_Name__c":"A","Status__c":"Registered","Guest_Count__c":1,"Event__r":{"Public_Id__c":"last-seat"}}`)
	o.create("Turnout_Registration__c", `{"Last_Name__c":"A","Status__c":"Cancelled","Event__r":{"Public_Id__c":"last-seat"}}`)

	made := seedMade(t, o, `{"links":4}`)
	var slugs []string
	for i, link := range made.Links {
		slugs = append(slugs, link.Slug)
		body := o.soql("SELECT Event__c, Event__r.Slug__c FROM Turnout_Link__c WHERE Token__c = '" + link.Token + "'")
		if made.Tokens[i] != link.Token || !strings.Contains(body, link.Event) || !strings.Contains(body, `"Slug__c":"`+link.Slug+`"`) {
			t.Errorf("%+v is %s", link, body)
		}
	}
	if fmt.Sprint(slugs) != "[last-seat long last-seat long]" {
		t.Errorf("links to %v", slugs)
	}
	both := seedMade(t, o, `{"events":2,"links":1003}`)
	if both.LinkCount != 1003 || len(both.Links) != 1000 || len(both.Tokens) != 1000 {
		t.Errorf("%d links, %d shown, %d tokens", both.LinkCount, len(both.Links), len(both.Tokens))
	}
	for i, link := range both.Links {
		if want := both.Events[i%2]; link.Event != want.ID || link.Slug != want.Slug {
			t.Fatalf("link %d goes to %+v, not %+v", i, link, want)
		}
	}
	full := open(t, Options{})
	full.want("POST", "/_sim/seed", `{"links":1}`, 400, "seed some events")
}

func seedMade(t *testing.T, o *org, ask string) seed.Made {
	t.Helper()
	var made seed.Made
	if err := json.Unmarshal([]byte(o.want("POST", "/_sim/seed", ask, 200, "{")), &made); err != nil {
		t.Fatal(err)
	}
	return made
}
