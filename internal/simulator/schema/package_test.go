package schema

import (
	"encoding/xml"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const packageDir = "../../../salesforce/force-app/main/default"

// packagedField is a field as the package for real orgs has it.
type packagedField struct {
	Name          string `xml:"fullName"`
	Type          string `xml:"type"`
	Length        int    `xml:"length"`
	Precision     int    `xml:"precision"`
	Scale         int    `xml:"scale"`
	Required      bool   `xml:"required"`
	ExternalID    bool   `xml:"externalId"`
	Unique        bool   `xml:"unique"`
	CaseSensitive bool   `xml:"caseSensitive"`
	ReferenceTo   string `xml:"referenceTo"`
	Relationship  string `xml:"relationshipName"`
	OnDelete      string `xml:"deleteConstraint"`
	Restricted    bool   `xml:"valueSet>restricted"`
	Values        []struct {
		Name    string `xml:"fullName"`
		Default bool   `xml:"default"`
	} `xml:"valueSet>valueSetDefinition>value"`
}

// packaged are the fields of the package's objects.
func packaged(t *testing.T) map[string]map[string]packagedField {
	t.Helper()
	all := map[string]map[string]packagedField{}
	files, err := filepath.Glob(packageDir + "/objects/*/fields/*.field-meta.xml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no fields")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var f packagedField
		if err := xml.Unmarshal(text, &f); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if f.Name+".field-meta.xml" != filepath.Base(file) {
			t.Errorf("%s is named %s", file, f.Name)
		}
		object := filepath.Base(filepath.Dir(filepath.Dir(file)))
		if all[object] == nil {
			all[object] = map[string]packagedField{}
		}
		all[object][f.Name] = f
	}
	return all
}

// as is what the package must say of a field of the schema.
func (f *Field) as() packagedField {
	p := packagedField{
		Name: f.Name, Length: f.Length, Required: f.Required && !f.Master, ExternalID: f.ExternalID, Unique: f.Unique, CaseSensitive: f.Unique && f.CaseSensitive,
		Restricted: f.Restricted, Relationship: strings.TrimSuffix(f.ChildRelationship, "__r"),
	}
	if len(f.ReferenceTo) > 0 {
		p.ReferenceTo, p.OnDelete, p.Length = f.ReferenceTo[0], string(f.OnDelete), 0
	}
	for _, v := range f.Values {
		p.Values = append(p.Values, struct {
			Name    string `xml:"fullName"`
			Default bool   `xml:"default"`
		}{v, v == f.Default})
	}
	switch {
	case f.Master:
		p.Type, p.OnDelete = "MasterDetail", ""
	case f.HTML:
		p.Type = "Html"
	case f.LongTxt:
		p.Type = "LongTextArea"
	default:
		p.Type = map[Type]string{String: "Text", Email: "Email", URL: "Url", Picklist: "Picklist", Boolean: "Checkbox", DateTime: "DateTime", Double: "Number", Int: "Number", Reference: "Lookup"}[f.Type]
	}
	switch p.Type {
	case "Number":
		p.Length, p.Precision, p.Scale = 0, f.Precision, f.Scale
	case "Email", "Url", "Picklist", "Checkbox":
		p.Length = 0 // Salesforce's own
	}
	return p
}

// What the simulator takes for the Turnout package is what salesforce/ deploys: no field
// more, none less, none of another kind.
func TestPackageIsWhatIsSimulated(t *testing.T) {
	s, err := load(standardYAML, turnoutYAML)
	if err != nil {
		t.Fatal(err)
	}
	have := packaged(t)
	for _, o := range s.objects {
		for _, f := range o.Fields {
			if !f.Custom() {
				continue
			}
			got, ok := have[o.Name][f.Name]
			if want := f.as(); !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%s.%s is %+v in the package, and %+v simulated", o.Name, f.Name, got, want)
			}
			delete(have[o.Name], f.Name)
		}
	}
	delete(have, "Turnout_Settings__c") // of the package alone
	for object, fields := range have {
		if len(fields) > 0 {
			t.Errorf("%s: the package has %v besides", object, slices.Sorted(maps.Keys(fields)))
		}
	}
}

// permissions is a permission set.
type permissions struct {
	Objects []struct {
		Name string `xml:"object"`
	} `xml:"objectPermissions"`
	Fields []struct {
		Name     string `xml:"field"`
		Readable bool   `xml:"readable"`
		Editable bool   `xml:"editable"`
	} `xml:"fieldPermissions"`
}

