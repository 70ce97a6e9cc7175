// Package limit holds back what comes too often or too much at once, so that
// neighbours don't feel each other (P7).
//
//	Meter     how often one may come: a rate with a burst
//	Table     a Meter for each of very many, in memory that never grows
//	Share     how many one holder may have at once of a capacity
//	Adaptive  how many an upstream can have at once, learnt from its latencies
//	Budget    how many requests may be tried again
//
// Nothing here blocks, starts goroutines or reads a clock: time is handed in.
// All types are safe for concurrent use.
package limit
