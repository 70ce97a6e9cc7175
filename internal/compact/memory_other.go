//go:build !unix

package compact

func offHeap(n int) []byte { return make([]byte, n) }
