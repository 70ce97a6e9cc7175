// Package hooks sends the simulated org's hints to their receivers, as the
// package in a real org does when somebody presses Publish: one signed POST
// per hint and receiver. A hint that cannot be delivered is tried again a few
// times and then dropped; polling is what heals it.
package hooks

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Receiver is where hints go and the secret that signs them.
type Receiver struct {
	URL    string
	Secret string
}

// Hint is the body of a hook: what happened, to which records.
type Hint struct {
	Type string   `json:"type"`
	IDs  []string `json:"ids"`
}

// Delivery is what became of one hint at one receiver.
type Delivery struct {
	At       time.Time `json:"at"`
	URL      string    `json:"url"`
	Hint     Hint      `json:"hint"`
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"` // of the last answer; 0 when there was none
	Error    string    `json:"error"`  // why there was none; "" once it was delivered
	Done     bool      `json:"done"`   // delivered or given up
}

const (
	attempts   = 5
	firstPause = 250 * time.Millisecond // doubles after each attempt
	timeout    = 10 * time.Second
	logLength  = 200
	waiting    = 1000 // hints per receiver that may wait
)

// Options configure a Sender.
type Options struct {
	Receivers []Receiver
	Now       func() time.Time
	Logger    *slog.Logger
	Client    *http.Client // nil for one that follows no redirects
}

// Sender queues hints and posts them while Run runs. Its methods are safe for
// concurrent use.
type Sender struct {
	options Options
	queues  []chan *Delivery

	mu  sync.Mutex
	log []*Delivery
	// changed is closed when one of the log becomes another, and replaced.
	changed chan struct{}
}

// New makes a sender. It does no I/O.
func New(options Options) *Sender {
	if options.Client == nil {
		options.Client = &http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dial},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	s := &Sender{options: options, changed: make(chan struct{})}
	for range options.Receivers {
		s.queues = append(s.queues, make(chan *Delivery, waiting))
	}
	return s
}

// dial connects as usual, but for names under .localhost: they are the
// loopback by RFC 6761, section 6.3, though not every resolver knows.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// Send queues a hint for every receiver and returns how many there are. A
// receiver with a full queue loses it.
func (s *Sender) Send(hint Hint) int {
	for i, receiver := range s.options.Receivers {
		d := &Delivery{At: s.options.Now(), URL: receiver.URL, Hint: hint}
		s.note(d)
		select {
		case s.queues[i] <- d:
		default:
			s.update(d, func() { d.Done, d.Error = true, "too many hints are waiting" })
		}
	}
	return len(s.options.Receivers)
}

func (s *Sender) note(d *Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, d)
	if len(s.log) > logLength {
		s.log = slices.Delete(s.log, 0, len(s.log)-logLength)
	}
}

func (s *Sender) update(d *Delivery, change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Log copies the latest deliveries, newest first.
func (s *Sender) Log() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Delivery, 0, len(s.log))
	for _, d := range slices.Backward(s.log) {
		out = append(out, *d)
	}
	return out
}

// About copies the deliveries since a time of hints about a record, as soon as each was
// tried once or ctx ends.
func (s *Sender) About(ctx context.Context, id string, since time.Time) []Delivery {
	for {
		found, changed := s.about(id, since)
		if !slices.ContainsFunc(found, func(d Delivery) bool { return d.Attempts == 0 && !d.Done }) {
			return found
		}
		select {
		case <-ctx.Done():
			return found
		case <-changed:
		}
	}
}

// about is About as it is now, and what is closed once it may be otherwise.
func (s *Sender) about(id string, since time.Time) (found []Delivery, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.log {
		if slices.Contains(d.Hint.IDs, id) && !d.At.Before(since) {
			found = append(found, *d)
		}
	}
	return found, s.changed
}

// Run posts queued hints until its context ends. Receivers do not wait for
// each other.
func (s *Sender) Run(ctx context.Context) {
	var group sync.WaitGroup
	for i, receiver := range s.options.Receivers {
		group.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case d := <-s.queues[i]:
					s.deliver(ctx, receiver, d)
				}
			}
		})
	}
	group.Wait()
}

// deliver tries one hint until it is taken, refused for good, or given up.
func (s *Sender) deliver(ctx context.Context, to Receiver, d *Delivery) {
	pause := firstPause
	for attempt := 1; attempt <= attempts; attempt++ {
		status, err := s.post(ctx, to, d.Hint)
		final := err == nil && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
		s.update(d, func() {
			d.Attempts, d.Status, d.Error = attempt, status, ""
			if err != nil {
				d.Error = err.Error()
			}
			d.Done = final || attempt == attempts
		})
		if final || attempt == attempts {
			s.options.Logger.Info("hook", "type", d.Hint.Type, "records", len(d.Hint.IDs), "status", status, "attempts", attempt)
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		pause *= 2
	}
}

func (s *Sender) post(ctx context.Context, to Receiver, hint Hint) (int, error) {
	body, err := json.Marshal(hint)
	if err != nil {
		return 0, fmt.Errorf("encoding the hint: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("addressing the hook: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Turnout-Signature", Sign(to.Secret, s.options.Now(), body))
	response, err := s.options.Client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("posting the hook: %w", err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, nil
}

// Sign makes the value of the Turnout-Signature header: the time in Unix
// seconds, and HMAC-SHA-256 in hex of the time, a dot and the body.
func Sign(secret string, at time.Time, body []byte) string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return "t=" + stamp + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}
