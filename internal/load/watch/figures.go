package watch

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"strconv"
)

// figures are what metrics say of one process.
type figures struct {
	known bool
	// delivers says that the process shows what waits for Salesforce.
	delivers                   bool
	calls, delivered, accepted float64
	oldest                     float64 // seconds
	memory, goroutines, files  float64
}

// read takes what it knows from metrics in Prometheus' text form, summed up over
// labels. It reads a few lines of some hundreds each second, for which a whole parser
// would cost more than the rest of the look.
func read(from io.Reader) (f figures) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, labels, value, ok := sample(lines.Bytes())
		if !ok {
			continue
		}
		switch string(name) {
		case "turnout_salesforce_calls_total":
			f.calls += value
		case "turnout_registrations_accepted_total":
			f.accepted += value
		case "turnout_deliveries_total":
			// What is parked waits for a person, and for nothing that a run could await.
			if !bytes.Contains(labels, []byte(`outcome="retry"`)) {
				f.delivered += value
			}
		case "turnout_delivery_oldest_seconds":
			f.oldest, f.delivers = max(f.oldest, value), true
		case "process_resident_memory_bytes":
			f.memory = value
		case "process_open_fds":
			f.files = value
		case "go_goroutines":
			f.goroutines = value
		default:
			continue
		}
		f.known = true
	}
	return f
}

// sample is one line of metrics: a name, labels in braces or none, and a number.
func sample(line []byte) (name, labels []byte, value float64, ok bool) {
	if len(line) == 0 || line[0] == '#' {
		return nil, nil, 0, false
	}
	name, rest := line, []byte(nil)
	if at := bytes.IndexAny(line, "{ "); at >= 0 {
		name, rest = line[:at], line[at:]
	}
	if len(rest) > 0 && rest[0] == '{' {
		end := bytes.LastIndexByte(rest, '}')
		if end < 0 {
			return nil, nil, 0, false
		}
		labels, rest = rest[:end+1], rest[end+1:]
	}
	number, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" ")) // a time may follow
	value, err := strconv.ParseFloat(string(number), 64)
	return name, labels, value, err == nil && !math.IsNaN(value) && !math.IsInf(value, 0)
}