// Every field that a permission set can give is given by both: Salesforce refuses one
// that names a required field, and without it nobody sees the field.
func TestPackagePermissionsAreWhole(t *testing.T) {
	for _, name := range []string{"Turnout_Organiser", "Turnout_Integration"} {
		text, err := os.ReadFile(packageDir + "/permissionsets/" + name + ".permissionset-meta.xml")
		if err != nil {
			t.Fatal(err)
		}
		var p permissions
		if err := xml.Unmarshal(text, &p); err != nil {
			t.Fatal(err)
		}
		given := map[string]bool{}
		for _, f := range p.Fields {
			given[f.Name] = f.Readable
		}
		for object, fields := range packaged(t) {
			if object == "Turnout_Settings__c" { // nobody's but the code's
				continue
			}
			for _, f := range fields {
				always := f.Required || f.Type == "MasterDetail"
				if full := object + "." + f.Name; given[full] == always {
					t.Errorf("%s: %s is given: %t", name, full, given[full])
				}
				delete(given, object+"."+f.Name)
			}
		}
		for full := range given {
			if !strings.HasSuffix(full, "__c") {
				delete(given, full) // a standard field, which no permission set gives by itself
			}
		}
		if len(given) > 0 {
			t.Errorf("%s gives %v, which the package does not have", name, slices.Sorted(maps.Keys(given)))
		}
	}
}

// layouts show every field of the package's own objects, and no other.
func TestPackageLayoutsShowEverything(t *testing.T) {
	for object, fields := range packaged(t) {
		if !strings.HasPrefix(object, "Turnout_") || object == "Turnout_Settings__c" {
			continue
		}
		files, err := filepath.Glob(packageDir + "/layouts/" + object + "-*.layout-meta.xml")
		if err != nil || len(files) != 1 {
			t.Fatalf("%s has the layouts %v, %v", object, files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		var l struct {
			Fields  []string `xml:"layoutSections>layoutColumns>layoutItems>field"`
			Actions []struct {
				Name string `xml:"actionName"`
				Type string `xml:"actionType"`
			} `xml:"platformActionList>platformActionListItems"`
		}
		if err := xml.Unmarshal(text, &l); err != nil {
			t.Fatal(err)
		}
		shown := map[string]int{}
		for _, f := range l.Fields {
			shown[f]++
			if _, ok := fields[f]; !ok && f != "Name" && f != "OwnerId" {
				t.Errorf("%s: the layout shows %s, which is not there", object, f)
			}
		}
		for f := range fields {
			if shown[f] != 1 {
				t.Errorf("%s: the layout shows %s %d times", object, f, shown[f])
			}
		}
		for _, a := range l.Actions {
			if _, err := os.Stat(packageDir + "/quickActions/" + a.Name + ".quickAction-meta.xml"); a.Type == "QuickAction" && err != nil {
				t.Errorf("%s: the layout has a button that is not there: %v", object, err)
			}
		}
	}
}

// The buttons are components of the package.
func TestPackageButtonsAreThere(t *testing.T) {
	files, err := filepath.Glob(packageDir + "/quickActions/*.quickAction-meta.xml")
	if err != nil || len(files) != 7 {
		t.Fatalf("%d buttons, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var a struct {
			Component string `xml:"lightningWebComponent"`
			Subtype   string `xml:"actionSubtype"` // Action, or ScreenAction for one with a screen
		}
		if err := xml.Unmarshal(text, &a); err != nil {
			t.Fatal(err)
		}
		component := packageDir + "/lwc/" + a.Component + "/" + a.Component
		meta, err := os.ReadFile(component + ".js-meta.xml")
		if err != nil || !strings.Contains(string(meta), "<actionType>"+a.Subtype+"</actionType>") {
			t.Errorf("%s: %s, %v", file, a.Subtype, err)
		}
		if _, err := os.Stat(component + ".html"); (err == nil) != (a.Subtype == "ScreenAction") {
			t.Errorf("%s is a %s: %v", file, a.Subtype, err)
		}
	}
}

// Whoever stands at the door sees who is registered and changes a status, and nothing else.
func TestPackageDoorGivesLittle(t *testing.T) {
	text, err := os.ReadFile(packageDir + "/permissionsets/Turnout_Door.permissionset-meta.xml")
	if err != nil {
		t.Fatal(err)
	}
	var p permissions
	if err := xml.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	have, given := packaged(t), map[string]bool{}
	for _, f := range p.Fields {
		object, field, _ := strings.Cut(f.Name, ".")
		given[field] = f.Readable
		if known, ok := have[object][field]; !ok || known.Required || f.Editable != (f.Name == "Turnout_Registration__c.Status__c") {
			t.Errorf("it gives %+v", f)
		}
	}
	if len(p.Fields) != 8 || len(p.Objects) != 2 {
		t.Errorf("it gives %d fields of %d objects", len(p.Fields), len(p.Objects))
	}
	door, err := os.ReadFile(packageDir + "/classes/TurnoutDoor.cls")
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range regexp.MustCompile(`\b[A-Z][A-Za-z_]*__c\b`).FindAllString(string(door), -1) {
		known, ok := have["Turnout_Registration__c"][field]
		if always := ok && known.Required; field != "Turnout_Registration__c" && !always && !given[field] {
			t.Errorf("the door's code reads %s, which it does not give", field)
		}
	}
}
