package orgs

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

// jobServer has bulk jobs of three pages, of 2,500, 2,500 and 100 links. The
// links of a later job are of its number.
type jobServer struct {
	t       *testing.T
	made    int
	jobs    map[string]bool
	fetched []string // job and locator of each page
	away    string   // a page that is not given
}

func (s *jobServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", "Tue, 01 Jun 2027 12:00:00 GMT")
	path := strings.TrimPrefix(r.URL.Path, "/services/data/v65.0")
	id, part, _ := strings.Cut(strings.TrimPrefix(path, "/jobs/query/"), "/")
	switch {
	case path == "/services/oauth2/token":
		fmt.Fprintf(w, `{"access_token":"t","instance_url":"http://%s"}`, r.Host)
	case path == "/query", path == "/queryAll":
		_, _ = io.WriteString(w, `{"totalSize":5100,"done":false,"nextRecordsUrl":"/services/data/v65.0/query/2","records":[]}`)
	case path == "/jobs/query":
		s.made++
		s.jobs["750"+strconv.Itoa(s.made)] = true
		fmt.Fprintf(w, `{"id":"750%d","state":"UploadComplete"}`, s.made)
	case !s.jobs[id]:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `[{"errorCode":"NOT_FOUND","message":"x"}]`)
	case r.Method == http.MethodDelete:
		delete(s.jobs, id)
		w.WriteHeader(http.StatusNoContent)
	case part == "results":
		s.page(w, id, r.URL.Query().Get("locator"))
	default:
		_, _ = io.WriteString(w, `{"state":"JobComplete","numberRecordsProcessed":5100}`)
	}
}

func (s *jobServer) page(w http.ResponseWriter, id, locator string) {
	s.fetched = append(s.fetched, id+" "+locator)
	pages := map[string]struct {
		from, n int
		next    string
	}{"": {0, 2500, "MTAw"}, "MTAw": {2500, 2500, "MjAw"}, "MjAw": {5000, 100, "null"}}
	p, ok := pages[locator]
	if !ok || locator == s.away {
		w.WriteHeader(map[bool]int{true: http.StatusForbidden, false: http.StatusBadRequest}[ok])
		return
	}
	w.Header().Set("Sforce-Locator", p.next)
	w.Header().Set("Sforce-NumberOfRecords", strconv.Itoa(p.n))
	fmt.Fprintln(w, "Id,Token__c,Event__c,SystemModstamp,IsDeleted")
	for i := p.from; i < p.from+p.n; i++ {
		fmt.Fprintf(w, "a05%012d,token-%s-%05d,%s,2027-01-%02dT00:00:00.000Z,false\n", i, id, i, event, 1+i/2500)
	}
}

// reading is what one process read.
type reading struct {
	tokens []string
	parts  []turnout.LinkPart // without links
	next   time.Time
	err    error
}

func (s *jobServer) read(server *httptest.Server, mapped, place string, stop func(part int) error) reading {
	s.t.Helper()
	m, err := mapping.Load(mapped)
	if err != nil {
		s.t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC) }
	client := salesforce.New(salesforce.Options{Connection: turnout.Connection{LoginURL: server.URL, Flow: "client_credentials"}, PollEvery: time.Millisecond, Now: now})
	o := New(Options{Org: turnout.Org{ID: "acme"}, Mapping: m, Client: client, Now: now})
	var r reading
	r.next, r.err = o.LinksSince(s.t.Context(), time.Time{}, place, func(p turnout.LinkPart) error {
		if err := stop(len(r.parts)); err != nil {
			return err
		}
		for _, l := range p.Links {
			r.tokens = append(r.tokens, l.Token)
		}
		p.Links = nil
		r.parts = append(r.parts, p)
		return nil
	})
	return r
}

// place is the last one that was told.
func (r reading) place() (place string) {
	for _, p := range r.parts {
		if p.Place != "" {
			place = p.Place
		}
	}
	return place
}

func on(int) error { return nil }

func newJobServer(t *testing.T) (*jobServer, *httptest.Server) {
	s := &jobServer{t: t, jobs: map[string]bool{}, away: "none"}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server
}

