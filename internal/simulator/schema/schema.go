// Package schema describes the objects and fields that a simulated Salesforce
// org holds. Schemas come from YAML: the standard objects and the Turnout
// package are embedded, more can be laid over them. A parsed [Schema] is
// immutable and safe for concurrent use.
package schema

import (
	"slices"
	"strings"
)

// Type is a field's type under the name that describe calls use.
type Type string

// The field types that the simulator knows.
const (
	ID           Type = "id"
	String       Type = "string"
	TextArea     Type = "textarea" // long text and rich text (HTML)
	Email        Type = "email"
	Phone        Type = "phone"
	URL          Type = "url"
	Picklist     Type = "picklist"
	Multi        Type = "multipicklist"
	Boolean      Type = "boolean"
	Int          Type = "int"
	Double       Type = "double"
	Date         Type = "date"
	DateTime     Type = "datetime"
	Reference    Type = "reference"
	masterDetail Type = "masterdetail" // YAML only; becomes Reference
	longText     Type = "longtext"     // YAML only; becomes TextArea
	html         Type = "html"         // YAML only; becomes TextArea
	autoNumber   Type = "autonumber"   // YAML only; becomes String
)

// OnDelete says what happens to a child when the record it points to goes.
type OnDelete string

// The three delete constraints of lookup fields.
const (
	SetNull  OnDelete = "SetNull"
	Restrict OnDelete = "Restrict"
	Cascade  OnDelete = "Cascade"
)

// Field is one column of an object.
type Field struct {
	Name      string `yaml:"name"`
	Label     string `yaml:"label"`
	Type      Type   `yaml:"type"`
	Length    int    `yaml:"length"`    // characters; 0 takes the type's default
	Precision int    `yaml:"precision"` // all digits of a number
	Scale     int    `yaml:"scale"`     // digits after the point

	Values     []string `yaml:"values"` // picklist values, in order
	Restricted bool     `yaml:"restricted"`
	Default    string   `yaml:"default"`

	Required      bool `yaml:"required"`
	ExternalID    bool `yaml:"externalId"`
	Unique        bool `yaml:"unique"`
	CaseSensitive bool `yaml:"caseSensitive"`
	IDLookup      bool `yaml:"idLookup"` // usable as an upsert key without being an external id

	ReferenceTo       []string `yaml:"referenceTo"`
	Relationship      string   `yaml:"relationship"`      // Event__r
	ChildRelationship string   `yaml:"childRelationship"` // Tickets__r, as seen from the parent
	OnDelete          OnDelete `yaml:"onDelete"`
	// Lock makes a write of the child hold the parent while it runs. It is
	// set for master-detail and for lookups that do not clear themselves.
	Lock bool `yaml:"lock"`

	ReadOnly   bool   `yaml:"readOnly"`   // neither createable nor updateable
	CreateOnly bool   `yaml:"createOnly"` // createable, not updateable
	AutoNumber string `yaml:"format"`     // "R-{00000}" for auto numbers
	CopyOf     string `yaml:"copyOf"`     // read from the person of a CampaignMember

	Master  bool `yaml:"-"` // master-detail
	HTML    bool `yaml:"-"`
	LongTxt bool `yaml:"-"`
	// Index is the position of the value in a row, or one of the negative
	// system positions.
	Index int `yaml:"-"`
}

// System positions: values that every row keeps outside its slice.
const (
	AtID = -1 - iota
	AtCreated
	AtModified
	AtStamp
	AtDeleted
	AtUser // CreatedById and LastModifiedById: the one integration user
)

// Custom reports whether the field is an organisation's own.
func (f *Field) Custom() bool { return strings.HasSuffix(f.Name, "__c") }

// Createable reports whether a create may set the field.
func (f *Field) Createable() bool { return !f.ReadOnly }

// Updateable reports whether an update may set the field.
func (f *Field) Updateable() bool { return !f.ReadOnly && !f.CreateOnly }

// Key reports whether the field can address a record in an upsert.
func (f *Field) Key() bool { return f.ExternalID || f.IDLookup }

// Indexed reports whether records can be found by the field without a scan.
func (f *Field) Indexed() bool {
	return f.Index >= 0 && (f.Unique || f.Key() || f.Type == Reference)
}

// Fold brings a value to the form under which it is compared for equality:
// Salesforce compares text without regard to case unless the field says so.
func (f *Field) Fold(value string) string {
	if f.CaseSensitive || f.Type == Reference {
		return value
	}
	return strings.ToLower(value)
}

// Child is a relationship as seen from the parent.
type Child struct {
	Object *Object
	Field  *Field
	Name   string
}

// Object is one kind of record.
type Object struct {
	Name     string   `yaml:"name"`
	Label    string   `yaml:"label"`
	Plural   string   `yaml:"plural"`
	Prefix   string   `yaml:"prefix"` // three characters; assigned when empty
	NoName   bool     `yaml:"noName"` // no Name field (CampaignMember)
	NoOwner  bool     `yaml:"noOwner"`
	ReadOnly bool     `yaml:"readOnly"`
	Fields   []*Field `yaml:"fields"`

	Children []Child `yaml:"-"`
	Width    int     `yaml:"-"` // values per row
	byName   map[string]*Field
	byRel    map[string]*Field
}

// Custom reports whether the object is an organisation's own.
func (o *Object) Custom() bool { return strings.HasSuffix(o.Name, "__c") }

// Field finds a field by name, in any case; nil when there is none.
func (o *Object) Field(name string) *Field {
	if f := o.byName[name]; f != nil { // spelled as declared
		return f
	}
	return o.byName[strings.ToLower(name)]
}

// Relationship finds the lookup behind a relationship name (Event__r).
func (o *Object) Relationship(name string) *Field { return o.byRel[strings.ToLower(name)] }

// Child finds a child relationship by name (Tickets__r).
func (o *Object) Child(name string) (Child, bool) {
	at := slices.IndexFunc(o.Children, func(c Child) bool { return strings.EqualFold(c.Name, name) })
	if at < 0 {
		return Child{}, false
	}
	return o.Children[at], true
}

// NameField is the field that a person knows a record by; Id when an object
// has no name.
func (o *Object) NameField() *Field {
	if f := o.Field("Name"); f != nil {
		return f
	}
	return o.Field("Id")
}

// Schema is all objects of an org.
type Schema struct {
	objects  []*Object
	byName   map[string]*Object
	byPrefix map[string]*Object
}

// Objects lists every object in the order of the files.
func (s *Schema) Objects() []*Object { return s.objects }

// Object finds an object by name, in any case; nil when there is none.
func (s *Schema) Object(name string) *Object {
	if o := s.byName[name]; o != nil { // spelled as declared
		return o
	}
	return s.byName[strings.ToLower(name)]
}

// HasField reports whether any object has a field of that name, in any case.
func (s *Schema) HasField(name string) bool {
	return slices.ContainsFunc(s.objects, func(o *Object) bool { return o.Field(name) != nil })
}

// ByPrefix finds the object that record ids with this key prefix belong to.
func (s *Schema) ByPrefix(prefix string) *Object { return s.byPrefix[prefix] }
