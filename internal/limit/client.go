package limit

import "net/netip"

// ClientPrefix is what counts as one client: an IPv6 address by its /64, since
// whoever has one has them all, and an IPv4 address by itself, mapped or not.
// An address that is not valid gives a prefix that is not valid.
func ClientPrefix(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		return netip.PrefixFrom(a, 64).Masked()
	}
	return netip.PrefixFrom(a, a.BitLen())
}
