package sample

import (
	"strconv"
	"strings"
)

// Person is somebody invented, with an address at example.com.
type Person struct{ First, Last, Email, Title, Company string }

// Invented makes the n-th person. Names repeat, e-mail addresses do not. First
// names are those of stars and stones, family names of trades and plants.
func Invented(n int) Person {
	firsts := [...]string{"Vega", "Altair", "Rigel", "Mira", "Lyra", "Orion", "Carina", "Atria", "Adara", "Nashira",
		"Izar", "Polaris", "Jade", "Opal", "Beryl", "Garnet", "Onyx", "Agate", "Citrine", "Amber"}
	lasts := [...]string{"Lindenwood", "Marlstone", "Ferncastle", "Oakhollow", "Birchmead", "Thistledown", "Quillfeather", "Ropewalker",
		"Clockwright", "Lanternlight", "Millbrook-Vale", "Saltmarsh", "Coppersmythe", "Inkwell", "Parchment", "Windlass", "Harborlight",
		"Meadowsweet", "Elderflower", "Brambleway", "Cobblestone", "Starling-Roost", "Candlewick", "Driftwood", "Hazelgrove", "Juniperhill", "Larkspur"}
	titles := [...]string{"Head of Programmes", "Curator", "Research Lead", "Teacher", "Volunteer Coordinator", "Archivist", "Engineer", "Librarian"}
	p := Person{First: firsts[n%len(firsts)], Last: lasts[n/len(firsts)%len(lasts)], Title: titles[n%len(titles)], Company: Company(n)}
	p.Email = strings.ToLower(p.First) + "." + strings.ToLower(p.Last) + "." + strconv.Itoa(n) + "@example.com"
	return p
}

// Company is the n-th of a few invented employers.
func Company(n int) string {
	names := [...]string{"Tidewater Observatory (example)", "Copperleaf Works (example)", "Lanternhouse School (example)",
		"Marlstone Library (example)", "Northlight Clinic (example)"}
	return names[n%len(names)]
}
