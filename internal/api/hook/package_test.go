package hook

import (
	"os"
	"regexp"
	"testing"
)

// The package in salesforce/ signs as is read here: what its own test expects is verified.
func TestPackageSignsAsIsRead(t *testing.T) {
	text, err := os.ReadFile("../../../salesforce/force-app/main/default/classes/TurnoutHookTest.cls")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`expected = '(t=1700000000,v1=[0-9a-f]{64})'`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the test of the package expects no signature")
	}
	s, err := ParseSignature(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Verify([]byte("{}"), []string{"secret"}, s.At); err != nil {
		t.Error(err)
	}
}