// Wherever a process stops, the next one fetches only the page that was not kept
// whole, and both together have every link.
func TestBulkReadingGoesOn(t *testing.T) {
	stopped := errors.New("killed")
	for stop, want := range []struct{ had, again int }{
		0: {0, 3}, // the job was made, and nobody noted it
		1: {0, 3}, 2: {2000, 3}, 3: {2500, 2}, 4: {4500, 2}, 5: {5000, 1},
		6: {5100, 0}, // everything is kept, and the job still there
	} {
		s, server := newJobServer(t)
		first := s.read(server, "turnout", "", func(part int) error {
			if part == stop {
				return stopped
			}
			return nil
		})
		if stop == 6 {
			s, server = newJobServer(t)
			first = s.read(server, "turnout", "", on)
			s.jobs["7501"] = true
		} else if !errors.Is(first.err, stopped) || !first.next.IsZero() {
			t.Fatalf("stopped at %d: %v %v", stop, first.next, first.err)
		}
		s.fetched = nil
		second := s.read(server, "turnout", first.place(), on)
		if second.err != nil || len(first.tokens) != want.had || len(s.fetched) != want.again {
			t.Errorf("stopped at part %d: had %d links and fetched %q again, %v", stop, len(first.tokens), s.fetched, second.err)
		}
		if stop > 0 && (s.made != 1 || s.jobs["7501"]) {
			t.Errorf("stopped at part %d: %d jobs were made, left are %v", stop, s.made, s.jobs)
		}
		all := slices.Compact(slices.Sorted(slices.Values(append(first.tokens, second.tokens...))))
		if len(all) != 5100 && stop > 0 {
			t.Errorf("stopped at part %d: both read %d links", stop, len(all))
		}
		if want := time.Date(2027, 1, 3, 0, 0, 0, 1e6, time.UTC); !second.next.Equal(want) {
			t.Errorf("stopped at part %d: the next poll starts at %v, want %v", stop, second.next, want)
		}
		if last := second.parts[len(second.parts)-1]; last.Done != 5100 || last.Total != 5100 {
			t.Errorf("stopped at part %d: the last part is %+v", stop, last)
		}
	}
}

// A job that is gone, a locator that Salesforce does not know and another mapping
// begin anew, and nothing of the old job is missing from the new one.
func TestBulkReadingBeginsAnew(t *testing.T) {
	for name, spoil := range map[string]func(s *jobServer, place string) (mapped, spoilt string){
		"job gone": func(s *jobServer, place string) (string, string) { clear(s.jobs); return "turnout", place },
		"locator gone": func(_ *jobServer, place string) (string, string) {
			return "turnout", strings.Replace(place, "MTAw", "x", 1)
		},
		"other mapping": func(_ *jobServer, place string) (string, string) { return "campaign", place },
		"nonsense":      func(*jobServer, string) (string, string) { return "turnout", "{" },
	} {
		t.Run(name, func(t *testing.T) {
			s, server := newJobServer(t)
			first := s.read(server, "turnout", "", func(part int) error {
				if part == 4 {
					return errors.New("killed")
				}
				return nil
			})
			mapped, place := spoil(s, first.place())
			second := s.read(server, mapped, place, on)
			if second.err != nil || s.made != 2 {
				t.Fatalf("%v, %d jobs", second.err, s.made)
			}
			if mapped == "turnout" && (len(second.tokens) != 5100 || slices.ContainsFunc(second.tokens, func(s string) bool { return !strings.HasPrefix(s, "token-7502-") })) {
				t.Errorf("%d links, the first %v", len(second.tokens), second.tokens[:1])
			}
		})
	}
}

// What holds for the whole org, or passes, throws no job away.
func TestBulkReadingWaits(t *testing.T) {
	s, server := newJobServer(t)
	s.away = "MjAw" // which is refused to this user
	first := s.read(server, "turnout", "", on)
	if turnout.CodeOf(first.err) != turnout.CodeForbidden {
		t.Fatal(first.err)
	}
	second := s.read(server, "turnout", first.place(), on)
	if turnout.CodeOf(second.err) != turnout.CodeForbidden || s.made != 1 || !s.jobs["7501"] || len(second.tokens) != 0 {
		t.Errorf("%v, %d jobs, %d links", second.err, s.made, len(second.tokens))
	}
}

// P8: a place names nobody.
func TestP8PlaceNamesNobody(t *testing.T) {
	s, server := newJobServer(t)
	for _, p := range s.read(server, "turnout", "", on).parts {
		if strings.Contains(p.Place, "token") || strings.Contains(p.Place, "a05") || strings.Contains(p.Place, "Email") {
			t.Errorf("place %s", p.Place)
		}
	}
}
