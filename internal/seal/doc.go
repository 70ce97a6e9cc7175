// Package seal encrypts what Turnout keeps of people, so that forgetting a
// person is destroying one key (P8).
//
// Three layers of keys, each wrapped by the one above:
//
//	Master   the operator's; a file, the environment or a KMS
//	org key  one Ring per scope (an org), kept wrapped in the store
//	DataKey  one per person, kept wrapped in one table of the store
//
// Everything is AES-256-GCM from the standard library with random nonces and
// with associated data that names scope, person, kind of record, record and
// format version: a sealed value opens only where it was put. A value that
// does not open is an error (ErrSealed), never a miss.
//
// What to call: OpenMaster once; NewKeyring; Keyring.Ring per org; then
// Ring.NewDataKey, Ring.DataKey, DataKey.Seal and DataKey.Open per person, and
// Ring.Seal and Ring.Open for what belongs to the org and not to a person.
// All types are safe for concurrent use.
package seal
