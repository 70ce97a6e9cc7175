package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// versioned gives cmd the command version and the flag --version.
func versioned(cmd *cobra.Command) {
	info, _ := debug.ReadBuildInfo()
	cmd.Version = version(info)
	cmd.SetVersionTemplate("{{.Version}}\n")
	cmd.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) {
			fmt.Fprintln(c.OutOrStdout(), cmd.Version)
		},
	})
}

// version is one line of what the build knows of itself; nil is a build that
// knows nothing.
func version(info *debug.BuildInfo) string {
	if info == nil {
		return "turnout, of an unknown version"
	}
	text := "turnout " + info.Main.Version
	if info.Main.Version == "" {
		text = "turnout (devel)"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	var more []string
	if revision := settings["vcs.revision"]; revision != "" {
		if settings["vcs.modified"] == "true" {
			revision += " with changes"
		}
		more = append(more, "revision "+revision)
	}
	if at := settings["vcs.time"]; at != "" {
		more = append(more, at)
	}
	return text + " (" + strings.Join(append(more, info.GoVersion), ", ") + ")"
}

// shortVersion is the version alone, without spaces.
func shortVersion() string {
	info, _ := debug.ReadBuildInfo()
	if info == nil || info.Main.Version == "" {
		return "devel"
	}
	return strings.Trim(info.Main.Version, "()")
}
