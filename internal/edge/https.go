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

// ToHTTPS sends visitors of known hosts to the same address by HTTPS at a port.
// Those whom a trusted proxy brought by HTTPS are there already.
func (e *Edge) ToHTTPS(port string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, https := e.o.Trusted.Of(r)
		if https {
			e.ServeHTTP(w, r)
			return
		}
		v := &visit{w: w, r: r, began: e.now(), kind: kindOf(r.URL.Path), client: from}
		defer e.account(v)
		if e.clientMay(v) {
			e.redirect(v, port)
		}
	})
}

func (e *Edge) redirect(v *visit, port string) {
	site, ok := e.view.Load().site(v.r.Host)
	if !ok {
		e.refuse(v, http.StatusMisdirectedRequest)
		return
	}
	v.site, v.status = site, http.StatusPermanentRedirect
	host := site.host
	if port != "443" {
		host = net.JoinHostPort(host, port)
	}
	http.Redirect(v.w, v.r, "https://"+host+v.r.URL.RequestURI(), http.StatusPermanentRedirect)
}
