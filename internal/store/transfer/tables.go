package transfer

// Kind is what a column holds.
type Kind uint8

// The kinds of columns.
const (
	Integer Kind = iota
	Text
	Bytes
	Boolean
)

// Column is one of a table's.
type Column struct {
	Name string
	Kind Kind
}

// Table is one that both engines have, with the same columns.
type Table struct {
	Name    string
	Columns []Column
	// Keys is how many of the first columns make a row's key, by whose order rows
	// are read.
	Keys int
	// Numbered says that an engine may number rows by itself.
	Numbered bool
}

// Tables are what a store is made of, in an order in which none refers to a later
// one. Who holds a lease or a turn, the feed of changes and the schema's own marks
// belong to a store and its running instances, and stay behind.
func Tables() []Table {
	ints := func(names ...string) []Column { return columns(Integer, names) }
	texts := func(names ...string) []Column { return columns(Text, names) }
	blobs := func(names ...string) []Column { return columns(Bytes, names) }
	flags := func(names ...string) []Column { return columns(Boolean, names) }
	return []Table{
		{"orgs", join(ints("num"), texts("org", "settings"), blobs("secrets"), ints("changed")), 1, true},
		{"org_keys", join(texts("scope", "purpose"), ints("version"), blobs("wrapped")), 3, false},
		{"people", join(ints("org"), blobs("person", "wrapped")), 2, false},
		{"tombstones", join(ints("org"), blobs("person"), ints("at")), 2, false},
		{"lanes", join(ints("lane", "org"), texts("event"), flags("open"), ints("opens", "closes", "ends", "not_before")), 1, true},
		{"seats", join(ints("lane"), texts("pool"), flags("counted"), ints("seat_limit", "taken", "outside", "waiting", "excess")), 2, false},
		{"registrations", join(
			ints("id", "org", "lane"), texts("key"), blobs("fingerprint", "person", "link"), texts("status", "attendance", "claims"), blobs("sealed"),
			ints("revision", "delivered"), texts("told", "record"), ints("attempts", "due_at"), texts("parked_code"), blobs("parked_text"),
			ints("parked_at", "dismissed_at", "accepted_at", "changed_at"),
		), 1, true},
		{"errands", join(ints("org"), texts("id")), 2, false},
		{"edge_files", join(texts("name"), blobs("value"), ints("modified")), 1, false},
	}
}

// Left are the columns that stay behind, by table.
func Left() map[string][]string {
	return map[string][]string{"lanes": {"owner", "fence", "lease_until"}}
}

func columns(k Kind, names []string) []Column {
	all := make([]Column, len(names))
	for i, name := range names {
		all[i] = Column{name, k}
	}
	return all
}

func join(parts ...[]Column) []Column {
	var all []Column
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
