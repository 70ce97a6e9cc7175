package main

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"

	"github.com/turnout-events/turnout/internal/app"
	"github.com/turnout-events/turnout/internal/simulator"
	"github.com/turnout-events/turnout/internal/simulator/schema"
	"github.com/turnout-events/turnout/internal/simulator/session"
)

const simulatorHelp = `Simulator answers like a Salesforce org: OAuth, REST, sObject Collections, SOQL,
Bulk API 2.0, limits and errors. A page to look at its records and to press
Publish is at /, the control port for tests under /_sim/ (GET /_sim/ lists what
it does). docs/simulator.md says what is simulated and what is not.

To log in at /services/oauth2/token: client id and client secret are both
"demo". A JWT bearer assertion is signed with RS256 by a key whose public half
was given with --jwt-key or PUT /_sim/keys (PEM); its iss must be "demo", its
sub a user name (any), and its aud https://login.salesforce.com,
https://test.salesforce.com or this simulator's own address.

--schema adds objects and fields, or replaces fields of the same name:

  objects:
    - name: Workshop__c
      fields:
        - {name: Code__c, type: text, length: 20, external_id: true, unique: true}
        - {name: Level__c, type: picklist, values: [Beginner, Expert], restricted: true}
        - {name: Event__c, type: masterdetail, reference_to: [Turnout_Event__c]}`

func simulatorCommand() *cobra.Command {
	var o app.SimulatorOptions
	var extra string
	var urls, secrets, variables, keys []string
	cmd := &cobra.Command{
		Use:   "simulator",
		Short: "A Salesforce API to develop and test against",
		Long:  simulatorHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range variables {
				secret := os.Getenv(name)
				if secret == "" {
					return fmt.Errorf("--hook-secret-env: the variable %s is not set", name)
				}
				secrets = append(secrets, secret)
			}
			if len(urls) != len(secrets) {
				return errors.New("give one --hook-secret, or --hook-secret-env, for each --hook-url")
			}
			for i := range urls {
				if err := checkHook(urls[i]); err != nil {
					return err
				}
				o.Hooks = append(o.Hooks, simulator.Hook{URL: urls[i], Secret: secrets[i]})
			}
			var err error
			if o.Schema, err = readSchema(extra); err != nil {
				return err
			}
			if o.JWTKeys, err = trusted(keys); err != nil {
				return err
			}
			o.Logger = logger(cmd.ErrOrStderr(), "text", "info")
			return app.Simulator(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8180", "address to listen on")
	f.StringVar(&o.Dir, "dir", "", "directory that keeps the records; empty keeps them in memory only")
	f.StringVar(&extra, "schema", "", "YAML file that adds objects and fields")
	f.StringArrayVar(&urls, "hook-url", nil, "where Publish, Update and Unpublish send their hook (may be repeated)")
	f.StringArrayVar(&secrets, "hook-secret", nil, "the secret that signs it, one for each --hook-url")
	f.StringArrayVar(&keys, "jwt-key", nil, "PEM `FILE` with public keys or certificates whose JWT bearer assertions are accepted (may be repeated)")
	f.StringArrayVar(&variables, "hook-secret-env", nil, "the environment variable that holds it, since others can read the arguments of a process")
	f.BoolVar(&o.Sample, "sample", false, "load sample events, people and links into an empty org")
	f.StringVar(&o.Pictures, "sample-pictures", "", "`ORIGIN` at which this simulator serves pictures of the sample's events, such as http://127.0.0.1:8180; empty for none")
	cmd.MarkFlagsMutuallyExclusive("hook-secret", "hook-secret-env")
	f.StringVar(&o.ReadyFile, "ready-file", "", "file that is written once it serves")
	return cmd
}

// checkHook refuses what no hook can be sent to. The address is not repeated:
// some hold a secret.
func checkHook(address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("--hook-url: give the whole address, such as http://127.0.0.1:8080/hooks/salesforce")
	}
	return nil
}

// readSchema reads a schema file, so that its faults are named by it; nil for none.
func readSchema(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	if _, err := schema.Load(text); err != nil {
		return nil, fmt.Errorf("--schema %s: %w", file, err)
	}
	return text, nil
}

// trusted reads the public keys of all files.
func trusted(files []string) ([]*rsa.PublicKey, error) {
	var all []*rsa.PublicKey
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read a JWT key: %w", err)
		}
		keys, err := session.ParseKeys(text)
		if err != nil {
			return nil, fmt.Errorf("--jwt-key %s: %w", file, err)
		}
		all = append(all, keys...)
	}
	return all, nil
}
