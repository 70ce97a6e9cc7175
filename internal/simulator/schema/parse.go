package schema

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed standard.yaml
var standardYAML []byte

//go:embed turnout.yaml
var turnoutYAML []byte

type file struct {
	Objects []*Object `yaml:"objects"`
}

// Load parses the embedded schemas and lays extra ones over them: an object
// that exists gains the new fields, and a field that exists is replaced.
// Unknown YAML keys and impossible definitions are errors.
func Load(extra ...[]byte) (*Schema, error) {
	return load(append([][]byte{standardYAML, turnoutYAML}, extra...)...)
}

func load(sources ...[]byte) (*Schema, error) {
	s := &Schema{byName: map[string]*Object{}, byPrefix: map[string]*Object{}}
	for _, source := range sources {
		f, err := read(source)
		if err != nil {
			return nil, err
		}
		for _, object := range f.Objects {
			if err := s.lay(object); err != nil {
				return nil, err
			}
		}
	}
	return s, s.finish()
}

// lay adds an object, or its fields to one that is there.
func (s *Schema) lay(object *Object) error {
	if object == nil || object.Name == "" {
		return fmt.Errorf("an object has no name")
	}
	there := s.byName[strings.ToLower(object.Name)]
	if there == nil {
		s.objects = append(s.objects, object)
		s.byName[strings.ToLower(object.Name)], s.byName[object.Name] = object, object
		return nil
	}
	for _, field := range object.Fields {
		if field == nil {
			return fmt.Errorf("object %s: a field is empty", object.Name)
		}
		at := slices.IndexFunc(there.Fields, func(f *Field) bool { return strings.EqualFold(f.Name, field.Name) })
		if at >= 0 {
			there.Fields[at] = field
			continue
		}
		there.Fields = append(there.Fields, field)
	}
	return nil
}

// finish fills defaults, adds the system fields and joins parents with children.
func (s *Schema) finish() error {
	for _, object := range s.objects {
		if err := s.finishObject(object); err != nil {
			return fmt.Errorf("object %s: %w", object.Name, err)
		}
	}
	if err := s.assignPrefixes(); err != nil {
		return err
	}
	for _, object := range s.objects {
		if err := s.joinChildren(object); err != nil {
			return fmt.Errorf("object %s: %w", object.Name, err)
		}
	}
	return nil
}

func (s *Schema) finishObject(object *Object) error {
	if object.Label == "" {
		object.Label = labelOf(object.Name)
	}
	if object.Plural == "" {
		object.Plural = object.Label + "s"
	}
	object.Fields = withSystemFields(object)
	object.byName = make(map[string]*Field, len(object.Fields))
	object.byRel = map[string]*Field{}
	for _, field := range object.Fields {
		if field == nil || field.Name == "" {
			return fmt.Errorf("a field has no name")
		}
		if err := field.finish(); err != nil {
			return fmt.Errorf("field %s: %w", field.Name, err)
		}
		if field.Index >= 0 {
			field.Index = object.Width
			object.Width++
		}
		key := strings.ToLower(field.Name)
		if object.byName[key] != nil {
			return fmt.Errorf("field %s is there twice", field.Name)
		}
		object.byName[key], object.byName[field.Name] = field, field
		if field.Relationship != "" {
			object.byRel[strings.ToLower(field.Relationship)] = field
		}
	}
	return nil
}

// withSystemFields puts Id first, then the declared fields, then the stamps.
func withSystemFields(object *Object) []*Field {
	user := func(name, label string) *Field {
		return &Field{Name: name, Label: label, Type: Reference, ReferenceTo: []string{"User"},
			Relationship: strings.TrimSuffix(name, "Id"), ReadOnly: true, Index: AtUser}
	}
	fields := []*Field{{Name: "Id", Label: "Record ID", Type: ID, ReadOnly: true, IDLookup: true, Index: AtID}}
	declares := func(name string) bool {
		return slices.ContainsFunc(object.Fields, func(f *Field) bool { return f != nil && f.Name == name })
	}
	if !object.NoOwner && !declares("OwnerId") {
		fields = append(fields, &Field{Name: "OwnerId", Label: "Owner ID", Type: Reference,
			ReferenceTo: []string{"User"}, Relationship: "Owner"})
	}
	if !object.NoName && !declares("Name") {
		fields = append(fields, &Field{Name: "Name", Label: "Name", Type: String, Length: 80, Required: object.Custom()})
	}
	fields = append(fields, object.Fields...)
	return append(fields,
		&Field{Name: "CreatedDate", Label: "Created Date", Type: DateTime, ReadOnly: true, Index: AtCreated},
		user("CreatedById", "Created By ID"),
		&Field{Name: "LastModifiedDate", Label: "Last Modified Date", Type: DateTime, ReadOnly: true, Index: AtModified},
		user("LastModifiedById", "Last Modified By ID"),
		&Field{Name: "SystemModstamp", Label: "System Modstamp", Type: DateTime, ReadOnly: true, Index: AtStamp},
		&Field{Name: "IsDeleted", Label: "Deleted", Type: Boolean, ReadOnly: true, Index: AtDeleted},
	)
}

