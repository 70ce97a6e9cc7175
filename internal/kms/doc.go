// Package kms keeps the master key in a key management service, so that no
// machine of Turnout's ever holds it (P8). It speaks to AWS KMS, Google Cloud
// KMS and the transit engine of HashiCorp Vault or OpenBao, each behind one
// small interface of two calls.
//
// It promises:
//   - What was wrapped for one org key does not unwrap as another: the
//     associated data is bound by the service and once more by a hash beside
//     the wrapped key, for services that overlook what they are sent.
//   - seal.ErrSealed means that the wrapped bytes are wrong or belong to another
//     master key, and the text says which one. Everything else is a
//     *turnout.Error of CodeUnavailable: the service is away, throttles or
//     refuses, and nothing is wrong with the data.
//   - A call ends within Options.Timeout. Throttling and outages are retried a
//     few times with backoff; after that, callers are answered at once for a few
//     seconds and the service is left in peace.
//   - Calls go over TLS 1.2 or newer, redirects are not followed, and no error
//     or log line holds a token, a key or a reply's text.
//
// What to call: Open once per URI; Join to move org keys between master keys.
// The services are called when an org's keys are made, first used by a process
// or rewrapped, never per record. All types are safe for concurrent use.
package kms
