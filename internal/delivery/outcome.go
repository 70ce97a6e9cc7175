package delivery

import (
	"time"

	"github.com/turnout-events/turnout"
)

// Verdict is what follows from a code that Salesforce answered with.
type Verdict struct {
	Result turnout.Result
	// After is how long a retry waits at least; it doubles with each attempt up
	// to Longest.
	After, Longest time.Duration
	// Blameless retries do not count as attempts.
	Blameless bool
	// Smaller asks for half the batch next time.
	Smaller bool
	// OrgWide says that the trouble is the org's. Where every registration of a
	// call met such, the call counts as failed.
	OrgWide bool
	// Attempts is after how many counted attempts it is parked; 0 means never.
	Attempts int
}

// RowVerdict says what becomes of one registration that Salesforce answered
// with code ("" is done). It is the one place where codes become outcomes.
func RowVerdict(code turnout.Code) Verdict {
	switch code {
	case "":
		return Verdict{Result: turnout.ResultDone}
	case turnout.CodeLocked:
		return Verdict{Result: turnout.ResultRetry, After: 200 * time.Millisecond, Longest: 30 * time.Second, Smaller: true}
	case turnout.CodeTooSlow:
		return Verdict{Result: turnout.ResultRetry, After: time.Second, Longest: time.Minute, Smaller: true}
	case turnout.CodeConflict:
		return Verdict{Result: turnout.ResultRetry, After: 0, Longest: time.Minute, Blameless: true}
	case turnout.CodeThrottled, turnout.CodeUnavailable, turnout.CodeUnknown, turnout.CodeExpired:
		return Verdict{Result: turnout.ResultRetry, After: 500 * time.Millisecond, Longest: 30 * time.Second, Blameless: true}
	case turnout.CodeExhausted:
		return Verdict{Result: turnout.ResultRetry, After: time.Minute, Longest: 15 * time.Minute, Blameless: true, OrgWide: true}
	case turnout.CodeUnauthorized, turnout.CodeForbidden:
		// The org does not let us in: nobody's registration is at fault.
		return Verdict{Result: turnout.ResultRetry, After: 5 * time.Second, Longest: 5 * time.Minute, Blameless: true, OrgWide: true}
	case turnout.CodeStorage:
		// Changes still get through where new records do not, so that the call may
		// have been a good one for others; no attempt is the last.
		return Verdict{Result: turnout.ResultRetry, After: 5 * time.Second, Longest: 10 * time.Minute, OrgWide: true}
	case turnout.CodeMisconfigured:
		// An admin mends it, or it is this record alone: after some tries a person looks.
		return Verdict{Result: turnout.ResultRetry, After: 5 * time.Second, Longest: 10 * time.Minute, OrgWide: true, Attempts: 8}
	case turnout.CodeAutomation:
		// What met another transaction or a limit passes within minutes; a fault does not.
		return Verdict{Result: turnout.ResultRetry, After: 5 * time.Second, Longest: 10 * time.Minute, Attempts: 5}
	case turnout.CodeInternal:
		return Verdict{Result: turnout.ResultRetry, After: time.Second, Longest: 5 * time.Minute, Attempts: 8}
	}
	return Verdict{Result: turnout.ResultParked}
}

// CallVerdict says what follows when a whole call of n registrations failed.
// Alone in its call, a registration is judged as a row is; among others nobody
// knows whose fault it was, so none is blamed and the next call is smaller
// where that may help.
func CallVerdict(code turnout.Code, n int) Verdict {
	v := RowVerdict(code)
	if v.Result == turnout.ResultDone {
		v = RowVerdict(turnout.CodeInternal)
	}
	if n > 1 && !v.Blameless {
		v = Verdict{Result: turnout.ResultRetry, After: v.After, Longest: v.Longest, Blameless: true, Smaller: true}
	}
	if v.Result == turnout.ResultRetry && code != turnout.CodeAutomation {
		// What a call was told says too little of one registration to park it,
		// unless it is what the org's automation made of the only one.
		v.Attempts = 0
	}
	return v
}

// OrgTrouble is the code of what every one of the receipts says is the org's
// trouble, empty where one of them says otherwise.
func OrgTrouble(receipts []turnout.Receipt) turnout.Code {
	for _, r := range receipts {
		if !RowVerdict(r.Code).OrgWide {
			return ""
		}
	}
	if len(receipts) == 0 {
		return ""
	}
	return receipts[0].Code
}

// delay is how long to wait before attempt number attempts+1; jitter in [0,1)
// spreads it over half to one and a half of the step.
func (v Verdict) delay(attempts int, jitter float64) time.Duration {
	step := v.After
	for range min(attempts, 20) {
		if step *= 2; step >= v.Longest {
			step = v.Longest
			break
		}
	}
	return step/2 + time.Duration(jitter*float64(step))
}

// exhausted reports whether the verdict parks after that many attempts.
func (v Verdict) exhausted(attempts int) bool { return v.Attempts > 0 && attempts >= v.Attempts }
