package main

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	for want, info := range map[string]*debug.BuildInfo{
		"turnout, of an unknown version": nil,
		"turnout (devel) (go1.26.0)":     {GoVersion: "go1.26.0"},
		"turnout v1.2.3 (revision 0123abc with changes, 2026-11-25T13:00:00Z, go1.26.0)": {
			GoVersion: "go1.26.0", Main: debug.Module{Version: "v1.2.3"},
			Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-11-25T13:00:00Z"}, {Key: "vcs.modified", Value: "true"}},
		},
	} {
		if got := version(info); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
