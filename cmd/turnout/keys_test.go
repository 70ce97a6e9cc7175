package main

import (
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/config"
)

// The words fit the kind of master key that wraps.
func TestKeysSpeakOfTheRightMaster(t *testing.T) {
	const uri = "hcvault://vault.example.com:8200/transit/keys/master"
	for _, c := range []struct {
		cfg            config.Config
		refused, words string
	}{
		{config.Config{MasterKeyFile: "master.key"}, "", "copy the file"},
		{config.Config{MasterKey: "x"}, "TURNOUT_MASTER_KEY", "TURNOUT_MASTER_KEY"},
		{config.Config{MasterKeyFile: "master.key", MasterKeyURI: uri}, "kept by a KMS", "wrapped by " + uri},
		{config.Config{MasterKey: "x", MasterKeyURI: uri + ",file"}, "kept by a KMS", "wrapped by " + uri},
		{config.Config{MasterKeyFile: "master.key", MasterKeyURI: "file," + uri}, "", "the master key in master.key"},
	} {
		file, err := masterFile(c.cfg)
		if (err == nil) != (c.refused == "") || (err != nil && !strings.Contains(err.Error(), c.refused)) || (err == nil && file != "master.key") {
			t.Errorf("%+v: file %q, %v", c.cfg, file, err)
		}
		if got := rewrapped(c.cfg, 3); !strings.Contains(got, c.words) || !strings.Contains(got, "3 orgs") {
			t.Errorf("%+v: %q", c.cfg, got)
		}
	}
}
