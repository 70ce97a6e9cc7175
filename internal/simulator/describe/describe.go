// Package describe writes a schema in the shape of Salesforce's describe
// calls, as far as clients are known to read them.
package describe

import (
	"github.com/turnout-events/turnout/internal/simulator/schema"
)

// Summary is an object in the list of describe global.
type Summary struct {
	Activateable        bool              `json:"activateable"`
	Createable          bool              `json:"createable"`
	Custom              bool              `json:"custom"`
	CustomSetting       bool              `json:"customSetting"`
	Deletable           bool              `json:"deletable"`
	DeprecatedAndHidden bool              `json:"deprecatedAndHidden"`
	FeedEnabled         bool              `json:"feedEnabled"`
	KeyPrefix           string            `json:"keyPrefix"`
	Label               string            `json:"label"`
	LabelPlural         string            `json:"labelPlural"`
	Layoutable          bool              `json:"layoutable"`
	Mergeable           bool              `json:"mergeable"`
	MRUEnabled          bool              `json:"mruEnabled"`
	Name                string            `json:"name"`
	Queryable           bool              `json:"queryable"`
	Replicateable       bool              `json:"replicateable"`
	Retrieveable        bool              `json:"retrieveable"`
	Searchable          bool              `json:"searchable"`
	Triggerable         bool              `json:"triggerable"`
	Undeletable         bool              `json:"undeletable"`
	Updateable          bool              `json:"updateable"`
	URLs                map[string]string `json:"urls"`
}

// Object is the answer of an object's describe.
type Object struct {
	Summary
	Children    []Child  `json:"childRelationships"`
	Fields      []Field  `json:"fields"`
	RecordTypes []string `json:"recordTypeInfos"`
}

// Child is a relationship in which the object is the parent.
type Child struct {
	Cascade    bool    `json:"cascadeDelete"`
	Object     string  `json:"childSObject"`
	Deprecated bool    `json:"deprecatedAndHidden"`
	Field      string  `json:"field"`
	Name       *string `json:"relationshipName"`
	Restricted bool    `json:"restrictedDelete"`
}

// Choice is a picklist value.
type Choice struct {
	Active       bool    `json:"active"`
	DefaultValue bool    `json:"defaultValue"`
	Label        string  `json:"label"`
	ValidFor     *string `json:"validFor"`
	Value        string  `json:"value"`
}

// Field is a described field.
type Field struct {
	Aggregatable       bool     `json:"aggregatable"`
	AutoNumber         bool     `json:"autoNumber"`
	ByteLength         int      `json:"byteLength"`
	Calculated         bool     `json:"calculated"`
	CascadeDelete      bool     `json:"cascadeDelete"`
	CaseSensitive      bool     `json:"caseSensitive"`
	Createable         bool     `json:"createable"`
	Custom             bool     `json:"custom"`
	DefaultValue       any      `json:"defaultValue"`
	DefaultedOnCreate  bool     `json:"defaultedOnCreate"`
	DeprecatedHidden   bool     `json:"deprecatedAndHidden"`
	Digits             int      `json:"digits"`
	ExternalID         bool     `json:"externalId"`
	ExtraTypeInfo      *string  `json:"extraTypeInfo"`
	Filterable         bool     `json:"filterable"`
	Groupable          bool     `json:"groupable"`
	HTMLFormatted      bool     `json:"htmlFormatted"`
	IDLookup           bool     `json:"idLookup"`
	InlineHelpText     *string  `json:"inlineHelpText"`
	Label              string   `json:"label"`
	Length             int      `json:"length"`
	Name               string   `json:"name"`
	NameField          bool     `json:"nameField"`
	Nillable           bool     `json:"nillable"`
	Permissionable     bool     `json:"permissionable"`
	PicklistValues     []Choice `json:"picklistValues"`
	Precision          int      `json:"precision"`
	ReferenceTo        []string `json:"referenceTo"`
	RelationshipName   *string  `json:"relationshipName"`
	RelationshipOrder  *int     `json:"relationshipOrder"`
	RestrictedDelete   bool     `json:"restrictedDelete"`
	RestrictedPicklist bool     `json:"restrictedPicklist"`
	Scale              int      `json:"scale"`
	SOAPType           string   `json:"soapType"`
	Sortable           bool     `json:"sortable"`
	Type               string   `json:"type"`
	Unique             bool     `json:"unique"`
	Updateable         bool     `json:"updateable"`
}

