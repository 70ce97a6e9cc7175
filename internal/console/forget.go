package console

import (
	"context"
	"net/http"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/erasure"
)

// forgetPage is the form by which a person is forgotten.
type forgetPage struct {
	frame
	Email  string
	Faults []turnout.FieldError
}

// Fault is what is wrong with a field, or "".
func (p forgetPage) Fault(name string) string {
	for _, f := range p.Faults {
		if f.Field == name {
			return f.Message
		}
	}
	return ""
}

// receiptPage proves that a person was forgotten. It does not say who.
type receiptPage struct {
	frame
	Receipt erasure.Receipt
}

func (c *Console) showForget(w http.ResponseWriter, r *http.Request) {
	_, f, ok := c.org(w, r, "forget")
	if !ok {
		return
	}
	f.Title = "Forget a person"
	c.show(w, r, http.StatusOK, "forget", forgetPage{frame: f})
}

// forgetPerson forgets and shows the receipt at once, not behind a redirect:
// its address would have to say whose it is. A reload asks the same again,
// which is harmless.
func (c *Console) forgetPerson(w http.ResponseWriter, r *http.Request) {
	org, f, ok := c.org(w, r, "forget")
	if !ok {
		return
	}
	values, err := readForm(w, r)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f.Title = "Forget a person"
	page := forgetPage{frame: f, Email: values.Get("email")}
	if !turnout.ValidEmail(turnout.FoldEmail(page.Email)) {
		page.Faults = append(page.Faults, turnout.FieldError{Field: "email", Message: "Enter the person's whole e-mail address, like name@example.com"})
	}
	if values.Get("sure") != "yes" {
		page.Faults = append(page.Faults, turnout.FieldError{Field: "sure", Message: "Confirm that this cannot be undone"})
	}
	if len(page.Faults) > 0 {
		page.Error = true
		c.show(w, r, http.StatusUnprocessableEntity, "forget", page)
		return
	}
	receipt, err := c.forget.Forget(context.WithoutCancel(r.Context()), org.ID, page.Email)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	f.Title = "The person is forgotten"
	c.show(w, r, http.StatusOK, "receipt", receiptPage{frame: f, Receipt: receipt})
}
