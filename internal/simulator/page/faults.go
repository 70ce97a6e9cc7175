package page

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// faultView is the faults as a form shows them, and what is wrong with it.
type faultView struct {
	Numbers []numberView
	Reject  string
	Expire  bool
	Active  bool
	Errors  FieldErrors
}

// numberView is one number of the form, as text.
type numberView struct {
	Name, Label, Value string
}

// Error is what is wrong with a field, or "".
func (v faultView) Error(name string) string { return v.Errors.of(name) }

// number is one of the control port's numbers.
type number struct {
	name, label string
	most        float64
	whole       bool
	// always says that no value is 0 and not left out.
	always bool
}

func numbers() []number {
	return []number{
		{"latency_ms", "Latency, ms", 600_000, true, true},
		{"outage_seconds", "Outage, seconds", 1e6, false, true},
		{"error_rate", "Error rate", 1, false, true},
		{"lose_reply_rate", "Lost replies", 1, false, true},
		{"lock_rate", "Row locks", 1, false, true},
		{"daily_limit", "Daily limit", math.MaxInt32, true, false},
	}
}

// reject is a rejection of the control port. The form shows field and value.
type reject struct {
	Field   string `json:"field"`
	Value   string `json:"value"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// faultsOf reads the control port's JSON.
func faultsOf(text string) (values map[string]*float64, rejects []reject) {
	var raw map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, nil
	}
	values = map[string]*float64{}
	for _, n := range numbers() {
		var value *float64
		if json.Unmarshal(raw[n.name], &value) == nil {
			values[n.name] = value
		}
	}
	if json.Unmarshal(raw["reject"], &rejects) != nil {
		return values, nil
	}
	return values, rejects
}

// readFaults shows the faults as they are. An outage's rest is told in whole seconds.
func readFaults(text string) faultView {
	values, rejects := faultsOf(text)
	view := faultView{Active: len(rejects) > 0}
	for _, n := range numbers() {
		shown := numberView{Name: n.name, Label: n.label}
		if v := values[n.name]; v != nil && (*v != 0 || !n.always) {
			rounded := *v
			if n.name == "outage_seconds" {
				rounded = math.Ceil(rounded)
			}
			shown.Value, view.Active = strconv.FormatFloat(rounded, 'f', -1, 64), true
		}
		view.Numbers = append(view.Numbers, shown)
	}
	for _, r := range rejects {
		view.Reject += r.Field + "=" + r.Value + "\n"
	}
	return view
}

// typedFaults shows the form as it was typed, with what is wrong.
func typedFaults(form url.Values, before faultView, errs FieldErrors) faultView {
	view := faultView{Reject: form.Get("reject"), Expire: form.Get("expire_tokens") != "", Active: before.Active, Errors: errs}
	for _, n := range numbers() {
		view.Numbers = append(view.Numbers, numberView{n.name, n.label, form.Get(n.name)})
	}
	return view
}

// faultsForm reads the form back into the control port's JSON, or says what is
// wrong. before is the JSON of the faults as they are: a rejection that stays
// keeps its code and sentence, which the form does not show.
func faultsForm(form url.Values, before string) (string, FieldErrors) {
	if form.Get("heal") != "" {
		return "{}", nil
	}
	out := map[string]any{"expire_tokens": form.Get("expire_tokens") != ""}
	var errs FieldErrors
	for _, n := range numbers() {
		text := strings.TrimSpace(form.Get(n.name))
		if text == "" {
			continue
		}
		value, message := n.parse(text)
		if message != "" {
			errs = append(errs, FieldError{n.name, n.label + ": " + message})
			continue
		}
		out[n.name] = value
	}
	rejects, message := rejectLines(form.Get("reject"), before)
	if message != "" {
		errs = append(errs, FieldError{"reject", "Reject rows by value: " + message})
	}
	if len(errs) > 0 {
		return "", errs
	}
	if rejects != nil {
		out["reject"] = rejects
	}
	text, err := json.Marshal(out)
	if err != nil {
		return "", FieldErrors{{"", err.Error()}}
	}
	return string(text), nil
}

// parse reads a number, or says what to write.
func (n number) parse(text string) (value float64, message string) {
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && value >= 0 && value <= n.most && (!n.whole || value == math.Trunc(value)):
		return value, ""
	case n.whole:
		return 0, fmt.Sprintf("write a whole number from 0 to %.0f", n.most)
	}
	return 0, fmt.Sprintf("write a number from 0 to %.0f", n.most)
}

// rejectLines reads one rejection a line. A line that is none is an error: what
// somebody typed is not dropped.
func rejectLines(text, before string) (rejects []reject, message string) {
	_, present := faultsOf(before)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		field, value, ok := strings.Cut(line, "=")
		field, value = strings.TrimSpace(field), strings.TrimSpace(value)
		if !ok || field == "" {
			return nil, fmt.Sprintf("write Field=value in line %d, like Last_Name__c=Nemo", n)
		}
		one := reject{Field: field, Value: value}
		for _, r := range present {
			if r.Field == field && r.Value == value {
				one = r
			}
		}
		rejects = append(rejects, one)
	}
	return rejects, ""
}

func (p *pages) setFaults(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		p.fail(w, http.StatusBadRequest, "The form could not be read, so the faults stay as they were.")
		return
	}
	before := p.Faults.FaultsJSON()
	text, errs := faultsForm(r.PostForm, before)
	if errs == nil {
		if err := p.Faults.SetFaultsJSON(text); err != nil {
			errs = FieldErrors{{"", err.Error()}}
		}
	}
	if errs != nil {
		p.showOverview(w, http.StatusUnprocessableEntity, typedFaults(r.PostForm, readFaults(before), errs))
		return
	}
	http.Redirect(w, r, "/#faults", http.StatusSeeOther)
}
