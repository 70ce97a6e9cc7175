package salesforce

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-events/turnout"
)

// assertionLife is below the three minutes that Salesforce documents.
const assertionLife = 2 * time.Minute

// token is what a sign-in gave.
type token struct {
	access   string
	instance string // the origin that takes it
	until    time.Time
}

// signIn returns a token other than refused. Callers that come together share
// one request, and none of them can end it for the others.
func (c *Client) signIn(ctx context.Context, refused string) (token, error) {
	if tok, ok := c.held(refused); ok {
		return tok, nil
	}
	// The key keeps a caller whose token was just refused from being given the
	// flight that fetched that very token.
	result := c.flight.DoChan(refused, func() (any, error) {
		if tok, ok := c.held(refused); ok {
			return tok, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.opts.Timeout)
		defer cancel()
		tok, err := c.fetchToken(ctx)
		if err != nil {
			return token{}, err
		}
		c.mu.Lock()
		c.token = tok
		c.mu.Unlock()
		c.opts.Logger.InfoContext(ctx, "signed in to salesforce", "instance", tok.instance, "flow", c.opts.Connection.Flow)
		return tok, nil
	})
	select {
	case <-ctx.Done():
		return token{}, turnout.Wrap(turnout.CodeUnavailable, "sign in to salesforce", ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return token{}, r.Err
		}
		return r.Val.(token), nil
	}
}

func (c *Client) held(refused string) (token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ok := c.token.access != "" && c.token.access != refused && c.opts.Now().Before(c.token.until)
	return c.token, ok
}

func (c *Client) fetchToken(ctx context.Context) (token, error) {
	started := time.Now()
	tok, err := c.requestToken(ctx)
	c.opts.Observe(opToken, turnout.CodeOf(err), time.Since(started))
	return tok, err
}

func (c *Client) requestToken(ctx context.Context) (token, error) {
	login, ok := safeOrigin(c.opts.Connection.LoginURL)
	if !ok {
		return token{}, turnout.Errorf(turnout.CodeMisconfigured, "sign in to salesforce", "login_url must be an https origin such as https://example.my.salesforce.com")
	}
	form, err := c.grant(login)
	if err != nil {
		return token{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, login+"/services/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, turnout.Errorf(turnout.CodeMisconfigured, "sign in to salesforce", "login_url cannot be used")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	in := call{op: opToken, method: http.MethodGet} // GET: a lost token costs nothing, so unavailable
	reply, err := c.http.Do(req)
	if err != nil {
		return token{}, broken(in, err)
	}
	defer drain(reply.Body)
	if reply.StatusCode != http.StatusOK {
		return token{}, refusedSignIn(replyError("sign in to salesforce", reply))
	}
	return c.readToken(io.LimitReader(reply.Body, maxErrorReply))
}

// refusedSignIn gives a refusal its one code, whatever words Salesforce found
// for it: no record is at fault, and an admin mends it on either side.
func refusedSignIn(err error) error {
	switch turnout.CodeOf(err) {
	case turnout.CodeRefused, turnout.CodeMisconfigured, turnout.CodeForbidden, turnout.CodeExpired:
		if own := (*turnout.Error)(nil); errors.As(err, &own) {
			own.Code = turnout.CodeUnauthorized
		}
	}
	return err
}

func (c *Client) readToken(body io.Reader) (token, error) {
	var answer struct {
		AccessToken string `json:"access_token"`
		InstanceURL string `json:"instance_url"`
	}
	if err := json.NewDecoder(body).Decode(&answer); err != nil || answer.AccessToken == "" {
		return token{}, turnout.Errorf(turnout.CodeUnavailable, "sign in to salesforce", "the reply holds no token")
	}
	instance, ok := safeOrigin(answer.InstanceURL)
	if !ok {
		return token{}, turnout.Errorf(turnout.CodeMisconfigured, "sign in to salesforce", "the reply's instance_url is not an https origin, so the token is not sent there")
	}
	return token{access: answer.AccessToken, instance: instance, until: c.opts.Now().Add(c.opts.TokenTTL)}, nil
}

// grant is the form that asks for a token.
func (c *Client) grant(login string) (url.Values, error) {
	conn := c.opts.Connection
	switch conn.Flow {
	case "client_credentials":
		return url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {conn.ClientID},
			"client_secret": {c.opts.Secrets.ClientSecret},
		}, nil
	case "jwt":
		assertion, err := c.assertion(login)
		if err != nil {
			return nil, err
		}
		return url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
			"assertion":  {assertion},
		}, nil
	}
	return nil, turnout.Errorf(turnout.CodeMisconfigured, "sign in to salesforce", "flow must be client_credentials or jwt")
}

func (c *Client) assertion(login string) (string, error) {
	conn := c.opts.Connection
	key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(c.opts.Secrets.PrivateKey))
	if err != nil {
		return "", turnout.Errorf(turnout.CodeMisconfigured, "sign in to salesforce", "the private key is not an RSA key in PEM form")
	}
	audience := conn.Audience
	if audience == "" {
		audience = login
	}
	claims := jwt.MapClaims{
		"iss": conn.ClientID,
		"sub": conn.Username,
		"aud": audience,
		"exp": c.opts.Now().Add(assertionLife).Unix(), // a number: other forms are read in other ways
	}
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(key)
	if err != nil {
		return "", turnout.Errorf(turnout.CodeMisconfigured, "sign in to salesforce", "the private key cannot sign")
	}
	return signed, nil
}
