package config

import (
	"slices"
	"strings"
	"testing"
)

func TestMasterKeyURI(t *testing.T) {
	const vault = "hcvault://vault.example.com:8200/transit/keys/master"
	for _, c := range []struct {
		uri   string
		keys  []string
		fault string
	}{
		{"", nil, ""},
		{vault, []string{vault}, ""},
		{" file , " + vault + ",", []string{"file", vault}, ""},
		{"file", []string{"file"}, ""},
		{vault + "," + vault, nil, "twice"},
		{"file,file", nil, "twice"},
		{"aws-kms://alias/turnout", nil, "arn:aws:kms"},
		{"kms:something", nil, "must begin with"},
		{"hcvault://name:s3cret@vault.example.com/transit/keys/a", nil, "without user"},
	} {
		cfg, err := Load("", []string{"TURNOUT_MASTER_KEY_URI=" + c.uri})
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), "master_key_uri") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q: %v", c.uri, err)
			}
			continue
		}
		if err != nil || !slices.Equal(cfg.MasterKeys(), c.keys) {
			t.Errorf("%q: %v, %v", c.uri, cfg.MasterKeys(), err)
		}
	}
	cfg := Default()
	if err := Parse([]byte("master_key_uri: "+vault), &cfg); err != nil || cfg.MasterKeyURI != vault {
		t.Errorf("from YAML: %q, %v", cfg.MasterKeyURI, err)
	}
}
