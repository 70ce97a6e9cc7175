package api

import (
	"testing"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/endpoint"
)

func FuzzNewRegistration(f *testing.F) {
	f.Add([]byte(`{"first_name":"A","answers":{"a":1e9,"b":[true,null,"x"],"c":{}}}`))
	f.Add([]byte(`{"answers":{"a":[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var b NewRegistration
		if err := endpoint.Decode(body, &b); err != nil {
			if code := turnout.CodeOf(err); code != turnout.CodeMalformed && code != turnout.CodeInvalid {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		for id, values := range b.submission("k").Answers {
			if len(values) == 0 {
				t.Errorf("%q: answer %q is empty", body, id)
			}
		}
	})
}
