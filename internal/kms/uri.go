package kms

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// The URI schemes, as other tools write them.
const (
	schemeAWS   = "aws-kms://"
	schemeGCP   = "gcp-kms://"
	schemeVault = "hcvault://"
)

// maxURI is the longest key URI in bytes; the longest names that the services
// allow stay far below.
const maxURI = 1024

var (
	awsKey   = regexp.MustCompile(`^arn:aws(?:-[a-z]+)*:kms:([a-z0-9-]+):[0-9]{12}:key/[A-Za-z0-9-]+$`)
	gcpKey   = regexp.MustCompile(`^projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$`)
	vaultKey = regexp.MustCompile(`^/((?:[A-Za-z0-9_.-]+/)+)keys/([A-Za-z0-9_.-]+)$`)
)

// Check says what is wrong with the form of a key's URI, and nil if nothing is:
//
//	aws-kms://arn:aws:kms:REGION:ACCOUNT:key/ID
//	gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K
//	hcvault://HOST[:PORT]/transit/keys/NAME
//
// It does no I/O.
func Check(uri string) error {
	if len(uri) > maxURI {
		return fmt.Errorf("key URI is longer than %d bytes", maxURI)
	}
	switch {
	case strings.HasPrefix(uri, schemeAWS):
		_, _, err := parseAWS(uri)
		return err
	case strings.HasPrefix(uri, schemeGCP):
		_, err := parseGCP(uri)
		return err
	case strings.HasPrefix(uri, schemeVault):
		_, err := parseVault(uri)
		return err
	}
	return errors.New("key URI must begin with aws-kms://, gcp-kms:// or hcvault://")
}

func parseAWS(uri string) (arn, region string, err error) {
	arn = strings.TrimPrefix(uri, schemeAWS)
	parts := awsKey.FindStringSubmatch(arn)
	if parts == nil {
		return "", "", errors.New("key URI must be like aws-kms://arn:aws:kms:eu-central-1:111122223333:key/ID")
	}
	return arn, parts[1], nil
}

func parseGCP(uri string) (name string, err error) {
	name = strings.TrimPrefix(uri, schemeGCP)
	if !gcpKey.MatchString(name) {
		return "", errors.New("key URI must be like gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K")
	}
	return name, nil
}

// transitKey is where a key of a transit engine is.
type transitKey struct{ host, mount, name string }

func parseVault(uri string) (transitKey, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return transitKey{}, errors.New("key URI must be like hcvault://vault.example.com:8200/transit/keys/NAME, without user and query")
	}
	parts := vaultKey.FindStringSubmatch(u.Path)
	if parts == nil || strings.Contains(u.Path, "/../") || strings.Contains(u.Path, "/./") || parts[2] == "." || parts[2] == ".." {
		return transitKey{}, errors.New("key URI must be like hcvault://vault.example.com:8200/transit/keys/NAME")
	}
	return transitKey{host: u.Host, mount: strings.TrimSuffix(parts[1], "/"), name: parts[2]}, nil
}
