package salesforce

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/turnout-events/turnout"
)

// Object is what describe tells about an object, as far as Turnout asks.
type Object struct {
	Name     string  `json:"name"`
	Prefix   string  `json:"keyPrefix"`
	Create   bool    `json:"createable"`
	Update   bool    `json:"updateable"`
	Query    bool    `json:"queryable"`
	Fields   []Field `json:"fields"`
	Children []Child `json:"childRelationships"`
}

// Child is another object's field that points to this one.
type Child struct {
	Object       string `json:"childSObject"`
	Field        string `json:"field"`
	Relationship string `json:"relationshipName"`
}

// Field is what describe tells about a field.
type Field struct {
	Name string `json:"name"`
	// Type is "string", "textarea", "boolean", "double", "picklist"…
	Type string `json:"type"`
	// Length is in characters, for the text types.
	Length       int    `json:"length"`
	Create       bool   `json:"createable"`
	Update       bool   `json:"updateable"`
	ExternalID   bool   `json:"externalId"`
	Unique       bool   `json:"unique"`
	IDLookup     bool   `json:"idLookup"`
	Restricted   bool   `json:"restrictedPicklist"`
	Relationship string `json:"relationshipName"`
	Values       []struct {
		Value  string `json:"value"`
		Active bool   `json:"active"`
	} `json:"picklistValues"`
}

// Field finds a field without regard to case.
func (o *Object) Field(name string) (Field, bool) {
	for _, f := range o.Fields {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return Field{}, false
}

// Offers reports whether value is among the picklist's active values.
func (f Field) Offers(value string) bool {
	for _, v := range f.Values {
		if v.Active && v.Value == value {
			return true
		}
	}
	return false
}

// Describe asks for an object's fields, as the integration user may see them.
func (c *Client) Describe(ctx context.Context, object string) (*Object, error) {
	var o Object
	err := c.json(ctx, call{op: opDescribe, method: http.MethodGet, path: c.data("/sobjects/" + url.PathEscape(object) + "/describe")}, &o)
	if err != nil {
		return nil, err
	}
	return &o, nil
}

// Versions asks which API versions the instance offers ("v65.0"). The request
// carries no token and does not count toward the limits.
func (c *Client) Versions(ctx context.Context) ([]string, error) {
	var list []struct {
		Version string `json:"version"`
	}
	if err := c.json(ctx, call{op: opVersions, method: http.MethodGet, path: "/services/data", open: true}, &list); err != nil {
		return nil, err
	}
	versions := make([]string, len(list))
	for i, v := range list {
		versions[i] = "v" + v.Version
	}
	return versions, nil
}

// Probe finds out whether the org can be reached and signed in to, without
// using up its limits, and whether it offers our API version.
func (c *Client) Probe(ctx context.Context) error {
	versions, err := c.Versions(ctx)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v == c.version {
			return nil
		}
	}
	return turnout.Errorf(turnout.CodeMisconfigured, "probe salesforce", "the org does not offer API version %s", c.version)
}
