// Package check holds the Helm chart to what Kubernetes and Turnout themselves
// read: a module of its own, so that the product does not depend on either.
package check

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

const chart = "../helm/turnout"

// releases are the ways of installing it.
func releases() map[string]map[string]any {
	return map[string]map[string]any{
		"defaults": {},
		"everything": {
			"redis": true, "stack": "blue", "region": "emea",
			"settings": map[string]any{"master_key_uri": "hcvault://vault.example:8200/transit/keys/turnout", "edge": map[string]any{"trusted_proxies": []any{"10.0.0.0/8"}}},
			"image":    map[string]any{"tag": "1.2.3", "pullSecrets": []any{map[string]any{"name": "pull"}}},
			"instances": map[string]any{
				"min": 2, "max": 40, "drain": "90s", "nodeSelector": map[string]any{"pool": "turnout"},
				"tolerations": []any{map[string]any{"key": "turnout", "operator": "Exists"}},
			},
			"otherRegions": []any{map[string]any{"region": "apac", "upstreams": []any{map[string]any{"name": "blue-apac-0", "url": "http://10.2.0.11:8080"}}}},
			"otherStacks": []any{map[string]any{"name": "green", "pools": []any{map[string]any{
				"region": "emea", "upstreams": []any{map[string]any{"name": "green-emea-0", "url": "http://10.3.0.11:8080"}},
			}}}},
			"edges": map[string]any{"service": map[string]any{"annotations": map[string]any{"a": "b"}}},
		},
		"behind a proxy": {"edges": map[string]any{"tls": false, "service": map[string]any{"type": "ClusterIP"}}},
		"no edges":       {"edges": map[string]any{"enabled": false}, "networkPolicy": map[string]any{"enabled": false}},
	}
}

func TestChartIsLinted(t *testing.T) {
	for name, values := range releases() {
		lint := action.NewLint()
		lint.Strict = true
		if result := lint.Run([]string{chart}, with(values)); len(result.Errors) > 0 {
			t.Errorf("%s: %v", name, result.Errors)
		}
	}
}

// Every object is one that Kubernetes knows, with no field that it does not.
func TestObjectsAreKubernetes(t *testing.T) {
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for name, values := range releases() {
		for _, text := range render(t, values) {
			object, _, err := decoder.Decode(text, nil, nil)
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, text)
				continue
			}
			if p := pods(object); p != nil {
				restricted(t, name, p)
			}
		}
	}
}

// pods are those that an object makes, nil if it makes none.
func pods(object runtime.Object) *corev1.PodSpec {
	switch o := object.(type) {
	case *appsv1.StatefulSet:
		return &o.Spec.Template.Spec
	case *appsv1.Deployment:
		return &o.Spec.Template.Spec
	}
	return nil
}

// restricted holds pods to what Kubernetes calls the restricted standard, and to
// a root file system that nobody writes to.
func restricted(t *testing.T, name string, p *corev1.PodSpec) {
	t.Helper()
	for _, c := range p.Containers {
		s := c.SecurityContext
		if !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: container %s may too much", name, c.Name)
		}
		if c.LivenessProbe == nil || c.ReadinessProbe == nil || c.StartupProbe == nil {
			t.Errorf("%s: container %s is not probed", name, c.Name)
		}
	}
	if s := p.SecurityContext; !*s.RunAsNonRoot || s.SeccompProfile == nil || *p.AutomountServiceAccountToken {
		t.Errorf("%s: a pod may too much", name)
	}
}

// Instances read their settings when they start, so another value of theirs starts
// them anew.
func TestInstancesFollowTheirStack(t *testing.T) {
	template := func(stack string) string {
		for _, text := range render(t, map[string]any{"stack": stack}) {
			if _, rest, ok := strings.Cut(string(text), "\nkind: StatefulSet\n"); ok {
				return rest
			}
		}
		t.Fatal("there are no instances")
		return ""
	}
	if template("main") == template("blue") {
		t.Error("they go on as another stack's")
	}
}

// Values that cannot be are refused, with words that say which.
func TestValuesAreChecked(t *testing.T) {
	for word, values := range map[string]map[string]any{
		"image.repository": {"image": map[string]any{"repository": ""}},
		"instances.min":    {"instances": map[string]any{"min": 5, "max": 4}},
		"edges.min":        {"edges": map[string]any{"min": 5, "max": 4}},
		"instance":         {"instance": map[string]any{"min": 5}},
		"drain":            {"instances": map[string]any{"drain": "5 minutes"}},
		"stack":            {"stack": "Blue"},
	} {
		if _, err := try(values); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", word, err)
		}
	}
}

// render gives the objects of a release.
func render(t *testing.T, values map[string]any) [][]byte {
	t.Helper()
	manifest, err := try(values)
	if err != nil {
		t.Fatal(err)
	}
	var objects [][]byte
	reader := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifest)))
	for {
		text, err := reader.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if kind := (metav1.TypeMeta{}); yaml.Unmarshal(text, &kind) == nil && kind.Kind != "" {
			objects = append(objects, text)
		}
	}
	if len(objects) == 0 {
		t.Fatal("there is nothing in it")
	}
	return objects
}

func try(values map[string]any) (string, error) {
	c, err := loader.Load(chart)
	if err != nil {
		return "", err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.ReleaseName, install.Namespace = true, true, "turnout", "events"
	install.KubeVersion = &chartutil.KubeVersion{Version: "v1.34.0", Major: "1", Minor: "34"}
	release, err := install.Run(c, with(values))
	if err != nil {
		return "", fmt.Errorf("render: %w", err)
	}
	return release.Manifest, nil
}

// with adds the one value that has no default.
func with(values map[string]any) map[string]any {
	base := map[string]any{"image": map[string]any{"repository": "images.example/turnout"}}
	return chartutil.CoalesceTables(maps.Clone(values), base)
}
