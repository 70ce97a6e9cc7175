package endpoint

import (
	"testing"

	"github.com/turnout-events/turnout"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"name":"x","list":["a"],"count":3}`, `{"name":1}`, `{"Name":""}`, `{"inner":[{"x":1}]}`, `[`, "\xff", `{"a":1,"a":2}`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var into struct {
			Name  string   `json:"name"`
			List  []string `json:"list"`
			Count int64    `json:"count"`
			Inner []struct {
				Flag bool `json:"flag"`
			} `json:"inner"`
		}
		err := Decode(body, &into)
		switch code := turnout.CodeOf(err); {
		case err == nil, code == turnout.CodeMalformed:
		case code == turnout.CodeInvalid:
			if fields := turnout.FieldsOf(err); len(fields) != 1 || fields[0].Message == "" {
				t.Errorf("%q: %v", body, fields)
			}
		default:
			t.Errorf("%q: %v", body, err)
		}
	})
}
