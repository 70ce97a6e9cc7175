package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// A release is these objects and no others.
func TestAReleaseIsTheseObjects(t *testing.T) {
	base := []string{
		"ConfigMap turnout-routes", "ConfigMap turnout-settings", "HorizontalPodAutoscaler turnout-instance",
		"PodDisruptionBudget turnout-instance", "Service turnout-instances", "ServiceAccount turnout", "StatefulSet turnout-instance",
	}
	edges := []string{
		"Deployment turnout-edge", "HorizontalPodAutoscaler turnout-edge", "PodDisruptionBudget turnout-edge", "Service turnout",
	}
	policies := []string{"NetworkPolicy turnout-edge", "NetworkPolicy turnout-instance"}
	all := slices.Concat(base, edges, policies)
	want := map[string][]string{"defaults": all, "everything": all, "behind a proxy": all, "no edges": base}
	for name, values := range releases() {
		var got []string
		for _, o := range objects(t, values) {
			got = append(got, o.GetObjectKind().GroupVersionKind().Kind+" "+named(t, o))
		}
		slices.Sort(got)
		slices.Sort(want[name])
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want[name])
		}
	}
}

// Instances are as many as concurrent sessions and CPU ask for, edges as many as
// CPU does.
func TestAutoscalersWatch(t *testing.T) {
	sessions := func(each string) string {
		return "turnout_sessions_active namespace=events AverageValue " + each
	}
	values := map[string]any{"instances": map[string]any{"min": 4, "max": 9, "sessionsEach": 500}}
	for _, c := range []struct {
		values map[string]any
		want   map[string]string
	}{
		{nil, map[string]string{
			"turnout-instance": "StatefulSet turnout-instance 3-12: " + sessions("2k") + ", cpu 70%",
			"turnout-edge":     "Deployment turnout-edge 2-6: cpu 60%",
		}},
		{values, map[string]string{
			"turnout-instance": "StatefulSet turnout-instance 4-9: " + sessions("500") + ", cpu 70%",
			"turnout-edge":     "Deployment turnout-edge 2-6: cpu 60%",
		}},
	} {
		got := map[string]string{}
		for _, o := range objects(t, c.values) {
			if h, ok := o.(*autoscalingv2.HorizontalPodAutoscaler); ok {
				got[h.Name] = scaling(h)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v:\n got %v\nwant %v", c.values, got, c.want)
		}
	}
}

// scaling says what an autoscaler scales, between which bounds, and by what.
func scaling(h *autoscalingv2.HorizontalPodAutoscaler) string {
	var by []string
	for _, m := range h.Spec.Metrics {
		switch m.Type {
		case autoscalingv2.ExternalMetricSourceType:
			e := m.External
			by = append(by, fmt.Sprintf("%s %s %s %s", e.Metric.Name, labels.FormatLabels(e.Metric.Selector.MatchLabels), e.Target.Type, e.Target.AverageValue))
		case autoscalingv2.ResourceMetricSourceType:
			by = append(by, fmt.Sprintf("%s %d%%", m.Resource.Name, *m.Resource.Target.AverageUtilization))
		default:
			by = append(by, string(m.Type))
		}
	}
	of := h.Spec.ScaleTargetRef
	return fmt.Sprintf("%s %s %d-%d: %s", of.Kind, of.Name, *h.Spec.MinReplicas, h.Spec.MaxReplicas, strings.Join(by, ", "))
}

// Nodes are emptied one pod of a part at a time.
func TestBudgetsGiveOnePodAtATime(t *testing.T) {
	all := objects(t, nil)
	for _, o := range all {
		b, ok := o.(*policyv1.PodDisruptionBudget)
		if !ok {
			continue
		}
		if n := b.Spec.MaxUnavailable; n == nil || n.String() != "1" || b.Spec.MinAvailable != nil {
			t.Errorf("%s gives %v", b.Name, n)
		}
		if got := chosen(all, b.Spec.Selector.MatchLabels); !slices.Equal(got, []string{b.Name}) {
			t.Errorf("%s is about the pods of %v", b.Name, got)
		}
	}
}

// Pods are reached at these ports and reach these, from and at whom the policy
// says; nothing else is open.
func TestPoliciesOpenThesePorts(t *testing.T) {
	const (
		operators = "namespaces kubernetes.io/metadata.name=monitoring: TCP admin"
		edges     = "pods app.kubernetes.io/component=edge,app.kubernetes.io/name=turnout: TCP http"
		names     = "all: UDP 53, TCP 53"
		engines   = "all: TCP 443, TCP 5432, TCP 27017, TCP 6379"
	)
	for name, want := range map[string]map[string][]string{
		"defaults": {
			"turnout-instance in": {edges, operators}, "turnout-instance out": {names, engines},
			"turnout-edge in": {"all: TCP http, TCP https", operators}, "turnout-edge out": {names, engines, "all: TCP 8080"},
		},
		"behind a proxy": {
			"turnout-instance in": {edges, operators}, "turnout-instance out": {names, engines},
			"turnout-edge in": {"all: TCP http", operators}, "turnout-edge out": {names, engines, "all: TCP 8080"},
		},
	} {
		got, all := map[string][]string{}, objects(t, releases()[name])
		for _, o := range all {
			p, ok := o.(*networkingv1.NetworkPolicy)
			if !ok {
				continue
			}
			if got := chosen(all, p.Spec.PodSelector.MatchLabels); !slices.Equal(got, []string{p.Name}) {
				t.Errorf("%s: %s is about the pods of %v", name, p.Name, got)
			}
			if !slices.Equal(p.Spec.PolicyTypes, []networkingv1.PolicyType{"Ingress", "Egress"}) {
				t.Errorf("%s: %s is about %v", name, p.Name, p.Spec.PolicyTypes)
			}
			for _, r := range p.Spec.Ingress {
				got[p.Name+" in"] = append(got[p.Name+" in"], opened(r.From, r.Ports))
			}
			for _, r := range p.Spec.Egress {
				got[p.Name+" out"] = append(got[p.Name+" out"], opened(r.To, r.Ports))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s:\n got %v\nwant %v", name, got, want)
		}
	}
}

// opened says which ports a rule opens, and between whom. A rule with no port opens
// all of them, one with no peer is for everybody.
func opened(peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) string {
	var who, at []string
	for _, p := range peers {
		switch {
		case p.PodSelector != nil && p.NamespaceSelector == nil && p.IPBlock == nil:
			who = append(who, "pods "+labels.FormatLabels(p.PodSelector.MatchLabels))
		case p.NamespaceSelector != nil && p.PodSelector == nil && p.IPBlock == nil:
			who = append(who, "namespaces "+labels.FormatLabels(p.NamespaceSelector.MatchLabels))
		default:
			who = append(who, p.String())
		}
	}
	for _, p := range ports {
		protocol := corev1.ProtocolTCP
		if p.Protocol != nil {
			protocol = *p.Protocol
		}
		at = append(at, fmt.Sprintf("%s %s", protocol, p.Port))
		if p.EndPort != nil {
			at = append(at, fmt.Sprintf("to %d", *p.EndPort))
		}
	}
	if who == nil {
		who = []string{"all"}
	}
	return strings.Join(who, ", ") + ": " + strings.Join(at, ", ")
}

// chosen are the names of the objects whose pods a selector selects.
func chosen(all []runtime.Object, by map[string]string) (names []string) {
	for _, o := range all {
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			if labels.SelectorFromSet(by).Matches(labels.Set(o.Spec.Template.Labels)) {
				names = append(names, o.Name)
			}
		case *appsv1.Deployment:
			if labels.SelectorFromSet(by).Matches(labels.Set(o.Spec.Template.Labels)) {
				names = append(names, o.Name)
			}
		}
	}
	return names
}

// objects gives the objects of a release as Kubernetes reads them.
func objects(t *testing.T, values map[string]any) (all []runtime.Object) {
	t.Helper()
	for _, text := range render(t, values) {
		o, _, err := scheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		all = append(all, o)
	}
	return all
}

func named(t *testing.T, o runtime.Object) string {
	t.Helper()
	m, err := meta.Accessor(o)
	if err != nil {
		t.Fatal(err)
	}
	return m.GetName()
}
