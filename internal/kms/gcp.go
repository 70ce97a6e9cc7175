package kms

import (
	"context"
	"encoding/json"
	"errors"
	"hash/crc32"
	"net/http"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

const formatGCP = "gcp-kms1"

const (
	gcpOrigin = "https://cloudkms.googleapis.com"
	gcpScope  = "https://www.googleapis.com/auth/cloudkms"
)

// gcpService is a symmetric key of Google Cloud KMS, by its REST API v1.
type gcpService struct {
	http   *http.Client
	origin string
	name   string

	mu     sync.Mutex
	tokens oauth2.TokenSource // nil before the first call
}

func newGCP(uri string, client *http.Client, endpoint string) (*gcpService, error) {
	name, err := parseGCP(uri)
	if err != nil {
		return nil, err
	}
	s := &gcpService{http: client, origin: gcpOrigin, name: name}
	if endpoint != "" {
		var ok bool
		if s.origin, ok = origin(endpoint); !ok {
			return nil, errors.New("endpoint must be an https origin")
		}
	}
	return s, nil
}

// gcpMessage is both request and reply of cryptoKeys.encrypt and .decrypt.
// Checksums are CRC32C, int64 as a decimal string.
type gcpMessage struct {
	Plaintext       []byte `json:"plaintext,omitempty"`
	PlaintextSum    *int64 `json:"plaintextCrc32c,string,omitempty"`
	Ciphertext      []byte `json:"ciphertext,omitempty"`
	CiphertextSum   *int64 `json:"ciphertextCrc32c,string,omitempty"`
	Associated      []byte `json:"additionalAuthenticatedData,omitempty"`
	AssociatedSum   *int64 `json:"additionalAuthenticatedDataCrc32c,string,omitempty"`
	PlaintextSeen   bool   `json:"verifiedPlaintextCrc32c,omitempty"`
	AssociatedSeen  bool   `json:"verifiedAdditionalAuthenticatedDataCrc32c,omitempty"`
	UsedPrimary     bool   `json:"usedPrimary,omitempty"`
	ProtectionLevel string `json:"protectionLevel,omitempty"`
}

func (s *gcpService) encrypt(ctx context.Context, plain, bound []byte) ([]byte, error) {
	out, err := s.call(ctx, "encrypt", gcpMessage{
		Plaintext: plain, PlaintextSum: checksum(plain), Associated: bound, AssociatedSum: checksum(bound),
	})
	if err != nil {
		return nil, err
	}
	if !out.PlaintextSeen || !out.AssociatedSeen || !whole(out.Ciphertext, out.CiphertextSum) {
		return nil, &refusal{why: away, detail: "changed on the way"}
	}
	return out.Ciphertext, nil
}

func (s *gcpService) decrypt(ctx context.Context, ciphertext, bound []byte) ([]byte, error) {
	out, err := s.call(ctx, "decrypt", gcpMessage{
		Ciphertext: ciphertext, CiphertextSum: checksum(ciphertext), Associated: bound, AssociatedSum: checksum(bound),
	})
	if err != nil {
		return nil, err
	}
	if !whole(out.Plaintext, out.PlaintextSum) {
		return nil, &refusal{why: away, detail: "changed on the way"}
	}
	return out.Plaintext, nil
}

func (s *gcpService) call(ctx context.Context, method string, in gcpMessage) (gcpMessage, error) {
	var out gcpMessage
	token, err := s.token(ctx)
	if err != nil {
		return out, err
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	reply, text, err := post(ctx, s.http, s.origin+"/v1/"+s.name+":"+method, header, in)
	if err != nil {
		return out, err
	}
	if reply.StatusCode != http.StatusOK {
		return out, ofGCP(method, reply, text)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, &refusal{why: away, detail: "unreadable reply"}
	}
	return out, nil
}

// ofGCP judges by the status of google.rpc.Code, which the reply names.
func ofGCP(method string, reply *http.Response, text []byte) *refusal {
	var body struct {
		Error struct {
			Status string `json:"status"`
		} `json:"error"`
	}
	_ = json.Unmarshal(text, &body) // a proxy's page has none; the HTTP status is left
	if method == "decrypt" && body.Error.Status == "INVALID_ARGUMENT" {
		return &refusal{why: wrong}
	}
	return ofStatus(reply, codeText(reply.Status, body.Error.Status))
}

// codeText is the service's code if it is one, or the HTTP status: nothing of
// a reply that could be a sentence.
func codeText(status, code string) string {
	for _, c := range code {
		if (c < 'A' || c > 'Z') && c != '_' {
			return status
		}
	}
	if code == "" || len(code) > 40 {
		return status
	}
	return code
}

// token asks the application default credentials: a file, workload identity
// (federation), or the metadata server. The token source keeps a token until it
// expires, and does not know contexts: who does not wait for it any longer
// leaves it to the next caller.
func (s *gcpService) token(ctx context.Context) (string, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	done := make(chan result, 1)
	go func() {
		source, err := s.source(context.WithoutCancel(ctx))
		if err != nil {
			done <- result{err: err}
			return
		}
		token, err := source.Token()
		done <- result{token, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return "", ofToken(r.err)
		}
		return r.token.AccessToken, nil
	case <-ctx.Done():
		return "", &refusal{why: away, err: ctx.Err()}
	}
}

func (s *gcpService) source(ctx context.Context) (oauth2.TokenSource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens != nil {
		return s.tokens, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.http)
	credentials, err := google.FindDefaultCredentials(ctx, gcpScope)
	if err != nil {
		return nil, err
	}
	s.tokens = credentials.TokenSource
	return s.tokens, nil
}

func ofToken(err error) *refusal {
	var r *oauth2.RetrieveError
	if errors.As(err, &r) && r.Response != nil {
		return ofStatus(r.Response, "credentials, "+r.Response.Status)
	}
	return &refusal{why: away, detail: "credentials", err: err}
}

func checksum(b []byte) *int64 {
	sum := int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return &sum
}

func whole(b []byte, sum *int64) bool { return sum != nil && *checksum(b) == *sum }
