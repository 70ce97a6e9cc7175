package salesforce

// What a call is for, as Options.Observe is told.
const (
	opToken    = "token"
	opQuery    = "query"
	opUpsert   = "upsert"
	opUpdate   = "update"
	opBulk     = "bulk"
	opDescribe = "describe"
	opVersions = "versions"
)

// Operations are all that Options.Observe may be told.
func Operations() []string {
	return []string{opToken, opQuery, opUpsert, opUpdate, opBulk, opDescribe, opVersions}
}
