package records

import (
	"strconv"
	"strings"
	"time"
)

// memberStatuses are the words that every new campaign starts with; the first
// two are Salesforce's own.
func memberStatuses() []memberStatus {
	return []memberStatus{{"Sent", false}, {"Responded", true}, {"Registered", true}, {"Waitlisted", true}, {"Cancelled", true}, {"Declined", true}}
}

type memberStatus struct {
	label     string
	responded bool
}

// after does what Salesforce's own logic does behind a write.
func (tx *Tx) after(table *Table, row, old *Row) {
	if table.Object.Name == "Campaign" && old == nil {
		tx.addStatuses(table.ID(row))
	}
}

func (tx *Tx) addStatuses(campaign string) {
	statuses := tx.tableOf("CampaignMemberStatus")
	if statuses == nil {
		return
	}
	object := statuses.Object
	for i, status := range memberStatuses() {
		tx.insert(statuses, &Write{Op: Create, Object: object, Sets: []Set{
			{Field: object.Field("CampaignId"), Value: campaign},
			{Field: object.Field("Label"), Value: status.label},
			{Field: object.Field("SortOrder"), Value: strconv.Itoa(i + 1)},
			{Field: object.Field("IsDefault"), Value: boolText(i == 0)},
			{Field: object.Field("HasResponded"), Value: boolText(status.responded)},
		}})
	}
}

func (v View) tableOf(name string) *Table { return v.s.tables[v.s.schema.Object(name)] }

// campaignRules holds a CampaignMember to the rules that no field describes:
// one person, once per campaign, with a status that the campaign knows.
func (tx *Tx) campaignRules(table *Table, old *Row, values []string) []*Fault {
	if table.Object.Name != "CampaignMember" {
		return nil
	}
	get := func(name string) string { return values[table.Object.Field(name).Index] }
	campaign := get("CampaignId")
	if campaign == "" {
		return nil // the required-field check will say so
	}
	if get("ContactId") == "" && get("LeadId") == "" {
		return []*Fault{{Code: "REQUIRED_FIELD_MISSING", Message: "Required fields are missing: [LeadId, ContactId]", Fields: []string{"LeadId", "ContactId"}}}
	}
	if old == nil && tx.isMember(table, campaign, get) {
		return []*Fault{{Code: "DUPLICATE_VALUE", Message: "Already a campaign member."}}
	}
	return tx.memberStatus(table, old, campaign, values)
}

func (tx *Tx) isMember(table *Table, campaign string, get func(string) string) bool {
	campaignField := table.Object.Field("CampaignId")
	for _, name := range [...]string{"ContactId", "LeadId"} {
		person := get(name)
		if person == "" {
			continue
		}
		for _, pos := range table.Find(table.Object.Field(name), person) {
			if table.At(pos).Values[campaignField.Index] == campaign {
				return true
			}
		}
	}
	return false
}

// memberStatus checks the status word and fills what follows from it.
func (tx *Tx) memberStatus(table *Table, old *Row, campaign string, values []string) []*Fault {
	statuses := tx.tableOf("CampaignMemberStatus")
	label, isDefault, responded := statuses.Object.Field("Label"), statuses.Object.Field("IsDefault"), statuses.Object.Field("HasResponded")
	status := table.Object.Field("Status")
	for _, pos := range statuses.Find(statuses.Object.Field("CampaignId"), campaign) {
		row := statuses.At(pos)
		chosen := values[status.Index] == "" && row.Values[isDefault.Index] == "true" ||
			strings.EqualFold(values[status.Index], row.Values[label.Index])
		if !chosen {
			continue
		}
		values[status.Index] = row.Values[label.Index]
		values[table.Object.Field("HasResponded").Index] = row.Values[responded.Index]
		tx.firstResponse(table, values)
		tx.memberType(table, values)
		return nil
	}
	if _, row := tx.ByID(campaign); row == nil || row.Deleted || old != nil && old.Values[status.Index] == values[status.Index] {
		return nil // a bad campaign is refused by its own check
	}
	return []*Fault{{Code: "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", Fields: []string{"Status"},
		Message: "Status: bad value for restricted picklist field: " + values[status.Index]}}
}

func (tx *Tx) firstResponse(table *Table, values []string) {
	first := table.Object.Field("FirstRespondedDate")
	if values[table.Object.Field("HasResponded").Index] == "true" && values[first.Index] == "" {
		values[first.Index] = tx.s.now().UTC().Format(time.DateOnly)
	}
}

func (tx *Tx) memberType(table *Table, values []string) {
	kind := "Lead"
	if values[table.Object.Field("ContactId").Index] != "" {
		kind = "Contact"
	}
	values[table.Object.Field("Type").Index] = kind
}

// Parents lists, per write, the records that it would hold locked: the parents
// named by locking lookups, before and after the write.
func (v View) Parents(writes []Write) [][]string {
	parents := make([][]string, len(writes))
	for i := range writes {
		w := &writes[i]
		if w.Fault != nil {
			continue
		}
		parents[i] = v.parentsOf(w)
	}
	return parents
}

func (v View) parentsOf(w *Write) []string {
	table := v.Table(w.Object)
	var row *Row
	switch w.Op {
	case Update, Delete:
		row, _ = v.existing(table, w.ID)
	case Upsert:
		if found, _ := v.Match(w); len(found) == 1 {
			row = table.At(found[0])
		}
	}
	var parents []string
	for _, field := range w.Object.Fields {
		if field.Lock && row != nil && row.Values[field.Index] != "" {
			parents = append(parents, row.Values[field.Index])
		}
	}
	return append(parents, v.namedParents(w.Sets)...)
}

func (v View) namedParents(sets []Set) []string {
	var parents []string
	for _, set := range sets {
		if !set.Field.Lock || set.Value == "" {
			continue
		}
		id := set.Value
		if set.By != nil {
			id, _ = v.parentBy(set)
		}
		if len(id) == 15 && WellFormed(id) {
			id = long(id)
		}
		if _, row := v.ByID(id); row != nil {
			parents = append(parents, id)
		}
	}
	return parents
}
