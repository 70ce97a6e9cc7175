package app

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// kept says where everything is, and for how long.
func (o DemoOptions) kept() string {
	if o.temporary {
		return fmt.Sprintf("Everything is in %s, and removed at the end; keep it with --dir DIR.", o.Dir)
	}
	return fmt.Sprintf("Everything is kept in %s.", o.Dir)
}

// Check finds addresses that no demo can serve on, before anything starts.
func (o DemoOptions) Check() error {
	var faults []error
	flags := map[string]string{}
	for _, f := range []struct{ name, address string }{{"--public", o.Public}, {"--admin", o.Admin}, {"--simulator", o.Simulator}} {
		_, port, err := net.SplitHostPort(f.address)
		if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 {
			faults = append(faults, fmt.Errorf("%s %s: give host:port, such as 127.0.0.1:41080", f.name, f.address))
			continue
		}
		// A host in two spellings is found later, when the address is not free.
		if other, taken := flags[f.address]; taken {
			faults = append(faults, fmt.Errorf("%s and %s are both %s: give each an address of its own", other, f.name, f.address))
		}
		flags[f.address] = f.name
	}
	return errors.Join(faults...)
}
