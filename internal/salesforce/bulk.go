package salesforce

import (
	"context"
	"net/http"
	"time"

	"github.com/turnout-events/turnout"
)

// opBulk counts every call that serves a bulk job.
// job is a Bulk API 2.0 job as Salesforce tells about it.
type job struct {
	ID      string `json:"id"`
	State   string `json:"state"`
	Message string `json:"errorMessage"`
	// Processed is how many rows the result of a query has, once it is complete.
	Processed int `json:"numberRecordsProcessed"`
}

// Job states, from the Bulk API 2.0 guide. Open and UploadComplete wait.
const (
	stateUploaded = "UploadComplete"
	stateComplete = "JobComplete"
	stateFailed   = "Failed"
	stateAborted  = "Aborted"
)

// await looks at a job until it has ended, ever less often.
func (c *Client) await(ctx context.Context, path string) (job, error) {
	pause := c.opts.PollEvery
	for {
		var j job
		err := c.json(ctx, call{op: opBulk, method: http.MethodGet, path: path}, &j)
		switch {
		case err != nil && !passing(err):
			return j, err
		case j.State == stateComplete || j.State == stateFailed || j.State == stateAborted:
			return j, nil
		}
		if err := wait(ctx, pause); err != nil {
			return j, err
		}
		pause = min(pause*2, 8*c.opts.PollEvery)
	}
}

// passing reports whether asking again soon may well help; the job goes on
// meanwhile.
func passing(err error) bool {
	code := turnout.CodeOf(err)
	return code == turnout.CodeUnavailable || code == turnout.CodeThrottled
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return turnout.Wrap(turnout.CodeUnavailable, "wait for bulk job", ctx.Err())
	case <-timer.C:
		return nil
	}
}

// failed is the error of a job that ended badly. Its message is Salesforce's
// ("InvalidBatch : Field name not found"); only its code is shown.
func (j job) failed(op string) error {
	apiErr := &APIError{HTTPStatus: http.StatusOK, Status: jobCode(j.Message), Message: clip(j.Message)}
	code, known := codes()[apiErr.Status]
	if !known {
		code = turnout.CodeMisconfigured
	}
	if j.State == stateAborted {
		code = turnout.CodeUnavailable
	}
	return &turnout.Error{Code: code, Op: op, Detail: "the job ended as " + plainCode(j.State), Err: apiErr}
}

func jobCode(message string) string {
	for i := range len(message) {
		if c := message[i]; (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' {
			return plainCode(message[:i])
		}
	}
	return plainCode(message)
}

// discard deletes a job and its results, which hold personal data and count
// toward the org's storage. Salesforce does it itself after seven days, so a
// failure is nothing to report.
func (c *Client) discard(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = c.json(ctx, call{op: opBulk, method: http.MethodDelete, path: path}, nil)
}