// finish turns the YAML spelling of a type into the described one and fills
// what the YAML left out.
func (f *Field) finish() error {
	if f.Label == "" {
		f.Label = labelOf(f.Name)
	}
	switch f.Type {
	case masterDetail:
		f.Type, f.Master, f.Required, f.OnDelete, f.Lock = Reference, true, true, Cascade, true
	case longText:
		f.Type, f.LongTxt = TextArea, true
	case html:
		f.Type, f.LongTxt, f.HTML = TextArea, true, true
	case autoNumber:
		f.Type, f.ReadOnly = String, true
		if f.AutoNumber == "" {
			f.AutoNumber = "{00000}"
		}
	case "text":
		f.Type = String
	case "number":
		f.Type = Double
	case "checkbox":
		f.Type = Boolean
	}
	if err := f.finishReference(); err != nil {
		return err
	}
	return f.finishSizes()
}

func (f *Field) finishReference() error {
	if f.Type != Reference {
		return nil
	}
	if len(f.ReferenceTo) == 0 {
		return fmt.Errorf("a lookup needs referenceTo")
	}
	if f.Relationship == "" {
		if name, custom := strings.CutSuffix(f.Name, "__c"); custom {
			f.Relationship = name + "__r"
		} else {
			f.Relationship = strings.TrimSuffix(f.Name, "Id")
		}
	}
	switch f.OnDelete {
	case "":
		f.OnDelete = SetNull
	case SetNull:
	case Restrict, Cascade:
		f.Lock = true
	default:
		return fmt.Errorf("onDelete %q is none of SetNull, Restrict, Cascade", f.OnDelete)
	}
	return nil
}

func (f *Field) finishSizes() error {
	defaults := map[Type]int{ID: 18, Reference: 18, String: 255, TextArea: 255, Email: 80, Phone: 40,
		URL: 255, Picklist: 255, Multi: 4099, Boolean: 0, Int: 0, Double: 0, Date: 0, DateTime: 0}
	length, known := defaults[f.Type]
	if !known {
		return fmt.Errorf("type %q is unknown", f.Type)
	}
	if f.Length == 0 {
		f.Length = length
		if f.LongTxt {
			f.Length = 32768
		}
	}
	if f.Precision == 0 && (f.Type == Double || f.Type == Int) {
		f.Precision = 18
		if f.Type == Int {
			f.Precision = 9
		}
	}
	if f.Type == Boolean && f.Default == "" {
		f.Default = "false"
	}
	return nil
}

// assignPrefixes gives every custom object without a prefix the next free one.
func (s *Schema) assignPrefixes() error {
	for _, object := range s.objects {
		if object.Prefix == "" {
			continue
		}
		if len(object.Prefix) != 3 || s.byPrefix[object.Prefix] != nil {
			return fmt.Errorf("object %s: prefix %q is not three characters or is taken", object.Name, object.Prefix)
		}
		s.byPrefix[object.Prefix] = object
	}
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	next := 0
	for _, object := range s.objects {
		for object.Prefix == "" {
			if next == len(digits)*len(digits) {
				return fmt.Errorf("too many objects")
			}
			prefix := "a" + string(digits[next/len(digits)]) + string(digits[next%len(digits)])
			next++
			if s.byPrefix[prefix] == nil {
				object.Prefix = prefix
				s.byPrefix[prefix] = object
			}
		}
	}
	return nil
}

func (s *Schema) joinChildren(object *Object) error {
	for _, field := range object.Fields {
		for _, target := range field.ReferenceTo {
			parent := s.Object(target)
			if parent == nil {
				return fmt.Errorf("field %s points to the unknown object %s", field.Name, target)
			}
			if field.Index < 0 {
				continue
			}
			parent.Children = append(parent.Children, Child{Object: object, Field: field, Name: field.ChildRelationship})
		}
	}
	return nil
}

// labelOf makes a label of an API name: Turnout_Link__c becomes "Turnout Link".
func labelOf(name string) string {
	name = strings.TrimSuffix(name, "__c")
	name = strings.ReplaceAll(name, "_", " ")
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
