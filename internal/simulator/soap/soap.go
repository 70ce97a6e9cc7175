// Package soap reads and writes the two calls of the SOAP partner API that
// clients log in and out with. Shapes are [from the docs]: the partner WSDL's
// LoginResult and LoginFault, under their usual prefixes, since some clients
// look for those and not for namespaces.
package soap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
)

// Request is one call. Exactly one of Login and Logout is set, unless it is
// another call: then Name says which.
type Request struct {
	Name    string // of the body's element
	Login   *Login
	Session string // of the header; "" for none
	Logout  bool
}

// Login is who wants to log in.
type Login struct {
	Username string `xml:"username"`
	Password string `xml:"password"`
}

// Parse reads an envelope. Elements are known by their local names: clients
// choose the prefixes.
func Parse(body []byte) (Request, error) {
	var envelope struct {
		XMLName xml.Name `xml:"Envelope"`
		Session string   `xml:"Header>SessionHeader>sessionId"`
		Body    struct {
			Call *struct {
				XMLName xml.Name
				Login
			} `xml:",any"`
		} `xml:"Body"`
	}
	if err := xml.Unmarshal(body, &envelope); err != nil {
		return Request{}, err
	}
	if envelope.Body.Call == nil {
		return Request{}, errors.New("the SOAP body is empty")
	}
	call := envelope.Body.Call
	out := Request{Name: call.XMLName.Local, Session: strings.TrimSpace(envelope.Session)}
	switch out.Name {
	case "login":
		out.Login = &call.Login
	case "logout":
		out.Logout = true
	}
	return out, nil
}

// Session is what a login answers.
type Session struct {
	Token, ServerURL, MetadataURL string
	User, Org                     string // ids
	Username, FullName, OrgName   string
}

const (
	head = `<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" `
	body = `xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>`
	tail = `</soapenv:Body></soapenv:Envelope>`
)

// LoggedIn is the answer to a login.
func LoggedIn(s Session) []byte {
	var b bytes.Buffer
	b.WriteString(head + body + `<loginResponse><result>`)
	element(&b, "metadataServerUrl", s.MetadataURL)
	b.WriteString(`<passwordExpired>false</passwordExpired><sandbox>false</sandbox>`)
	element(&b, "serverUrl", s.ServerURL)
	element(&b, "sessionId", s.Token)
	element(&b, "userId", s.User)
	b.WriteString(`<userInfo>`)
	element(&b, "organizationId", s.Org)
	element(&b, "organizationName", s.OrgName)
	b.WriteString(`<profileId xsi:nil="true"/><roleId xsi:nil="true"/><sessionSecondsValid>7200</sessionSecondsValid>`)
	element(&b, "userEmail", s.Username)
	element(&b, "userFullName", s.FullName)
	element(&b, "userId", s.User)
	element(&b, "userName", s.Username)
	b.WriteString(`<userTimeZone>Europe/Vienna</userTimeZone><userType>Standard</userType></userInfo></result></loginResponse>` + tail)
	return b.Bytes()
}

// LoggedOut is the answer to a logout.
func LoggedOut() []byte { return []byte(head + body + `<logoutResponse/>` + tail) }

// Fault refuses a call; detail is the type of its detail, LoginFault or
// UnexpectedErrorFault. It belongs into a reply of status 500.
func Fault(code, message, detail string) []byte {
	var b bytes.Buffer
	b.WriteString(head + `xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault>`)
	element(&b, "faultcode", "sf:"+code)
	element(&b, "faultstring", code+": "+message)
	fmt.Fprintf(&b, `<detail><sf:%s xsi:type="sf:%s">`, detail, detail)
	element(&b, "sf:exceptionCode", code)
	element(&b, "sf:exceptionMessage", message)
	fmt.Fprintf(&b, `</sf:%s></detail></soapenv:Fault>`, detail)
	b.WriteString(tail)
	return b.Bytes()
}

func element(b *bytes.Buffer, name, text string) {
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(b, []byte(text)) // a Buffer takes every write
	b.WriteString("</" + name + ">")
}
