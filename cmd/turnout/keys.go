package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/seal"
)

func keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Rotate the master key and the orgs' keys, while instances run",
		Long: `The master key wraps each org's keys, an org's key wraps a key for each person.
Instances that run notice a rotation by themselves.`,
	}
	return group(cmd, rotateMasterCommand(), retireMasterCommand(), rotateOrgCommand())
}

// masterFile is the file whose keys these commands change, if there is one.
func masterFile(cfg config.Config) (string, error) {
	if uri := masterURI(cfg); uri != "" {
		return "", fmt.Errorf("the master key is kept by a KMS, and so are its old versions: rotate %s there and run keys rotate-master --rewrap-only", uri)
	}
	if cfg.MasterKey != "" {
		return "", errors.New("the master key comes from TURNOUT_MASTER_KEY: put the new key on the first line of it and the old one below, restart, and run keys rotate-master --rewrap-only")
	}
	return cfg.MasterKeyFile, nil
}

// masterURI is the KMS key that wraps, or empty if the file does.
func masterURI(cfg config.Config) string {
	if keys := cfg.MasterKeys(); len(keys) > 0 && keys[0] != config.MasterKeyFromFile {
		return keys[0]
	}
	return ""
}

// rewrapped says by what n orgs' keys are wrapped now, and what to do next.
func rewrapped(cfg config.Config, n int) string {
	switch {
	case masterURI(cfg) != "":
		return fmt.Sprintf("keys of %d orgs are wrapped by %s; once every instance has it first in master_key_uri, other master keys are needed only for backups made before: keep them with those", n, masterURI(cfg))
	case cfg.MasterKey != "":
		return fmt.Sprintf("keys of %d orgs are wrapped by the first key of TURNOUT_MASTER_KEY", n)
	case len(cfg.MasterKeys()) > 1:
		return fmt.Sprintf("keys of %d orgs are wrapped by the master key in %s; copy the file to where its copies are kept, then take the KMS out of master_key_uri", n, cfg.MasterKeyFile)
	}
	return fmt.Sprintf("keys of %d orgs are wrapped by the new master key; copy the file to where its copies are kept", n)
}

func rotateMasterCommand() *cobra.Command {
	var s settings
	var rewrapOnly bool
	cmd := &cobra.Command{
		Use:   "rotate-master",
		Short: "Put a new master key above the old one and wrap all org keys by it",
		Long: `Rotate-master keeps the old key in the file, so that backups made under it can be
restored; remove it with keys retire-master when it is no longer needed.

A master key at a KMS is rotated there. In master_key_uri the first key wraps and
all unwrap, "file" being the file. So org keys move to a KMS while instances run:
set it to "file,URI" on every instance, then to "URI,file", run rotate-master
--rewrap-only, and take away what is not needed. They move back the same way.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			if !rewrapOnly {
				file, err := masterFile(cfg)
				if err != nil {
					return err
				}
				if err := seal.RotateMaster(file); err != nil {
					return err
				}
			}
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			n, err := d.RewrapOrgKeys(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), rewrapped(cfg, n))
			return nil
		},
	}
	s.flags(cmd)
	cmd.Flags().BoolVar(&rewrapOnly, "rewrap-only", false, "make no new key, only wrap by the first one there is")
	return cmd
}

func retireMasterCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "retire-master",
		Short: "Remove the old master keys, once all org keys are wrapped by the first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := s.load()
			if err != nil {
				return err
			}
			file, err := masterFile(cfg)
			if err != nil {
				return err
			}
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			// An org key that is still wrapped by an old one is wrapped anew first:
			// what is removed is never needed.
			if _, err := d.RewrapOrgKeys(cmd.Context()); err != nil {
				return err
			}
			if err := seal.RetireMaster(file); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "only the newest master key is left")
			return nil
		},
	}
	s.flags(cmd)
	return cmd
}

func rotateOrgCommand() *cobra.Command {
	var s settings
	var org string
	cmd := &cobra.Command{
		Use:   "rotate-org --org ORG",
		Short: "Give an org a new key and wrap every person's key by it",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := s.desk(cmd)
			if err != nil {
				return err
			}
			defer d.Close()
			n, err := d.RotateOrgKey(cmd.Context(), turnout.OrgID(org))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d data keys of %s are wrapped by its new key\n", n, org)
			return nil
		},
	}
	s.flags(cmd)
	orgFlag(cmd, &org)
	return cmd
}
