package simulator

import (
	"crypto/subtle"
	"net/http"
	"net/url"

	"github.com/turnout-events/turnout/internal/simulator/soap"
)

// equal compares secrets in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// passwordGrant logs in by user name and password, which are the client's id
// and secret here, as well as those of the app.
func (c *call) passwordGrant(form url.Values) reply {
	if refused := c.client(form); refused != nil {
		return *refused
	}
	if !c.knows(form.Get("username"), form.Get("password")) {
		return oauthError("invalid_grant", "authentication failure")
	}
	return c.session()
}

// refreshGrant makes a new session of a refresh token. No flow that gives one
// out is simulated, so the only one is the client's secret.
func (c *call) refreshGrant(form url.Values) reply {
	if refused := c.client(form); refused != nil {
		return *refused
	}
	if !equal(form.Get("refresh_token"), c.s.options.ClientSecret) {
		return oauthError("invalid_grant", "expired access/refresh token")
	}
	return c.session()
}

func (c *call) knows(username, password string) bool {
	named, right := equal(username, c.s.options.ClientID), equal(password, c.s.options.ClientSecret)
	return named && right
}

// soapCall answers /services/Soap/u/VERSION[/ORG]: the calls that log in and
// out, of every version on offer. Real orgs are about to retire them.
func (c *call) soapCall(rest []string) reply {
	if len(rest) < 2 || len(rest) > 3 || rest[0] != "u" {
		return notFound()
	}
	if version, ok := parseVersion("v" + rest[1]); !ok || version < oldestVersion || version > newestVersion {
		return soapFault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL", "UnexpectedErrorFault")
	}
	if c.method != http.MethodPost {
		return notAllowed(c.method)
	}
	request, err := soap.Parse(c.body)
	switch {
	case err != nil:
		return soapFault("MALFORMED_REQUEST", "the envelope cannot be read: "+err.Error(), "UnexpectedErrorFault")
	case request.Login != nil:
		c.operation = "soap_login"
		return c.soapLogin(*request.Login, rest[1])
	case request.Logout:
		c.operation = "soap_logout"
		if !c.s.tokens.Revoke(request.Session) {
			return soapFault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session", "UnexpectedErrorFault")
		}
		return xmlReply(http.StatusOK, soap.LoggedOut())
	}
	return soapFault("INVALID_OPERATION", "the simulator's SOAP API has login and logout; "+request.Name+" is REST here", "UnexpectedErrorFault")
}

func (c *call) soapLogin(login soap.Login, version string) reply {
	if !c.knows(login.Username, login.Password) {
		return soapFault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.", "LoginFault")
	}
	org := c.orgID()
	return xmlReply(http.StatusOK, soap.LoggedIn(soap.Session{
		Token: c.s.tokens.Issue(org), User: c.userID(), Org: org, Username: "integration@simulator.example.com",
		FullName: "Integration User", OrgName: "Turnout Simulator",
		ServerURL:   c.origin + "/services/Soap/u/" + version + "/" + org[:15],
		MetadataURL: c.origin + "/services/Soap/m/" + version + "/" + org[:15],
	}))
}

// soapFault refuses a SOAP call: status 500, whatever the reason.
func soapFault(code, message, detail string) reply {
	return xmlReply(http.StatusInternalServerError, soap.Fault(code, message, detail))
}

func xmlReply(status int, body []byte) reply {
	return reply{status: status, body: body}.with("Content-Type", "text/xml;charset=UTF-8")
}
