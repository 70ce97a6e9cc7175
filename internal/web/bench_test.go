package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// discard is a client that reads nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func benchmarkGet(b *testing.B, path string) {
	s := newSite(b)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "events.example.org"
	b.ReportAllocs()
	for b.Loop() {
		s.handler.ServeHTTP(discard{http.Header{}}, r)
	}
}

func BenchmarkEventPage(b *testing.B)  { benchmarkGet(b, "/events/spring-forum") }
func BenchmarkPublicForm(b *testing.B) { benchmarkGet(b, formPath) }
func BenchmarkLinkPage(b *testing.B)   { benchmarkGet(b, "/l/"+graceToken) }
