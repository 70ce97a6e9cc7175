// Package compact keeps a great many small values in little memory, each found
// by a 64-bit hash of its key, which the caller makes.
//
//   - Map holds values of one size, in memory that the garbage collector neither
//     scans nor counts: about 10 bytes a value besides the value itself.
//   - Log holds values of any size on a Paper, which is a file without a name or
//     memory: about 10 bytes a value in memory.
//   - Set remembers hashes alone.
//
// Map and Log are caches and forget: when they are full they begin anew, and of two
// keys whose hashes agree in 38 bits one takes the other's place. So a value
// that is found is one that was put under a hash like it; whose it is, its owner
// has to know from the value. Nothing of them outlives the process, and nothing
// is read that another process wrote: there is no torn or foreign file to mend.
//
// What to call: NewMap; Unnamed or NewMemory, and NewLog over it. Everything is safe for
// concurrent use, and a call that changes something takes a function that is
// asked under the lock whether it is still to be done.
package compact
