package salesforce

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-events/turnout"
)

// org is a recorded Salesforce: a token endpoint and whatever a test adds.
type org struct {
	*httptest.Server
	mux    *http.ServeMux
	tokens atomic.Int64
}

func newOrg(t *testing.T) *org {
	t.Helper()
	o := &org{mux: http.NewServeMux()}
	o.mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"access_token":"00Dx!%d","instance_url":%q,"token_type":"Bearer","issued_at":"1278448832702","id":"https://login.example.com/id/00D/005"}`, o.tokens.Add(1), o.URL)
	})
	o.Server = httptest.NewServer(o.mux)
	t.Cleanup(o.Close)
	return o
}

func (o *org) client(change ...func(*Options)) *Client {
	opts := Options{
		Connection: turnout.Connection{LoginURL: o.URL, Flow: "client_credentials", ClientID: "id"},
		Secrets:    turnout.Secrets{ClientSecret: "very-secret"},
		PollEvery:  time.Millisecond,
	}
	for _, c := range change {
		c(&opts)
	}
	return New(opts)
}

func (o *org) answer(pattern string, status int, body string) {
	o.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		w.Header().Set("Sforce-Limit-Info", "api-usage=18/15000")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

const describePath = "/services/data/v65.0/sobjects/Lead/describe"

func TestTokenIsFetchedOnceForAll(t *testing.T) {
	o := newOrg(t)
	release := make(chan struct{})
	var asked atomic.Int64
	outer := http.NewServeMux()
	outer.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-release
		o.mux.ServeHTTP(w, r)
	})
	login := httptest.NewServer(outer)
	defer login.Close()
	o.answer("GET "+describePath, 200, `{"name":"Lead"}`)
	c := o.client(func(opts *Options) { opts.Connection.LoginURL = login.URL })
	var ready, done sync.WaitGroup
	for range 50 {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			if _, err := c.Describe(t.Context(), "Lead"); err != nil {
				t.Error(err)
			}
		})
	}
	// One caller gives up; the others must not notice.
	ctx, cancel := context.WithCancel(t.Context())
	done.Go(func() {
		if _, err := c.Describe(ctx, "Lead"); turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Errorf("a cancelled caller got %v", err)
		}
	})
	ready.Wait()
	cancel()
	close(release)
	done.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("%d sign-ins for 50 callers, want 1", n)
	}
}

func TestExpiredSessionIsReplayedOnce(t *testing.T) {
	for _, test := range []struct {
		name, body string
		heals      bool
		code       turnout.Code
		calls      int64
		tokens     int64
	}{
		{"expired, then taken", `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, true, "", 2, 2},
		{"expired for good", `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, false, turnout.CodeExpired, 2, 2},
		{"not for REST", `[{"message":"This session is not valid for use with the REST API","errorCode":"INVALID_SESSION_ID"}]`, false, turnout.CodeForbidden, 1, 1},
		{"another 401", `[{"message":"no","errorCode":"INVALID_AUTH_HEADER"}]`, false, turnout.CodeUnauthorized, 1, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOrg(t)
			var calls atomic.Int64
			o.mux.HandleFunc("PATCH /services/data/v65.0/composite/sobjects/Lead/Key__c", func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if n := calls.Add(1); test.heals && n == 2 {
					if r.Header.Get("Authorization") != "Bearer 00Dx!2" || !bytes.Contains(body, []byte("k1")) {
						t.Errorf("the replay has %q and %s", r.Header.Get("Authorization"), body)
					}
					_, _ = io.WriteString(w, `[{"id":"00Q000000000001","success":true,"errors":[],"created":true}]`)
					return
				}
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, test.body)
			})
			rows, err := o.client().CollectionsUpsert(t.Context(), "Lead", "Key__c", []Record{{"Key__c": "k1"}})
			if turnout.CodeOf(err) != test.code || calls.Load() != test.calls || o.tokens.Load() != test.tokens {
				t.Fatalf("code %q after %d calls and %d tokens: %v", turnout.CodeOf(err), calls.Load(), o.tokens.Load(), err)
			}
			if test.heals && rows[0].ID != "00Q000000000001EAA" {
				t.Errorf("row %+v", rows[0])
			}
		})
	}
}

func TestExpiryUnderConcurrencyAsksOnce(t *testing.T) {
	o := newOrg(t)
	o.mux.HandleFunc("GET "+describePath, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "Bearer 00Dx!1" {
			w.WriteHeader(401)
			_, _ = io.WriteString(w, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)
			return
		}
		_, _ = io.WriteString(w, `{}`)
	})
	c := o.client()
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			if _, err := c.Describe(t.Context(), "Lead"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := o.tokens.Load(); n != 2 {
		t.Errorf("%d tokens, want the first and one more", n)
	}
}

// A refused sign-in is nobody's registration's fault, whatever it is called.
func TestRefusedSignInIsUnauthorized(t *testing.T) {
	for reply, status := range map[string]int{
		`{"error":"invalid_client"}`: 400, `{"error":"invalid_client_id"}`: 400, `{"error":"invalid_grant","error_description":"x"}`: 400,
		`{"error":"inactive_user"}`: 400, `{"error":"inactive_org"}`: 400, `{"error":"invalid_app_access"}`: 400, `{"error":"invalid_scope"}`: 400,
		`{"error":"something_new"}`: 400, `{"error":"something_else"}`: 403, ``: 401, `<html>`: 404,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, reply)
		}))
		c := New(Options{Connection: turnout.Connection{LoginURL: server.URL, Flow: "client_credentials"}})
		if _, err := c.Describe(t.Context(), "Lead"); turnout.CodeOf(err) != turnout.CodeUnauthorized {
			t.Errorf("%d %s gives %v", status, reply, err)
		}
		server.Close()
	}
}

func TestTokenLifetime(t *testing.T) {
	o := newOrg(t)
	o.answer("GET "+describePath, 200, `{}`)
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := o.client(func(opts *Options) {
		opts.Now = func() time.Time { return now }
		opts.TokenTTL = 10 * time.Minute
	})
	for range 2 {
		for range 3 {
			if _, err := c.Describe(t.Context(), "Lead"); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(11 * time.Minute)
	}
	if n := o.tokens.Load(); n != 2 {
		t.Errorf("%d tokens in two lifetimes", n)
	}
}

func TestJWTAssertion(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pemKey := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	now := time.Now().Truncate(time.Second)
	c := New(Options{
		Connection: turnout.Connection{LoginURL: "https://login.example.com", Flow: "jwt", ClientID: "consumer", Username: "bot@example.com"},
		Secrets:    turnout.Secrets{PrivateKey: string(pemKey)}, Now: func() time.Time { return now },
	})
	form, err := c.grant("https://login.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || form.Has("client_secret") {
		t.Errorf("form %v", form)
	}
	tok, err := jwt.Parse(form.Get("assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithValidMethods([]string{"RS256"}))
	if err != nil {
		t.Fatal(err)
	}
	claims := tok.Claims.(jwt.MapClaims)
	if claims["iss"] != "consumer" || claims["sub"] != "bot@example.com" || claims["aud"] != "https://login.example.com" ||
		claims["exp"] != float64(now.Add(2*time.Minute).Unix()) {
		t.Errorf("claims %v", claims)
	}
	c.opts.Secrets.PrivateKey = "not a key"
	if _, err := c.grant("x"); turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Errorf("a bad key gives %v", err)
	}
}

func TestInstanceMustBeSafe(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://x.my.salesforce.com": true, "https://x.my.salesforce.com/": true, "http://127.0.0.1:8180": true, "http://localhost:1": true, "http://[::1]:1": true, "http://acme.localhost:1": true,
		"http://x.my.salesforce.com": false, "https://x@evil.test": false, "ftp://127.0.0.1": false, "https://x.test/path": false, "": false, "//x": false, "https://x.test?q=1": false, "http://127.0.0.1.evil.test": false,
	} {
		if _, got := safeOrigin(raw); got != ok {
			t.Errorf("safeOrigin(%q) = %v", raw, got)
		}
	}
	o := &org{mux: http.NewServeMux()}
	o.answer("POST /services/oauth2/token", 200, `{"access_token":"t","instance_url":"http://plain.example.com"}`)
	o.Server = httptest.NewServer(o.mux)
	defer o.Close()
	_, err := o.client().Describe(t.Context(), "Lead")
	if turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Errorf("a plain instance gives %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		o := newOrg(t)
		o.mux.HandleFunc("GET "+describePath, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, status) })
		if _, err := o.client().Describe(t.Context(), "Lead"); err == nil {
			t.Errorf("%d counts as success", status)
		}
		login := &org{mux: http.NewServeMux()}
		login.mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief.URL, status) })
		login.Server = httptest.NewServer(login.mux)
		if _, err := login.client().Describe(t.Context(), "Lead"); err == nil {
			t.Errorf("%d at the token endpoint counts as success", status)
		}
		login.Close()
	}
	if stolen.Load() > 0 {
		t.Error("a redirect was followed")
	}
	// A next page that points elsewhere is one too.
	o := newOrg(t)
	o.answer("GET /services/data/v65.0/query", 200, `{"totalSize":2,"done":false,"nextRecordsUrl":"`+thief.URL+`/x","records":[{}]}`)
	for _, err := range o.client().Query(t.Context(), Living, "SELECT Id FROM Lead") {
		if err != nil && turnout.CodeOf(err) != turnout.CodeUnavailable {
			t.Error(err)
		}
	}
	if stolen.Load() > 0 {
		t.Error("a next page elsewhere was fetched")
	}
}

func TestWhatEveryCallSends(t *testing.T) {
	o := newOrg(t)
	o.mux.HandleFunc("PATCH /services/data/v65.0/composite/sobjects", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Sforce-Mru") != "updateMru=false" || r.Header.Get("Sforce-Call-Options") != "client=Turnout" || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Errorf("headers %v", r.Header)
		}
		if r.Header.Get("Content-Encoding") != "gzip" {
			t.Fatal("a large body is not compressed")
		}
		zr, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			AllOrNone *bool
			Records   []map[string]any
		}
		if err := json.NewDecoder(zr).Decode(&body); err != nil || body.AllOrNone == nil || *body.AllOrNone || len(body.Records) != 200 {
			t.Fatalf("%v %v %d", err, body.AllOrNone, len(body.Records))
		}
		if typ := body.Records[7]["attributes"].(map[string]any)["type"]; typ != "Lead" {
			t.Errorf("type %v", typ)
		}
		results := strings.TrimSuffix(strings.Repeat(`{"id":"00Q000000000001EAA","success":true,"errors":[]},`, 200), ",")
		w.Header().Set("Content-Encoding", "gzip")
		zw := gzip.NewWriter(w)
		_, _ = io.WriteString(zw, "["+results+"]")
		_ = zw.Close()
	})
	records := make([]Record, 200)
	for i := range records {
		records[i] = Record{"Id": "00Q000000000001EAA", "Description": "some words"}
	}
	var seen []string
	c := o.client(func(opts *Options) {
		opts.Observe = func(op string, code turnout.Code, _ time.Duration) { seen = append(seen, op+"="+string(code)) }
	})
	rows, err := c.CollectionsUpdate(t.Context(), "Lead", records)
	if err != nil || len(rows) != 200 || rows[199].ID == "" {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	if strings.Join(seen, " ") != "token= update=" {
		t.Errorf("observed %v", seen)
	}
	if _, err := c.CollectionsUpdate(t.Context(), "Lead", make([]Record, 201)); turnout.CodeOf(err) != turnout.CodeTooLarge {
		t.Errorf("201 records give %v", err)
	}
}

func TestQueryPages(t *testing.T) {
	o := newOrg(t)
	o.answer("GET /services/data/v65.0/query", 200, `{"totalSize":3,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/01g-2","records":[{"attributes":{},"Id":"1"},{"Id":"2"}]}`)
	o.answer("GET /services/data/v65.0/query/01g-2", 200, `{"totalSize":3,"done":true,"records":[{"Id":"3","Kids__r":{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/kids","records":[{"Name":"a"}]},"Parent__r":{"Name":"p"}}]}`)
	o.answer("GET /services/data/v65.0/query/kids", 200, `{"totalSize":2,"done":true,"records":[{"Name":"b"}]}`)
	c := o.client()
	var ids, kids []string
	for r, err := range c.Query(t.Context(), Living, "SELECT Id FROM Lead") {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.Text("Id"))
		for kid, err := range c.Children(t.Context(), r, "Kids__r") {
			if err != nil {
				t.Fatal(err)
			}
			kids = append(kids, kid.Text("Name"), r.Text("parent__R.name"))
		}
	}
	if strings.Join(ids, "") != "123" || strings.Join(kids, "") != "apbp" {
		t.Errorf("ids %v, kids %v", ids, kids)
	}
	if u := c.Usage(); u.Used != 18 || u.Limit != 15000 || u.At.IsZero() {
		t.Errorf("usage %+v", u)
	}
	if n, err := c.Count(t.Context(), "SELECT COUNT() FROM Lead"); n != 3 || err != nil {
		t.Errorf("count %d %v", n, err)
	}
}

