package simulator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-events/turnout/internal/simulator/records"
)

// jwtSkew is how far in the past an assertion's expiry may lie.
const jwtSkew = 3 * time.Minute

func (c *call) oauth(rest []string) reply {
	if len(rest) != 1 {
		return notFound()
	}
	c.operation = rest[0]
	switch rest[0] {
	case "token":
		return c.token()
	case "userinfo":
		return c.userinfo()
	case "revoke":
		form, _ := url.ParseQuery(string(c.body))
		if !c.s.tokens.Revoke(form.Get("token") + c.query.Get("token")) {
			return oauthError("unsupported_token_type", "this token type is not supported")
		}
		return reply{status: http.StatusOK}
	}
	c.operation = ""
	return notFound()
}

func oauthError(code, description string) reply {
	return jsonReply(http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

func (c *call) token() reply {
	if c.method != http.MethodPost {
		return oauthError("invalid_request", "must use HTTP POST")
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return oauthError("invalid_request", "the form cannot be read")
	}
	switch form.Get("grant_type") {
	case "client_credentials":
		return c.clientCredentials(form)
	case "password":
		return c.passwordGrant(form)
	case "refresh_token":
		return c.refreshGrant(form)
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		return c.jwtBearer(form.Get("assertion"))
	}
	return oauthError("unsupported_grant_type", "grant type not supported")
}

func (c *call) clientCredentials(form url.Values) reply {
	if refused := c.client(form); refused != nil {
		return *refused
	}
	return c.session()
}

// client checks the app's id and secret; nil when they are right.
func (c *call) client(form url.Values) *reply {
	refuse := func(code, description string) *reply {
		out := oauthError(code, description)
		return &out
	}
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if c.request != nil {
		if user, pass, ok := c.request.BasicAuth(); ok {
			id, secret = user, pass
		}
	}
	if !equal(id, c.s.options.ClientID) {
		return refuse("invalid_client_id", "client identifier invalid")
	}
	if !equal(secret, c.s.options.ClientSecret) {
		return refuse("invalid_client", "invalid client credentials")
	}
	return nil
}

// jwtBearer accepts RS256 assertions of the known keys. Expiry may be a number
// or a string of digits; only a past one is refused, since clients disagree on
// how far ahead it may lie.
func (c *call) jwtBearer(assertion string) reply {
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation(), jwt.WithJSONNumber())
	verified := false
	for _, public := range c.s.keys.All() {
		claims = jwt.MapClaims{}
		if _, err := parser.ParseWithClaims(assertion, claims, func(*jwt.Token) (any, error) { return public, nil }); err == nil {
			verified = true
			break
		}
	}
	if !verified {
		return oauthError("invalid_grant", "invalid assertion")
	}
	if claims["iss"] != c.s.options.ClientID {
		return oauthError("invalid_client_id", "client identifier invalid")
	}
	if !c.audience(claims["aud"]) {
		return oauthError("invalid_grant", "audience is invalid")
	}
	expires, err := strconv.ParseFloat(fmt.Sprint(claims["exp"]), 64)
	if err != nil || time.Unix(int64(min(expires, 1<<40)), 0).Add(jwtSkew).Before(c.s.now()) {
		return oauthError("invalid_grant", "expired authorization code")
	}
	subject := claims["sub"]
	if claims["prn"] != nil {
		subject = claims["prn"]
	}
	if text, _ := subject.(string); text == "" {
		return oauthError("invalid_grant", "user hasn't approved this consumer")
	}
	return c.session()
}

// audience accepts Salesforce's login hosts and this simulator's own address.
func (c *call) audience(aud any) bool {
	list, ok := aud.([]any)
	if !ok {
		list = []any{aud}
	}
	for _, one := range list {
		text, _ := one.(string)
		text = strings.TrimSuffix(text, "/")
		if text == "https://login.salesforce.com" || text == "https://test.salesforce.com" || text == c.origin {
			return true
		}
	}
	return false
}

func (c *call) session() reply {
	org, user := c.orgID(), c.userID()
	issued := strconv.FormatInt(c.s.now().UnixMilli(), 10)
	id := c.origin + "/id/" + org + "/" + user
	mac := hmac.New(sha256.New, []byte(c.s.options.ClientSecret))
	mac.Write([]byte(id + issued))
	return jsonReply(http.StatusOK, map[string]string{
		"access_token": c.s.tokens.Issue(org), "signature": base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		"scope": "api", "instance_url": c.origin, "id": id, "token_type": "Bearer", "issued_at": issued,
	}).with("Cache-Control", "no-store")
}

func (c *call) userinfo() reply {
	if !c.s.tokens.Valid(bearer(c.header)) {
		return reply{status: http.StatusForbidden, body: []byte("Bad_OAuth_Token")}.with("Content-Type", "text/html;charset=UTF-8")
	}
	org, user := c.orgID(), c.userID()
	return jsonReply(http.StatusOK, map[string]any{
		"sub": c.origin + "/id/" + org + "/" + user, "user_id": user, "organization_id": org,
		"preferred_username": "integration@simulator.example.com", "nickname": "integration", "name": "Integration User",
		"email": "integration@simulator.example.com", "email_verified": true, "given_name": "Integration", "family_name": "User",
		"zoneinfo": "Europe/Vienna", "locale": "en_US", "language": "en_US", "active": true, "user_type": "STANDARD", "utcOffset": 3600000,
		"urls": c.identityURLs(), "is_app_installed": true,
	})
}

func (c *call) identityURLs() map[string]string {
	return map[string]string{
		"rest": c.origin + "/services/data/v{version}/", "sobjects": c.origin + "/services/data/v{version}/sobjects/",
		"query": c.origin + "/services/data/v{version}/query/", "custom_domain": c.origin,
	}
}

// identity answers the id URL of a token.
func (c *call) identity(segments []string) reply {
	c.operation = "identity"
	if !c.s.tokens.Valid(bearer(c.header)) && !c.s.tokens.Valid(c.query.Get("oauth_token")) {
		return reply{status: http.StatusForbidden, body: []byte("Bad_OAuth_Token")}.with("Content-Type", "text/html;charset=UTF-8")
	}
	org, user := c.orgID(), c.userID()
	if len(segments) != 3 || records.Long(segments[1]) != org || records.Long(segments[2]) != user {
		return reply{status: http.StatusNotFound, body: []byte("Bad_Id")}.with("Content-Type", "text/html;charset=UTF-8")
	}
	return jsonReply(http.StatusOK, map[string]any{
		"id": c.origin + "/id/" + org + "/" + user, "asserted_user": true, "user_id": user, "organization_id": org,
		"username": "integration@simulator.example.com", "nick_name": "integration", "display_name": "Integration User",
		"email": "integration@simulator.example.com", "first_name": "Integration", "last_name": "User", "timezone": "Europe/Vienna",
		"active": true, "user_type": "STANDARD", "language": "en_US", "locale": "en_US", "utcOffset": 3600000, "urls": c.identityURLs(),
	})
}

func (c *call) orgID() (id string) {
	c.read(func(v records.View) { id = v.Organization() })
	return id
}

func (c *call) userID() (id string) {
	c.read(func(v records.View) { id = v.User() })
	return id
}