// Summarize describes an object for the global list. base is the versioned
// path of the API.
func Summarize(o *schema.Object, base string) Summary {
	at := base + "/sobjects/" + o.Name
	return Summary{
		Createable: !o.ReadOnly, Custom: o.Custom(), Deletable: !o.ReadOnly, KeyPrefix: o.Prefix, Label: o.Label, LabelPlural: o.Plural,
		Layoutable: true, MRUEnabled: true, Name: o.Name, Queryable: true, Replicateable: true, Retrieveable: true, Searchable: !o.NoName,
		Triggerable: true, Undeletable: !o.ReadOnly, Updateable: !o.ReadOnly,
		URLs: map[string]string{"sobject": at, "describe": at + "/describe", "rowTemplate": at + "/{ID}"},
	}
}

// Describe describes an object with its fields and children.
func Describe(o *schema.Object, base string) Object {
	out := Object{Summary: Summarize(o, base), Children: []Child{}, RecordTypes: []string{}}
	for _, child := range o.Children {
		c := Child{Cascade: child.Field.OnDelete == schema.Cascade, Object: child.Object.Name, Field: child.Field.Name,
			Restricted: child.Field.OnDelete == schema.Restrict}
		if child.Name != "" {
			c.Name = &child.Name
		}
		out.Children = append(out.Children, c)
	}
	for _, f := range o.Fields {
		out.Fields = append(out.Fields, describeField(o, f))
	}
	return out
}

func describeField(o *schema.Object, f *schema.Field) Field {
	writable := !o.ReadOnly
	out := Field{
		Aggregatable: !f.LongTxt, AutoNumber: f.AutoNumber != "", CascadeDelete: f.OnDelete == schema.Cascade && f.Type == schema.Reference,
		CaseSensitive: f.CaseSensitive, Createable: f.Createable() && writable, Custom: f.Custom(), DefaultedOnCreate: defaulted(f),
		ExternalID: f.ExternalID, Filterable: !f.LongTxt, Groupable: !f.LongTxt && f.Type != schema.Double && f.Type != schema.DateTime,
		HTMLFormatted: f.HTML, IDLookup: f.Key(), Label: f.Label, Name: f.Name, NameField: f == o.NameField() && f.Name == "Name",
		Nillable: nillable(f), Permissionable: f.Custom() && !f.Required, PicklistValues: []Choice{}, ReferenceTo: []string{},
		RestrictedDelete: f.OnDelete == schema.Restrict, RestrictedPicklist: f.Restricted, SOAPType: soapType(f), Sortable: !f.LongTxt,
		Type: string(f.Type), Unique: f.Unique, Updateable: f.Updateable() && writable && !f.Master,
	}
	sizes(&out, f)
	if f.Type == schema.Reference {
		out.ReferenceTo, out.RelationshipName = f.ReferenceTo, &f.Relationship
		if f.Master {
			first := 0
			out.RelationshipOrder = &first
		}
	}
	if f.HTML {
		rich := "richtextarea"
		out.ExtraTypeInfo = &rich
	}
	if f.Type == schema.Boolean {
		out.DefaultValue = f.Default == "true"
	} else if f.Default != "" {
		out.DefaultValue = f.Default
	}
	for _, value := range f.Values {
		out.PicklistValues = append(out.PicklistValues, Choice{Active: true, DefaultValue: value == f.Default, Label: value, Value: value})
	}
	return out
}

// sizes fills length for texts, precision and scale for numbers.
func sizes(out *Field, f *schema.Field) {
	switch f.Type {
	case schema.Double:
		out.Precision, out.Scale = f.Precision, f.Scale
	case schema.Int:
		out.Digits = f.Precision
	default:
		out.Length = f.Length
		out.ByteLength = f.Length * 3
	}
}

func defaulted(f *schema.Field) bool {
	return f.Default != "" || f.AutoNumber != "" || f.Index < 0 || f.Name == "OwnerId" || f.Type == schema.Boolean
}

func nillable(f *schema.Field) bool {
	return !f.Required && f.Index >= 0 && f.Type != schema.Boolean && f.Name != "OwnerId" && f.AutoNumber == ""
}

func soapType(f *schema.Field) string {
	switch f.Type {
	case schema.ID, schema.Reference:
		return "tns:ID"
	case schema.Boolean:
		return "xsd:boolean"
	case schema.Double:
		return "xsd:double"
	case schema.Int:
		return "xsd:int"
	case schema.Date:
		return "xsd:date"
	case schema.DateTime:
		return "xsd:dateTime"
	}
	return "xsd:string"
}