func TestTogether(t *testing.T) {
	o := newOrg(t)
	o.answer("POST /services/data/v65.0/composite", 200, `{"compositeResponse":[
		{"body":{"totalSize":1,"done":true,"records":[{"Id":"1"}]},"httpHeaders":{},"httpStatusCode":200,"referenceId":"q0"},
		{"body":{"totalSize":2,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/more","records":[{"Id":"2"}]},"httpHeaders":{},"httpStatusCode":200,"referenceId":"q1"}]}`)
	o.answer("GET /services/data/v65.0/query/more", 200, `{"totalSize":2,"done":true,"records":[{"Id":"3"}]}`)
	results, err := o.client().Together(t.Context(), Living, "a", "b")
	if err != nil || len(results[0]) != 1 || len(results[1]) != 2 {
		t.Fatalf("%v %v", results, err)
	}
	o = newOrg(t)
	o.answer("POST /services/data/v65.0/composite", 200, `{"compositeResponse":[{"body":[{"message":"x","errorCode":"INVALID_FIELD"}],"httpStatusCode":400,"referenceId":"q0"}]}`)
	if _, err := o.client().Together(t.Context(), Living, "a"); turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Errorf("a failed part gives %v", err)
	}
}

func TestLostReplies(t *testing.T) {
	o := newOrg(t)
	hangUp := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}
	o.mux.HandleFunc("PATCH /services/data/v65.0/composite/sobjects", hangUp)
	o.mux.HandleFunc("GET /services/data/v65.0/query", hangUp)
	o.answer("PATCH /services/data/v65.0/composite/sobjects/Lead/Cut__c", 200, `[{"id":"00Q0`)
	c := o.client()
	record := []Record{{"Id": "1", "Email": "ada@example.com"}}
	if _, err := c.CollectionsUpdate(t.Context(), "Lead", record); turnout.CodeOf(err) != turnout.CodeUnknown {
		t.Errorf("a lost write is %v", err)
	}
	if _, err := c.CollectionsUpsert(t.Context(), "Lead", "Cut__c", record); turnout.CodeOf(err) != turnout.CodeUnknown {
		t.Errorf("a write with half a reply is %v", err)
	}
	_, err := c.Count(t.Context(), "SELECT COUNT() FROM Lead WHERE Email = 'ada@example.com'")
	if turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("a lost read is %v", err)
	}
	if strings.Contains(err.Error(), "ada") {
		t.Errorf("the error repeats the query: %v", err)
	}
	o.Close()
	if _, err := c.CollectionsUpdate(t.Context(), "Lead", record); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("a refused connection is %v", err)
	}
}

