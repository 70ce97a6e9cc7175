// Package catalog answers visitors from memory: published events with their
// rendered pages, and AttendeeLinks.
//
// It promises:
//
//   - Nothing here can reach Salesforce (P3). What Catalog and Links cannot
//     find in memory, cache or store is an honest "not found".
//   - Catalog reads take no lock and do no I/O: each org's events are one
//     immutable snapshot behind an atomic pointer.
//   - A change is seen by every instance within a second (P5): the change feed
//     is read four times a second, and its position is taken before anything
//     is loaded, so that no change falls between.
//   - A reload that fails keeps what is shown, is logged, and is tried again.
//   - Of people, memory holds sealed bytes only (P8); a link is opened for the
//     request that asked for it.
//
// What to call: New, Follow for whoever else wants to hear of changes, Load
// before serving, Run beside it; NewLinks for links.
package catalog
