package salesforce

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// collectionJSON is the body of a collections call: records of one object, each on
// its own. Text that is not UTF-8 is sent with replacement characters.
func collectionJSON(object string, records []Record) ([]byte, error) {
	var b bytes.Buffer
	enc := jsontext.NewEncoder(&b, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)) // a map has none
	w := writer{enc: enc}
	w.tokens(jsontext.BeginObject, jsontext.String("allOrNone"), jsontext.False, jsontext.String("records"), jsontext.BeginArray)
	for _, r := range records {
		w.tokens(jsontext.BeginObject, jsontext.String("attributes"), jsontext.BeginObject, jsontext.String("type"), jsontext.String(object), jsontext.EndObject)
		for name, v := range r {
			w.tokens(jsontext.String(name))
			w.value(v)
		}
		w.tokens(jsontext.EndObject)
	}
	w.tokens(jsontext.EndArray, jsontext.EndObject)
	return b.Bytes(), w.err
}

// writer writes until something cannot be written.
type writer struct {
	enc *jsontext.Encoder
	err error
}

func (w *writer) tokens(tokens ...jsontext.Token) {
	for _, t := range tokens {
		if w.err == nil {
			w.err = w.enc.WriteToken(t)
		}
	}
}

func (w *writer) value(v any) {
	switch v := v.(type) {
	case nil:
		w.tokens(jsontext.Null)
	case string:
		w.tokens(jsontext.String(v))
	case bool:
		w.tokens(jsontext.Bool(v))
	case int:
		w.tokens(jsontext.Int(int64(v)))
	case int64:
		w.tokens(jsontext.Int(v))
	default:
		text, err := json.Marshal(v)
		if err == nil && w.err == nil {
			err = w.enc.WriteValue(text)
		}
		if w.err == nil {
			w.err = err
		}
	}
}

// Size is no less than the bytes that a record takes in a call.
func (r Record) Size() int {
	n := len(`{"attributes":{"type":""}},`) + 80 // the longest name of an object
	for name, v := range r {
		n += len(`"":,`) + longestEscape*len(name)
		switch v := v.(type) {
		case nil, bool:
			n += len("false")
		case string:
			n += len(`""`) + longestEscape*len(v)
		case int, int64:
			n += len(strconv.Itoa(-1 << 63))
		default:
			text, _ := json.Marshal(v) // what cannot be written fails in the call
			n += len(text)
		}
	}
	return n
}

// longestEscape is what a control character takes: \u0001.
const longestEscape = len(`\u0001`)
