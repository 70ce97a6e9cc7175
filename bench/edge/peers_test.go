package edge

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/turnout-events/turnout/internal/wiretest"
)

// plan is what a proxy stands before, and what it holds whom to.
type plan struct {
	upstreams []upstream
	// rate is the allowance of the org "abuser", in requests/s, 0 for none; share
	// is its part of what the instances do at once, which is places.
	rate   int
	share  float64
	places int
	// hosts is how many more hosts the victim has, h0.example and so on.
	hosts int
	// serial makes one plan differ from another that means the same.
	serial int
	// secure: visitors come over TLS. guarded: the edge holds each client address
	// to its usual number of connections.
	secure, guarded bool
}

type upstream struct {
	name, addr string
	// second: it serves when the first region does not.
	second bool
}

// Hosts of the two orgs.
const (
	victimHost = "victim.localhost"
	abuserHost = "abuser.localhost"
)

// peer is a kind of proxy.
type peer struct {
	name string
	// start runs one with its files in dir.
	start func(b *testing.B, dir string, p plan) *proxy
}

// proxy is one that runs.
type proxy struct {
	*process
	addr string
	// change has it take up another plan, as an operator would.
	change func(p plan)
}

// Names of the peers, as the tables have them.
const (
	nameEdge     = "turnout edge"
	nameHAProxy  = "HAProxy"
	nameDefaults = "HAProxy, defaults"
	nameNginx    = "nginx"
	nameReverse  = "ReverseProxy"
)

// peers are those of these names that are wanted, ours first.
func peers(b *testing.B, names ...string) []peer {
	b.Helper()
	all := map[string]peer{
		nameEdge:     {nameEdge, startEdge},
		nameHAProxy:  {nameHAProxy, haproxy(true)},
		nameDefaults: {nameDefaults, haproxy(false)},
		nameNginx:    {nameNginx, startNginx},
		nameReverse:  {nameReverse, startReverseProxy},
	}
	var some []peer
	for _, name := range names {
		if *only == "" || strings.Contains(","+*only+",", ","+name+",") {
			some = append(some, all[name])
		}
	}
	if len(some) == 0 {
		b.Skip("none of its peers is wanted")
	}
	return some
}

// run starts a peer before a plan.
func (k peer) run(b *testing.B, p plan) *proxy {
	b.Helper()
	x := k.start(b, b.TempDir(), p)
	awaitListener(b, x.addr)
	return x
}

func startEdge(b *testing.B, dir string, p plan) *proxy {
	addr := wiretest.FreeAddress(b)
	change := func(p plan) { replace(b, filepath.Join(dir, "routes.yaml"), routes(p)) }
	change(p)
	return &proxy{launchRole(b, "edge", edgeSettings{addr, dir, p.secure, p.guarded}), addr, change}
}

// routes is a plan as `turnout edge` reads it.
func routes(p plan) string {
	var first, second strings.Builder
	for _, u := range p.upstreams {
		to := &first
		if u.second {
			to = &second
		}
		fmt.Fprintf(to, "          - {name: %s, url: \"http://%s\"}\n", u.name, u.addr)
	}
	text := "stacks:\n  - name: blue\n    pools:\n      - region: first\n        upstreams:\n" + first.String()
	if second.Len() > 0 {
		text += "      - region: second\n        upstreams:\n" + second.String()
	}
	text += fmt.Sprintf("orgs:\n  - id: victim\n    hosts: [%s]\n    placement: {allowance: {per_second: %d, burst: %d, share: 1}}\n  - id: abuser\n    hosts: [%s]\n",
		strings.Join(append(names(p.hosts), victimDomain), ", "), plenty, plenty-p.serial, abuserDomain)
	if p.rate > 0 {
		text += fmt.Sprintf("    placement: {allowance: {per_second: %d, burst: %d, share: %g}}\n", p.rate, p.rate/10, p.share)
	}
	return text
}

func names(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("h%d.example", i)
	}
	return all
}

func startReverseProxy(b *testing.B, dir string, p plan) *proxy {
	s := proxySettings{Listen: wiretest.FreeAddress(b)}
	for _, u := range p.upstreams {
		s.Upstreams = append(s.Upstreams, u.addr)
	}
	if p.secure {
		s.Pair = pair(b, dir)
	}
	return &proxy{launchRole(b, "reverseproxy", s), s.Listen, nil}
}

// haproxy starts HAProxy as somebody runs it who knows it well, or with its defaults.
func haproxy(tuned bool) func(b *testing.B, dir string, p plan) *proxy {
	return func(b *testing.B, dir string, p plan) *proxy {
		addr, file := wiretest.FreeAddress(b), filepath.Join(dir, "haproxy.cfg")
		bind := addr
		if p.secure {
			bind += " ssl crt " + pair(b, dir) + " alpn h2,http/1.1 ciphersuites TLS_AES_128_GCM_SHA256"
		}
		replace(b, file, haproxyConfig(bind, p, tuned))
		log, err := os.Create(filepath.Join(dir, "access.log"))
		if err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command("haproxy", "-W", "-f", file)
		cmd.Stdout, cmd.Stderr = log, log
		x := &proxy{process: launch(b, nameHAProxy, cmd), addr: addr}
		x.change = func(p plan) {
			replace(b, file, haproxyConfig(bind, p, tuned))
			x.signal(syscall.SIGUSR2)
		}
		return x
	}
}