func TestNothingPersonalInErrorsAndLogs(t *testing.T) {
	var logs bytes.Buffer
	o := newOrg(t)
	o.answer("PATCH /services/data/v65.0/composite/sobjects/Lead/Key__c", 400, `[{"message":"Email: invalid email address: ada@example.com","errorCode":"INVALID_EMAIL_ADDRESS","fields":["Email","ada@example.com"]}]`)
	o.answer("GET "+describePath, 400, `[{"message":"x","errorCode":"ada@example.com"}]`)
	c := o.client(func(opts *Options) { opts.Logger = slog.New(slog.NewTextHandler(&logs, nil)) })
	_, err := c.CollectionsUpsert(t.Context(), "Lead", "Key__c", []Record{{"Email": "ada@example.com"}})
	if !strings.Contains(err.Error(), "INVALID_EMAIL_ADDRESS") || !strings.Contains(err.Error(), "fields Email") {
		t.Errorf("the error says too little: %v", err)
	}
	_, err2 := c.Describe(t.Context(), "Lead")
	for _, text := range []string{err.Error(), err2.Error(), fmt.Sprintf("%v", err), logs.String()} {
		if strings.Contains(text, "ada") || strings.Contains(text, "very-secret") || strings.Contains(text, "00Dx!") {
			t.Errorf("it gives something away: %s", text)
		}
	}
	if logs.Len() == 0 {
		t.Error("the sign-in is not logged")
	}
}

