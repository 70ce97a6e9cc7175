package loading

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func links(t *testing.T, text string) ([]string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "links.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return readLinks(path, &url.URL{Scheme: "http", Host: "acme.localhost:8080"})
}

func TestLinksOfAFile(t *testing.T) {
	got, err := links(t, "\ufeff# links\nhttp://acme.localhost:8080/l/abcdefghij\r\n\nklmnopqrst\n/l/uvwxyz0123\nhttp://ACME.localhost:8080/l/45678901?x=1\n")
	if err != nil || !slices.Equal(got, []string{"/l/abcdefghij", "/l/klmnopqrst", "/l/uvwxyz0123", "/l/45678901"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// Links of others are listed by line and counted, and nobody's token is repeated.
func TestLinksOfOthersAreRefused(t *testing.T) {
	text := "http://acme.localhost:8080/l/abcdefghij\n" + strings.Repeat("http://other.localhost:8080/l/secretsecret\n", 12) + "http://acme.localhost:8080/events/x\nno link\n"
	_, err := links(t, text)
	if !errors.Is(err, ErrUse) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"14 of 15 are no personal links of acme.localhost:8080", "line 2: a link of another host, other.localhost:8080", "and 4 more"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("a token is repeated: %v", err)
	}
	if _, err := links(t, "# nothing\n"); err == nil {
		t.Error("an empty file is taken")
	}
}

func FuzzLinkPath(f *testing.F) {
	f.Add("http://acme.localhost:8080/l/abcdefghij")
	f.Add("/l/%2e%2e")
	f.Fuzz(func(t *testing.T, line string) {
		path, says := linkPath(line, &url.URL{Scheme: "http", Host: "acme.localhost:8080"})
		if (path == "") == (says == "") {
			t.Errorf("%q, %q", path, says)
		}
		if path != "" && (!strings.HasPrefix(path, "/l/") || strings.ContainsAny(path[3:], "/?# \n%")) {
			t.Errorf("a path like %q", path)
		}
	})
}
