package check

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/turnout-events/turnout/internal/config"
	"github.com/turnout-events/turnout/internal/edge/routing"
)

// Turnout itself reads the settings and the routes that the chart writes.
func TestSettingsAreTurnouts(t *testing.T) {
	for name, values := range releases() {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for _, text := range render(t, values) {
				var m corev1.ConfigMap
				if yaml.Unmarshal(text, &m) == nil && m.Kind == "ConfigMap" {
					for file, content := range m.Data {
						files[file] = content
					}
				}
			}
			dir := t.TempDir()
			for file, text := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := config.LoadEdge(filepath.Join(dir, "turnout.yaml"), []string{"TURNOUT_STORE=postgres://turnout@db.example/turnout?sslmode=verify-full"})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := config.Routes(filepath.Join(dir, "routes.yaml"), true)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := routing.New(plan); err != nil {
				t.Error(err)
			}
		})
	}
}
