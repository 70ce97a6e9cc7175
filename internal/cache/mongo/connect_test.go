package mongo

import (
	"crypto/tls"
	"strings"
	"testing"
)

// Outside of this machine nothing goes without TLS; and a password is in no error.
func TestP8WireIsEncryptedOutsideOfThisMachine(t *testing.T) {
	for url, words := range map[string]string{
		"mongodb://u:secret@db.example/turnout":                             "without TLS",
		"mongodb://u:secret@db.example/turnout?tls=false":                   "without TLS",
		"mongodb://u:secret@127.0.0.1,db.example:27018/turnout":             "without TLS",
		"mongodb://u:secret@10.0.0.7:27017/turnout":                         "without TLS",
		"mongodb+srv://u:secret@db.example/turnout?tls=false":               "without TLS",
		"mongodb+srv://u:secret@db.example/turnout?ssl=false&appName=x":     "without TLS",
		"mongodb://u:secret@db.example/turnout?tls=true":                    "",
		"mongodb://u:secret@db.example,other.example/turnout?ssl=true":      "",
		"mongodb+srv://u:secret@db.example/turnout?retryWrites=true":        "",
		"mongodb+srv://u:secret@db.example":                                 "",
		"mongodb://127.0.0.1:27018/turnout":                                 "",
		"mongodb://localhost/turnout":                                       "",
		"mongodb://[::1]:27017":                                             "",
		"mongodb://%2Ftmp%2Fmongodb-27017.sock/turnout":                     "",
		"mongodb://u:secret@db.example:port/turnout?tls=true":               "cannot be read",
		"mongodb://u:sec@ret@db.example/turnout?tls=true":                   "cannot be read",
		"mongodb://u:secret@db.example/?tls=true&tlsCAFile=/secret/nowhere": "cannot be read",
		"mongodb://u:secret@db.example/a.b?tls=true":                        "no database",
		"mongodb://u:secret@db.example/admin?tls=true":                      "MongoDB's own",
		"postgres://u:secret@db.example/t":                                  "mongodb://",
		"":                                                                  "mongodb://",
	} {
		err := Check(url)
		switch {
		case words == "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case words != "" && (err == nil || !strings.Contains(err.Error(), words) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v, want %q", url, err, words)
		}
	}
	set, at, err := parse("mongodb://u:p%2Fw@db.example,other.example/links?tls=true")
	if err != nil {
		t.Fatal(err)
	}
	if set.TLSConfig.MinVersion < tls.VersionTLS12 {
		t.Error("TLS older than 1.2 is taken")
	}
	if at.database != "links" || at.hosts != "db.example,other.example" {
		t.Errorf("it is at %+v", at)
	}
	if _, at, err := parse("mongodb://localhost"); err != nil || at.database != ordinaryDatabase {
		t.Errorf("without a name the database is %+v, %v", at, err)
	}
}

// FuzzCheck holds that no URL makes a connection that leaves this machine in the
// clear, and that no error shows what stands before the host.
func FuzzCheck(f *testing.F) {
	f.Add("mongodb://u:hunter2@db.example/t?tls=false")
	f.Add("mongodb://localhost,db.example/t?ssl=true")
	f.Add("mongodb://hunter2@db.example/a b?tlsInsecure=true")
	f.Fuzz(func(t *testing.T, url string) {
		if strings.HasPrefix(url, srvScheme) {
			return // it asks DNS
		}
		set, at, err := parse(url)
		if err != nil {
			if strings.Contains(err.Error(), "hunter2") && !strings.Contains(err.Error(), "without TLS") {
				t.Errorf("%q: %v", url, err)
			}
			return
		}
		for _, host := range set.Hosts {
			if set.TLSConfig == nil && secure(host, nil) != nil {
				t.Errorf("%q goes to %s without TLS", url, host)
			}
		}
		if at.database == "" || strings.ContainsAny(at.database, "/. ") {
			t.Errorf("%q is in %q", url, at.database)
		}
	})
}
