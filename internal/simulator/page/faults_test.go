package page

import (
	"net/url"
	"strings"
	"testing"
)

func TestFaultsForm(t *testing.T) {
	const before = `{"latency_ms":0,"reject":[{"field":"Last_Name__c","value":"Nemo","code":"STRING_TOO_LONG","message":"Too long."}]}`
	for name, test := range map[string]struct {
		form   url.Values
		want   string
		faults string // the fields that are wrong
	}{
		"nothing":  {url.Values{"reject": {"\n \n"}}, `{"expire_tokens":false}`, ""},
		"heal":     {url.Values{"heal": {"1"}, "reject": {"nonsense"}}, "{}", ""},
		"numbers":  {url.Values{"latency_ms": {" 40 "}, "error_rate": {"0.5"}, "daily_limit": {"0"}}, `{"daily_limit":0,"error_rate":0.5,"expire_tokens":false,"latency_ms":40}`, ""},
		"rejects":  {url.Values{"reject": {"Title__c = a=b \r\nCity__c="}}, `{"expire_tokens":false,"reject":[{"field":"Title__c","value":"a=b"},{"field":"City__c","value":""}]}`, ""},
		"kept":     {url.Values{"reject": {"Last_Name__c=Nemo"}}, `{"expire_tokens":false,"reject":[{"field":"Last_Name__c","value":"Nemo","code":"STRING_TOO_LONG","message":"Too long."}]}`, ""},
		"no value": {url.Values{"reject": {"Last_Name__c=Nemo\nnonsense"}}, "", "reject"},
		"no field": {url.Values{"reject": {"=Nemo"}}, "", "reject"},
		"all": {url.Values{"latency_ms": {"1.5"}, "outage_seconds": {"soon"}, "error_rate": {"2"}, "lose_reply_rate": {"-1"}, "lock_rate": {"NaN"}, "daily_limit": {"1e99"}, "reject": {"x"}}, "",
			"latency_ms outage_seconds error_rate lose_reply_rate lock_rate daily_limit reject"},
	} {
		got, errs := faultsForm(test.form, before)
		var fields []string
		for _, one := range errs {
			fields = append(fields, one.Field)
		}
		if got != test.want || strings.Join(fields, " ") != test.faults {
			t.Errorf("%s: %s, wrong are %v; want %s, %q", name, got, fields, test.want, test.faults)
		}
	}
}

// What was typed comes back as it was, and what stays set comes back as set.
func TestFaultsAreShownAsTyped(t *testing.T) {
	before := readFaults(`{"latency_ms":40,"outage_seconds":3.2,"error_rate":0.25,"daily_limit":0,"reject":[{"field":"A","value":"b"}]}`)
	if !before.Active || before.Reject != "A=b\n" {
		t.Errorf("%+v", before)
	}
	for i, want := range []string{"40", "4", "0.25", "", "", "0"} {
		if got := before.Numbers[i]; got.Value != want {
			t.Errorf("%s is %q, want %q", got.Name, got.Value, want)
		}
	}
	if readFaults("{}").Active || readFaults("nonsense").Active {
		t.Error("a healthy org misbehaves")
	}
	form := url.Values{"latency_ms": {"many"}, "reject": {"nonsense"}, "expire_tokens": {"1"}}
	_, errs := faultsForm(form, "{}")
	shown := typedFaults(form, before, errs)
	if shown.Numbers[0].Value != "many" || shown.Reject != "nonsense" || !shown.Expire || !shown.Active || shown.Error("latency_ms") == "" || shown.Error("error_rate") != "" {
		t.Errorf("%+v", shown)
	}
}

func FuzzFaultsForm(f *testing.F) {
	f.Add("latency_ms=1&reject=A%3Db%0Ac", `{"reject":[{"field":"A","value":"b"}]}`)
	f.Add("daily_limit=%00", "")
	f.Fuzz(func(t *testing.T, body, before string) {
		form, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		text, errs := faultsForm(form, before)
		if (text == "") != (len(errs) > 0) {
			t.Errorf("%q: %q and %v", body, text, errs)
		}
	})
}
