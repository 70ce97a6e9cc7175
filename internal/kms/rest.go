package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// maxReply bounds a reply in bytes; a wrapped key and its envelope stay below 4 KiB.
const maxReply = 64 << 10

// post sends body as JSON and gives the reply with its bytes. Errors are *refusal.
func post(ctx context.Context, client *http.Client, address string, header http.Header, body any) (*http.Response, []byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, nil, &refusal{why: denied, err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(text))
	if err != nil {
		return nil, nil, &refusal{why: denied, err: err}
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	reply, err := client.Do(request)
	if err != nil {
		return nil, nil, &refusal{why: away, err: err}
	}
	defer reply.Body.Close()
	text, err = io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil {
		return nil, nil, &refusal{why: away, err: err}
	}
	return reply, text, nil
}

// origin checks an endpoint: https and a host, nothing else.
func origin(endpoint string) (string, bool) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return "", false
	}
	return "https://" + u.Host, true
}