func haproxyConfig(bind string, p plan, tuned bool) string {
	var c strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&c, format+"\n", args...) }
	line("# %d\nglobal\n  maxconn 8000\n  log stdout format raw local0 info\n  hard-stop-after 20s", p.serial)
	line("defaults\n  mode http\n  log global\n  option httplog\n  timeout connect 1s\n  timeout client 60s\n  timeout server 30s\n  timeout check 500ms\n  timeout http-request 20s\n  timeout http-keep-alive 60s\n  balance leastconn")
	if tuned {
		line("  option redispatch 1\n  retries 3\n  retry-on all-retryable-errors\n  option http-buffer-request\n  http-reuse safe")
	}
	line("backend per_client\n  stick-table type ip size 64k expire 60s store http_req_rate(1s)")
	line("backend per_org\n  stick-table type string len 64 size 1k expire 60s store http_req_rate(1s)")
	line("frontend public\n  bind %s\n  http-request track-sc0 src table per_client\n  http-request track-sc1 req.hdr(host),lower table per_org", bind)
	line("  http-request deny deny_status 429 if { sc_http_req_rate(0) gt %d }", plenty)
	if p.rate > 0 {
		line("  http-request deny deny_status 429 if { req.hdr(host) %s } { sc_http_req_rate(1) gt %d }", abuserHost, p.rate)
	}
	line("  option forwardfor\n  default_backend instances\nbackend instances\n  cookie bench insert indirect nocache httponly\n  option httpchk GET %s", drainPath)
	check := "check"
	if tuned {
		line("  http-check disable-on-404")
		check = "check inter 250ms fall 1 rise 2 on-marked-down shutdown-sessions observe layer7 error-limit 5 on-error mark-down"
	}
	for _, u := range p.upstreams {
		backup := ""
		if u.second {
			backup = " backup"
		}
		line("  server %s %s cookie %s %s%s", u.name, u.addr, u.name, check, backup)
	}
	return c.String()
}

func startNginx(b *testing.B, dir string, p plan) *proxy {
	addr, file := wiretest.FreeAddress(b), filepath.Join(dir, "nginx.conf")
	listen := addr
	if p.secure {
		file := pair(b, dir)
		listen += " ssl http2;\n  ssl_certificate " + file + "; ssl_certificate_key " + file + "; ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256"
	}
	replace(b, file, nginxConfig(listen, p))
	x := &proxy{process: launch(b, nameNginx, exec.Command("nginx", "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file)), addr: addr}
	x.change = func(p plan) {
		replace(b, file, nginxConfig(listen, p))
		x.signal(syscall.SIGHUP)
	}
	return x
}

// nginxConfig keeps sessions by hashing a cookie, since the free nginx has no
// other way; with a second region not at all, since it cannot do both.
func nginxConfig(listen string, p plan) string {
	var c strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&c, format+"\n", args...) }
	line("# %d\nuser root;\nworker_processes auto;\ndaemon off;\npid nginx.pid;\nevents { worker_connections 8192; }\nhttp {", p.serial)
	line("access_log access.log combined buffer=64k flush=1s;\nkeepalive_requests 100000000;\nclient_header_timeout 5s; client_body_timeout 20s; client_body_temp_path body; proxy_temp_path temp; fastcgi_temp_path fast; uwsgi_temp_path uwsgi; scgi_temp_path scgi;")
	line("map $cookie_bench $session { default $cookie_bench; \"\" $request_id; }\nmap $cookie_bench $fresh { default \"\"; \"\" \"bench=$request_id; Path=/; HttpOnly\"; }")
	line("map $host $abuser { default \"\"; %s $host; }", abuserHost)
	line("limit_req_zone $binary_remote_addr zone=client:10m rate=%dr/s;\nlimit_req_zone $abuser zone=org:1m rate=%dr/s;\nlimit_conn_zone $abuser zone=share:1m;", plenty, max(1, p.rate))
	line("limit_req_status 429; limit_conn_status 429;\nupstream instances {\n  keepalive 512; keepalive_requests 100000000;")
	balance, second := "hash $session consistent;", false
	for _, u := range p.upstreams {
		backup := ""
		if u.second {
			backup, second = " backup", true
		}
		line("  server %s max_fails=2 fail_timeout=1s%s;", u.addr, backup)
	}
	text := c.String()
	if second {
		balance = "least_conn;"
	}
	text = strings.Replace(text, "  keepalive 512;", "  "+balance+"\n  keepalive 512;", 1)
	c.Reset()
	line("}\nserver {\n  listen %s;\n  location / {\n    limit_req zone=client burst=10000 nodelay;", listen)
	if p.rate > 0 {
		line("    limit_req zone=org burst=%d nodelay;\n    limit_conn share %d;", max(1, p.rate/10), max(1, int(p.share*float64(p.places))))
	}
	line("    proxy_pass http://instances; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host;")
	line("    proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;")
	line("    proxy_next_upstream error timeout http_500 http_502 http_503 http_504 non_idempotent; proxy_next_upstream_tries 3;")
	line("    proxy_connect_timeout 1s; proxy_read_timeout 7s; add_header Set-Cookie $fresh always;\n  }\n}\n}")
	return text + c.String()
}

// replace writes a file in one step.
func replace(b *testing.B, path, text string) {
	b.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		b.Fatal(err)
	}
}
