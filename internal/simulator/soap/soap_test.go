package soap

import (
	"encoding/xml"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	const open, shut = `<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header>`, `</se:Body></se:Envelope>`
	got, err := Parse([]byte(open + `</se:Header><se:Body><n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>a&amp;b</n1:username><n1:password>p</n1:password></n1:login>` + shut))
	if err != nil || got.Login == nil || *got.Login != (Login{"a&b", "p"}) || got.Logout {
		t.Errorf("%+v %v", got, err)
	}
	got, err = Parse([]byte(open + `<SessionHeader xmlns="urn:partner.soap.sforce.com"><sessionId> 00D!x </sessionId></SessionHeader></se:Header><se:Body><logout/>` + shut))
	if err != nil || !got.Logout || got.Session != "00D!x" || got.Login != nil {
		t.Errorf("%+v %v", got, err)
	}
	if got, err = Parse([]byte(open + `</se:Header><se:Body><query/>` + shut)); err != nil || got.Name != "query" || got.Login != nil || got.Logout {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "{}", "<a/>", open, open + `</se:Header><se:Body>` + shut} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestAnswersAreXML(t *testing.T) {
	for part, text := range map[string][]byte{
		"<sessionId>00D!&lt;</sessionId>":                      LoggedIn(Session{Token: "00D!<"}),
		"<logoutResponse/>":                                    LoggedOut(),
		"<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>":   Fault("INVALID_LOGIN", "No & never", "LoginFault"),
		"<faultstring>INVALID_LOGIN: No &amp; never</faultstr": Fault("INVALID_LOGIN", "No & never", "LoginFault"),
	} {
		var any struct{}
		if err := xml.Unmarshal(text, &any); err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%v: %s", err, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<e:Envelope xmlns:e="x"><e:Body><login><username>a</username><password>b</password></login></e:Body></e:Envelope>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := Parse(text); err == nil && got.Name == "" {
			t.Errorf("%q has no name", text)
		}
	})
}
