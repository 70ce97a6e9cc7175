package edge

import (
	"net"
	"net/http"
)

// Knows reports whether a host, in lower case, is served here: whoever asks for
// another one gets no certificate.
func (e *Edge) Knows(host string) bool {
	_, ok := e.view.Load().sites[host]
	return ok
}

// ToHTTPS sends visitors of known hosts to the same address by HTTPS, at the
// port of at.
func (e *Edge) ToHTTPS(at net.Addr) http.Handler {
	_, port, _ := net.SplitHostPort(at.String())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r, began: e.now(), kind: kindOf(r.URL.Path)}
		defer e.account(v)
		v.client, _ = e.visitor(r)
		if !e.clientMay(v) {
			return
		}
		site, ok := e.view.Load().site(r.Host)
		if !ok {
			e.refuse(v, http.StatusMisdirectedRequest)
			return
		}
		v.site, v.status = site, http.StatusPermanentRedirect
		host := site.host
		if port != "443" {
			host = net.JoinHostPort(host, port)
		}
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
}
