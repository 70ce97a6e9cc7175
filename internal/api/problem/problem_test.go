package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/api/problem"
)

func TestStatus(t *testing.T) {
	for code, want := range map[turnout.Code]int{
		turnout.CodeMalformed: 400, turnout.CodeInvalid: 422, turnout.CodeStale: 409, turnout.CodeReused: 422,
		turnout.CodeNotFound: 404, turnout.CodeFull: 409, turnout.CodeClosed: 409, turnout.CodeConflict: 409,
		turnout.CodeUnauthorized: 401, turnout.CodeForbidden: 403, turnout.CodeTooLarge: 413, turnout.CodeThrottled: 429,
		turnout.CodeUnavailable: 503, turnout.CodeUnknown: 503, turnout.CodeNoSpace: 503, turnout.CodeExpired: 503,
		turnout.CodeLocked: 503, turnout.CodeExhausted: 503, turnout.CodeTooSlow: 503, turnout.CodeAutomation: 503, turnout.CodeStorage: 503, turnout.CodeRefused: 422,
		turnout.CodeMisconfigured: 500, turnout.CodeForgotten: 410, turnout.CodeInternal: 500, "something new": 500,
	} {
		if got := problem.Status(code); got != want {
			t.Errorf("%s gives %d, want %d", code, got, want)
		}
		if p := problem.Of(&turnout.Error{Code: code}); p.Title == "" || p.Code != code || p.Status != want {
			t.Errorf("%s gives %+v", code, p)
		}
	}
}

// TestOneTitlePerType: RFC 9457, 3.1.3 wants a type's title to stay the same.
func TestOneTitlePerType(t *testing.T) {
	titles := map[string]string{}
	look := func(p problem.Problem) {
		if old, ok := titles[p.Type]; ok && old != p.Title {
			t.Errorf("%s is titled %q and %q", p.Type, old, p.Title)
		}
		titles[p.Type] = p.Title
	}
	for _, code := range []turnout.Code{turnout.CodeMalformed, turnout.CodeNotFound, turnout.CodeTooLarge, turnout.CodeForbidden, turnout.CodeInternal} {
		err := &turnout.Error{Code: code, Detail: "x"}
		look(problem.Of(err))
		for _, status := range []int{405, 408, 415, 421} {
			p := problem.At(status, err)
			look(p)
			if p.Status != status || p.Code != code || p.Type != "urn:turnout:problem:"+problem.Name(status) || p.Title == "" {
				t.Errorf("%d: %+v", status, p)
			}
		}
		if p := problem.At(418, err); p.Type != "about:blank" || p.Title != "I'm a teapot" {
			t.Errorf("%+v", p)
		}
	}
	if len(titles) != 9 {
		t.Errorf("types %v", titles)
	}
}

// The description of the API lists every rule.
func TestRulesAreListed(t *testing.T) {
	field, _ := reflect.TypeFor[problem.Fault]().FieldByName("Rule")
	listed := strings.Split(field.Tag.Get("enum"), ",")
	rules := turnout.Rules()
	if len(listed) != len(rules) {
		t.Errorf("%d of %d rules are listed", len(listed), len(rules))
	}
	for _, rule := range listed {
		if rules[turnout.Rule(rule)] == "" {
			t.Errorf("there is no rule %s", rule)
		}
	}
}

func TestWriteNamesFieldsAndSaysWhen(t *testing.T) {
	w := httptest.NewRecorder()
	problem.Of(&turnout.Error{Code: turnout.CodeThrottled, RetryAfter: 1500 * time.Millisecond,
		Fields: []turnout.FieldError{{Field: "guests.0.last_name", Message: "Enter it", Rule: turnout.RuleMissing, Args: []any{"secret"}}, {Field: "answers.a/b~c", Message: "No"}}}).Write(w)
	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" || w.Header().Get("Content-Type") != "application/problem+json" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if p.Type != "urn:turnout:problem:throttled" || p.Errors[0].Pointer != "#/guests/0/last_name" || p.Errors[1].Pointer != "#/answers/a~1b~0c" || p.Errors[0].Rule != turnout.RuleMissing || p.Errors[1].Rule != "" || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%+v", p)
	}
	if got := problem.Of(turnout.Errorf(turnout.CodeUnavailable, "", "")).RetryAfter; got != time.Minute {
		t.Errorf("unsaid wait is %v", got)
	}
}

// P8: causes may come from anywhere, so their texts stay inside.
func TestP8CausesAreNotTold(t *testing.T) {
	for _, err := range []error{
		errors.New("cannot mail ada@example.com"),
		turnout.Wrap(turnout.CodeInvalid, "check", errors.New("ada@example.com")),
		fmt.Errorf("ada@example.com: %w", turnout.Errorf(turnout.CodeInternal, "open", "key of ada@example.com")),
	} {
		w := httptest.NewRecorder()
		problem.Of(err).Write(w)
		if strings.Contains(w.Body.String(), "ada@") {
			t.Errorf("%v gives %s", err, w.Body)
		}
	}
}
