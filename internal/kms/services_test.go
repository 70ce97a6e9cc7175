package kms

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	awsURI      = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/aaaaaaaa-0000-0000-0000-000000000001"
	awsOther    = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/aaaaaaaa-0000-0000-0000-000000000002"
	gcpURI      = "gcp-kms://projects/demo/locations/europe-west1/keyRings/turnout/cryptoKeys/master"
	gcpOther    = "gcp-kms://projects/demo/locations/europe-west1/keyRings/turnout/cryptoKeys/second"
	vaultURI    = "hcvault://vault.example.com:8200/transit/keys/master"
	vaultOther  = "hcvault://vault.example.com:8200/transit/keys/second"
	vaultToken  = "hvs.example-token"
	talkingText = "denied for user alice@example.com"
)

// serveAWS behaves as AWS KMS: JSON 1.1, an encryption context that is
// authenticated, exceptions as the API reference names them.
func serveAWS(t *testing.T) http.HandlerFunc {
	type message struct {
		KeyId, CiphertextBlob, Plaintext string
		EncryptionContext                map[string]string
	}
	refuse := func(w http.ResponseWriter, exception string) {
		answer(400, `{"__type":"`+exception+`","message":"`+talkingText+`"}`, "Content-Type", "application/x-amz-json-1.1")(w, nil)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var in message
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("AWS request: %v", err)
		}
		if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") {
			refuse(w, "UnrecognizedClientException")
			return
		}
		bound := []byte(in.EncryptionContext[contextName])
		out := map[string]string{"KeyId": in.KeyId}
		switch r.Header.Get("X-Amz-Target") {
		case "TrentService.Encrypt":
			plain, _ := base64.StdEncoding.DecodeString(in.Plaintext)
			sealed := aead(in.KeyId).Seal([]byte(in.KeyId+"|"), nil, plain, bound)
			out["CiphertextBlob"] = base64.StdEncoding.EncodeToString(sealed)
		case "TrentService.Decrypt":
			blob, _ := base64.StdEncoding.DecodeString(in.CiphertextBlob)
			key, sealed, ok := strings.Cut(string(blob), "|")
			if ok && strings.HasPrefix(key, "arn:") && key != in.KeyId {
				refuse(w, "IncorrectKeyException")
				return
			}
			plain, err := aead(in.KeyId).Open(nil, nil, []byte(sealed), bound)
			if err != nil {
				refuse(w, "InvalidCiphertextException")
				return
			}
			out["Plaintext"] = base64.StdEncoding.EncodeToString(plain)
		default:
			t.Errorf("AWS target %q", r.Header.Get("X-Amz-Target"))
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(out)
	}
}

// serveGCP behaves as Cloud KMS v1 and as the token endpoint of a service account.
func serveGCP(t *testing.T) http.HandlerFunc {
	refuse := func(w http.ResponseWriter, status int, code string) {
		answer(status, fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":%q}}`, status, talkingText, code))(w, nil)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			answer(200, `{"access_token":"ya29.example","token_type":"Bearer","expires_in":3600}`, "Content-Type", "application/json")(w, r)
			return
		}
		var in map[string]string
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("GCP request: %v", err)
		}
		if r.Header.Get("Authorization") != "Bearer ya29.example" {
			refuse(w, 401, "UNAUTHENTICATED")
			return
		}
		field := func(name string) []byte {
			b, err := base64.StdEncoding.DecodeString(in[name])
			if err != nil || in[name+"Crc32c"] != strconv.FormatInt(*checksum(b), 10) {
				t.Errorf("GCP %s: %v, checksum %q", name, err, in[name+"Crc32c"])
			}
			return b
		}
		name, method, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
		bound, out := field("additionalAuthenticatedData"), map[string]any{"name": name}
		switch method {
		case "encrypt":
			sealed := aead(name).Seal(nil, nil, field("plaintext"), bound)
			out["ciphertext"], out["ciphertextCrc32c"] = sealed, strconv.FormatInt(*checksum(sealed), 10)
			out["verifiedPlaintextCrc32c"], out["verifiedAdditionalAuthenticatedDataCrc32c"] = true, true
		case "decrypt":
			plain, err := aead(name).Open(nil, nil, field("ciphertext"), bound)
			if err != nil {
				refuse(w, 400, "INVALID_ARGUMENT")
				return
			}
			out["plaintext"], out["plaintextCrc32c"], out["usedPrimary"] = plain, strconv.FormatInt(*checksum(plain), 10), true
		default:
			t.Errorf("GCP method %q", method)
		}
		_ = json.NewEncoder(w).Encode(out)
	}
}

// transit is how a Vault behaves.
type transit struct {
	old       bool // before 1.13: passes over associated_data
	derived   bool // the key derives, and takes context
	confused  bool // 500 instead of 400 for what does not open
	namespace string
}

func serveVault(t *testing.T, v transit) http.HandlerFunc {
	refuse := func(w http.ResponseWriter, status int, text string) {
		body, _ := json.Marshal(map[string][]string{"errors": {text}})
		answer(status, string(body))(w, nil)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Plaintext      []byte `json:"plaintext"`
			Ciphertext     string `json:"ciphertext"`
			AssociatedData []byte `json:"associated_data"`
			Context        []byte `json:"context"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Errorf("Vault request: %v", err)
		}
		parts := strings.Split(r.URL.Path, "/") // "", v1, transit, encrypt, NAME
		if r.Header.Get("X-Vault-Token") != vaultToken || r.Header.Get("X-Vault-Namespace") != v.namespace {
			refuse(w, 403, "permission denied")
			return
		}
		if len(parts) != 5 || parts[2] != "transit" {
			refuse(w, 404, "no handler for route")
			return
		}
		key, bound := parts[4], in.AssociatedData
		if v.derived && len(in.Context) == 0 {
			refuse(w, 400, "missing 'context' for key derivation; the key derives")
			return
		}
		if v.derived {
			key += string(in.Context)
		}
		if v.old {
			bound = nil
		}
		data := map[string]any{}
		switch parts[3] {
		case "encrypt":
			data["ciphertext"] = "vault:v1:" + base64.StdEncoding.EncodeToString(aead(key).Seal(nil, nil, in.Plaintext, bound))
		case "decrypt":
			sealed, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(in.Ciphertext, "vault:v1:"))
			if err != nil {
				refuse(w, 400, "invalid ciphertext: could not decode base64")
				return
			}
			plain, err := aead(key).Open(nil, nil, sealed, bound)
			if err != nil && v.confused {
				refuse(w, 500, "1 error occurred:\n\t* cipher: message authentication failed\n\n")
				return
			}
			if err != nil {
				refuse(w, 400, "cipher: message authentication failed")
				return
			}
			data["plaintext"] = plain
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}
}

// withAWS gives the credential chain keys from the environment and nothing else.
func withAWS(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_PROFILE": "", "AWS_ROLE_ARN": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CA_BUNDLE": "",
	} {
		t.Setenv(name, value)
	}
}

// withGCP gives the application default credentials a service account's file.
func withGCP(t *testing.T, tokenURI string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "turnout@example.com", "private_key_id": "1", "token_uri": tokenURI,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
}

func vaultEnv(name string) string { return map[string]string{"VAULT_TOKEN": vaultToken}[name] }
