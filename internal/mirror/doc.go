// Package mirror brings Salesforce to Turnout: published events, AttendeeLinks,
// and what organisers change on registrations.
//
// The truth is the poll: once a minute each org is asked for what changed since
// a cursor. A hook is a hint. Its body is never believed; it names records,
// which are fetched within about 100 ms, many with one query, and a lost one is
// healed by the next poll (P5).
//
// It promises:
//
//   - Only what is published is cached, and only Salesforce changes it (P5). An
//     event that is published but faulty is not taken over; what is shown of it
//     stays, and Faults says why.
//   - An older copy never replaces a newer one.
//   - Store before cache before feed: an instance that hears of an event can
//     read it, and one that shows it can take registrations for it.
//   - Of a person only a turnout.Invite is kept, sealed under the person's own
//     data key, and nothing of one who was forgotten (P8).
//   - An org that is away, throttled or out of API requests delays no other:
//     each has goroutines and a backoff of its own (P7).
//   - No visitor causes a call (P3). Tokens that visitors brought and
//     nobody knows do not reach this package: every link of the org is either in
//     the cache or comes with the poll or the backfill that is under way, so to
//     look a token up would only make a visitor's request cost a call.
//
// Cursors rest in the cache, so that losing the cache means a backfill. Each
// moves only after all before it was stored and told; what a killed process had
// begun is done again. Many links come as a bulk job in no order, which moves no
// cursor before its end: beside the cursor rests its place, from which the next
// process goes on. Beside them rests when each kind of pass last went
// through (Reading), so that every process knows how old an org is.
package mirror
