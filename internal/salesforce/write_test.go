package salesforce

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// A body says what encoding/json would have said, and a record is never larger than
// its Size.
func FuzzCollectionJSON(f *testing.F) {
	f.Add("Key__c", "k1", int64(3), true)
	f.Add("Note__c", "<b>\"quoted\"</b> \x00\x01\u2028 \xff & ünïcödé", int64(-1<<63), false)
	f.Add("\x19\x19\x19\x19", "0", int64(103), true)
	f.Fuzz(func(t *testing.T, name, text string, n int64, yes bool) {
		name = strings.ToValidUTF8(name, "?") + "__c" // as fields are named, so that none meets another
		r := Record{name: text, "N": n, "I": int(n), "B": yes, "Null": nil, "Long": json.Number("12345678901234567890.5"), "Ref": map[string]any{name: text}}
		body, err := collectionJSON("Some_Object__c", []Record{r, {}})
		if err != nil {
			t.Fatal(err)
		}
		wanted := Record{"attributes": map[string]any{"type": "Some_Object__c"}}
		for name, v := range r {
			wanted[name] = v
		}
		want, err := json.Marshal(map[string]any{"allOrNone": false, "records": []Record{wanted, {"attributes": map[string]any{"type": "Some_Object__c"}}}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decoded(t, body), decoded(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("wrote %v, want %v", got, want)
		}
		alone, err := collectionJSON("Some_Object__c", []Record{r})
		if envelope := len(`{"allOrNone":false,"records":[]}`); err != nil || len(alone)-envelope > r.Size() {
			t.Errorf("%d bytes, said to be at most %d: %v", len(alone)-envelope, r.Size(), err)
		}
	})
}

func decoded(t *testing.T, text []byte) (v map[string]any) {
	t.Helper()
	if err := decode(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatIsNoJSONIsNamedWithoutItsValue(t *testing.T) {
	if _, err := collectionJSON("Lead", []Record{{"Odd__c": make(chan int)}}); err == nil {
		t.Error("written")
	}
}

// A collections body of 200 registrations.
func BenchmarkCollectionJSON(b *testing.B) {
	records := make([]Record, MaxCollection)
	for i := range records {
		records[i] = Record{"Idempotency_Key__c": "0198c5b2-7c1e-7000-8000-000000000001", "Event__c": "a00000000000001AAA", "Status__c": "Registered",
			"First_Name__c": "Test", "Last_Name__c": "Person", "Email__c": "person@example.com", "Company__c": "Example Company Ltd", "Title__c": "Head of Testing",
			"Revision__c": int64(1), "Guests__c": 0, "Answers__c": "Diet: Vegetarian\nNote: I come by train and may be late."}
	}
	for b.Loop() {
		if _, err := collectionJSON("Turnout_Registration__c", records); err != nil {
			b.Fatal(err)
		}
	}
}