func TestProbe(t *testing.T) {
	o := newOrg(t)
	o.mux.HandleFunc("GET /services/data", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the free probe carries a token")
		}
		_, _ = io.WriteString(w, `[{"label":"Winter '26","url":"/services/data/v65.0","version":"65.0"}]`)
	})
	if err := o.client().Probe(t.Context()); err != nil {
		t.Error(err)
	}
	old := o.client(func(opts *Options) { opts.Connection.APIVersion = "v30.0" })
	if err := old.Probe(t.Context()); turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Errorf("a version that is not offered gives %v", err)
	}
	wrong := o.client(func(opts *Options) { opts.Connection.Flow = "password" })
	if err := wrong.Probe(t.Context()); turnout.CodeOf(err) != turnout.CodeMisconfigured {
		t.Errorf("an unknown flow gives %v", err)
	}
}

func TestClockFollowsSalesforce(t *testing.T) {
	o := newOrg(t)
	o.mux.HandleFunc("GET "+describePath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", "Fri, 01 May 2026 12:00:00 GMT")
		_, _ = io.WriteString(w, "{}")
	})
	c := o.client(func(opts *Options) {
		opts.Now = func() time.Time { return time.Date(2026, 5, 1, 13, 0, 0, 0, time.UTC) }
	})
	if _, err := c.Describe(t.Context(), "Lead"); err != nil {
		t.Fatal(err)
	}
	if got := c.Clock(); !got.Equal(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("clock %v", got)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: `'plain'`, `O'Neil`: `'O\'Neil'`, `\`: `'\\'`, `\' OR Name != '`: `'\\\' OR Name != \''`, "a\nb": `'a\nb'`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
	if _, err := url.QueryUnescape(url.QueryEscape(Quote(`%'\`))); err != nil {
		t.Error(err)
	}
}
