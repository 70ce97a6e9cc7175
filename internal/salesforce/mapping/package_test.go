package mapping

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"
)

// The integration user of the package in salesforce/ may do what both mappings that come
// with Turnout ask of its fields, and what is not asked it may not write.
func TestPackageLetsTurnoutWrite(t *testing.T) {
	const dir = "../../../salesforce/force-app/main/default"
	text, err := os.ReadFile(dir + "/permissionsets/Turnout_Integration.permissionset-meta.xml")
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Fields []struct {
			Name     string `xml:"field"`
			Editable bool   `xml:"editable"`
		} `xml:"fieldPermissions"`
	}
	if err := xml.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	editable := map[string]bool{}
	for _, f := range set.Fields {
		editable[f.Name] = f.Editable
	}
	written := map[string]bool{}
	for _, name := range []string{"turnout", "campaign"} {
		m, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		needs := map[string][]need{m.Registration.Object: m.registrationNeeds(), m.Event.Object: {{field: m.Event.Note, update: true}}}
		if m.Person != nil {
			needs[m.Person.Object] = m.personNeeds()
		}
		for object, all := range needs {
			for _, n := range all {
				full := object + "." + n.field
				written[full] = true
				if !strings.HasSuffix(n.field, "__c") {
					continue // a standard field
				}
				if _, err := os.Stat(dir + "/objects/" + object + "/fields/" + n.field + ".field-meta.xml"); err != nil {
					t.Errorf("%s: the package has no %s", name, full)
				}
				if can, given := editable[full]; given && !can { // who gives a required field to nobody gives it to all
					t.Errorf("%s: the integration user may not write %s", name, full)
				}
			}
		}
		fields := append(m.Link.Columns(), m.Link.Revoked.Field)
		for object, all := range map[string][]string{m.Link.Object: fields, m.Event.Object: append(named(m.Event.Fields, m.Event.Published.Field), m.Event.Details)} {
			for _, field := range all {
				if !strings.HasSuffix(field, "__c") {
					continue
				}
				if _, err := os.Stat(dir + "/objects/" + object + "/fields/" + field + ".field-meta.xml"); err != nil {
					t.Errorf("%s: the package has no %s.%s", name, object, field)
				}
			}
		}
	}
	for name, can := range editable {
		if can && !written[name] {
			t.Errorf("the integration user may write %s, and no mapping does", name)
		}
	}
}
