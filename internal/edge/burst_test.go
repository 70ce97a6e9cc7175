package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
)

// P11: what is sent at once beyond the org's places waits for them; nobody who
// filled in a form is told to do it again.
func TestP11ABurstWaitsForPlaces(t *testing.T) {
	plan := stacks()
	plan.Orgs[0].Placement.Allowance = turnout.Allowance{Share: 0.01}
	s := onStage(t, plan, func(o *Options) { o.Patience = time.Minute })
	arrived, held := make(chan struct{}, 1000), make(chan struct{})
	for _, in := range s.instances {
		in.Will(func(w http.ResponseWriter, _ *http.Request) {
			arrived <- struct{}{}
			<-held
			w.WriteHeader(http.StatusSeeOther)
		})
	}
	site := s.view.Load().sites["acme.example"]
	burst := 3 * site.part()
	codes := make(chan int, burst)
	for range burst {
		go func() {
			r := httptest.NewRequest(http.MethodPost, "http://acme.example/events/gala/register", strings.NewReader("key=k"))
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			codes <- w.Code
		}()
	}
	for range site.part() {
		<-arrived
	}
	close(held)
	got := map[int]int{}
	for range burst {
		got[<-codes]++
	}
	if got[http.StatusSeeOther] != burst {
		t.Errorf("%d submissions at %d places were answered %v", burst, site.part(), got)
	}
	if n := site.tenant.stile.Waiting(); n != 0 {
		t.Errorf("%d wait on", n)
	}
}
