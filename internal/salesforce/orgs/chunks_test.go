package orgs

import (
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/salesforce"
	"github.com/turnout-events/turnout/internal/salesforce/mapping"
)

// A call holds as much as fits it, each record once; and no more than that is put apart.
func TestChunks(t *testing.T) {
	of := func(id string, bytes int) item {
		return item{Composed: mapping.Composed{ID: id, Record: salesforce.Record{"Note__c": strings.Repeat("x", bytes)}}}
	}
	small, half, third := of("", 100), of("", maxBody/2), of("", maxBody/3)
	for name, test := range map[string]struct {
		items []item
		want  []int
	}{
		"nothing":                          {nil, nil},
		"small ones":                       {[]item{small, small, small}, []int{3}},
		"what fits though it might not":    {[]item{third, third, small}, []int{3}},
		"what does not fit":                {[]item{half, half, small}, []int{1, 2}},
		"one that is too large for a call": {[]item{small, of("", maxBody+1), small}, []int{1, 1, 1}},
		"a record that comes twice":        {[]item{of("a", 1), of("b", 1), of("a", 1), of("c", 1)}, []int{2, 2}},
	} {
		got := chunks(test.items, again)
		sizes, n := []int{}, 0
		for _, c := range got {
			sizes, n = append(sizes, len(c.items)), n+len(c.records)
		}
		if len(sizes) != len(test.want) || n != len(test.items) {
			t.Errorf("%s: calls of %v, want %v", name, sizes, test.want)
			continue
		}
		for i := range sizes {
			if sizes[i] != test.want[i] {
				t.Errorf("%s: calls of %v, want %v", name, sizes, test.want)
			}
		}
	}
}
