package kms

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const formatVault = "hcvault1"

// vaultService is a key of a transit engine. It wants an AEAD key: the default
// type aes256-gcm96, plain or derived.
type vaultService struct {
	http      *http.Client
	origin    string
	key       transitKey
	namespace string
	getenv    func(string) string
}

func newVault(uri string, client *http.Client, endpoint string, getenv func(string) string) (*vaultService, error) {
	key, err := parseVault(uri)
	if err != nil {
		return nil, err
	}
	s := &vaultService{http: client, key: key, namespace: getenv("VAULT_NAMESPACE"), getenv: getenv}
	if endpoint == "" {
		endpoint = "https://" + key.host
	}
	var ok bool
	if s.origin, ok = origin(endpoint); !ok {
		return nil, errors.New("endpoint must be an https origin")
	}
	return s, nil
}

// vaultRequest is for encrypt and decrypt. The binding goes in twice: keys that
// derive take Context and need it, others pass over it; AEAD keys take
// AssociatedData, since Vault 1.13.
type vaultRequest struct {
	Plaintext      []byte `json:"plaintext,omitempty"`
	Ciphertext     string `json:"ciphertext,omitempty"`
	AssociatedData []byte `json:"associated_data"`
	Context        []byte `json:"context"`
}

type vaultReply struct {
	Data struct {
		Plaintext  []byte `json:"plaintext"`
		Ciphertext string `json:"ciphertext"`
	} `json:"data"`
	Errors []string `json:"errors"`
}

func (s *vaultService) encrypt(ctx context.Context, plain, bound []byte) ([]byte, error) {
	out, err := s.call(ctx, "encrypt", vaultRequest{Plaintext: plain, AssociatedData: bound, Context: bound})
	if err != nil {
		return nil, err
	}
	return []byte(out.Data.Ciphertext), nil
}

func (s *vaultService) decrypt(ctx context.Context, ciphertext, bound []byte) ([]byte, error) {
	out, err := s.call(ctx, "decrypt", vaultRequest{Ciphertext: string(ciphertext), AssociatedData: bound, Context: bound})
	if err != nil {
		return nil, err
	}
	return out.Data.Plaintext, nil
}

func (s *vaultService) call(ctx context.Context, method string, in vaultRequest) (vaultReply, error) {
	var out vaultReply
	token, err := s.token()
	if err != nil {
		return out, &refusal{why: denied, err: err}
	}
	header := http.Header{"X-Vault-Token": {token}, "X-Vault-Request": {"true"}}
	if s.namespace != "" {
		header.Set("X-Vault-Namespace", s.namespace)
	}
	reply, text, err := post(ctx, s.http, s.origin+"/v1/"+s.key.mount+"/"+method+"/"+s.key.name, header, in)
	if err != nil {
		return out, err
	}
	err = json.Unmarshal(text, &out)
	if reply.StatusCode != http.StatusOK {
		return out, ofVault(method, reply, out.Errors)
	}
	if err != nil {
		return out, &refusal{why: away, detail: "unreadable reply"}
	}
	return out, nil
}

// ofVault judges by the status, and where it says nothing by the text: Vault
// has no error codes. A wrong ciphertext, context or associated data gives 400,
// and some versions give 500 (hashicorp/vault issue 10842), which must not
// count as an outage.
func ofVault(method string, reply *http.Response, texts []string) *refusal {
	text := strings.Join(texts, "\n")
	if method == "decrypt" && (strings.Contains(text, "message authentication failed") || strings.Contains(text, "invalid ciphertext")) {
		return &refusal{why: wrong}
	}
	r := ofStatus(reply, reply.Status)
	if reply.StatusCode == http.StatusPreconditionFailed {
		r.why = away // a standby that has not caught up yet
	}
	if strings.Contains(text, "disallowed by policy") {
		r.detail += ", the key's min_decryption_version is above the version that wrapped this"
	}
	return r
}

// token is read for every call, so that what renews it needs no restart:
// VAULT_TOKEN, the file VAULT_TOKEN_FILE names, or ~/.vault-token.
func (s *vaultService) token() (string, error) {
	if t := strings.TrimSpace(s.getenv("VAULT_TOKEN")); t != "" {
		return t, nil
	}
	file := s.getenv("VAULT_TOKEN_FILE")
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("there is no Vault token: set VAULT_TOKEN or VAULT_TOKEN_FILE")
		}
		file = filepath.Join(home, ".vault-token")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", errors.New("there is no Vault token: set VAULT_TOKEN, or VAULT_TOKEN_FILE to a file that can be read")
	}
	if t := strings.TrimSpace(string(text)); t != "" {
		return t, nil
	}
	return "", errors.New("the Vault token file is empty")
}
