//go:build unix

package compact

import "syscall"

// offHeap takes n bytes of zeros from the system. Go's heap would let garbage
// grow to as much again before it collects, and these bytes hold no pointers.
func offHeap(n int) []byte {
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]byte, n)
	}
	return b
}
