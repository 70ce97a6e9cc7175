package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/migration"
)

// WavesFile is the form of `turnout migrate plan -f FILE`.
type WavesFile struct {
	// To is the stack that orgs move to.
	To string `yaml:"to"`
	// Window is when an org may move, by its own clock.
	Window turnout.Window `yaml:"window"`
	// Pause is between two waves.
	Pause time.Duration `yaml:"pause"`
	Waves []WaveEntry   `yaml:"waves"`
}

// WaveEntry is one wave in it: orgs by name, a number of those that no wave names, or
// all of these that are left.
type WaveEntry struct {
	Orgs  []string `yaml:"orgs"`
	Count int      `yaml:"count"`
	All   bool     `yaml:"all"`
}

// defaultPause lets a wave be seen by day before the next one moves at night.
const defaultPause = 12 * time.Hour

// Waves reads a plan of a migration. All faults are reported at once.
func Waves(text []byte) (migration.Plan, error) {
	file := WavesFile{Window: turnout.Night(), Pause: defaultPause}
	faults := []error{Parse(text, &file)}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	p := migration.Plan{To: file.To, Pause: file.Pause, Window: file.Window}
	if file.To == "" {
		fault("to: name the stack that orgs move to, as the edge's routes do")
	}
	if file.Pause < 0 {
		fault("pause: use a time such as 12h, or 0s")
	}
	if len(file.Waves) == 0 {
		fault("waves: list at least one, such as {count: 1} or {orgs: [acme]}")
	}
	for i, w := range file.Waves {
		if w.Count < 0 || len(w.Orgs) == 0 && w.Count == 0 && !w.All {
			fault("waves[%d]: use orgs with a list, count with a number of those that no wave names, or all: true", i)
		}
		if w.Count > 0 && w.All {
			fault("waves[%d]: use count or all, not both", i)
		}
		wave := migration.Wave{Count: w.Count, All: w.All}
		for _, id := range w.Orgs {
			wave.Orgs = append(wave.Orgs, turnout.OrgID(id))
		}
		p.Waves = append(p.Waves, wave)
	}
	return p, errors.Join(faults...)
}
