package simulator

import (
	"image/jpeg"
	"regexp"
	"strings"
	"testing"

	"github.com/turnout-events/turnout/internal/simulator/scene"
)

func TestSample(t *testing.T) {
	o := open(t, Options{Sample: true})
	stats := o.want("GET", "/_sim/stats", "", 200, `"Turnout_Link__c":1000`)
	for _, part := range []string{`"Turnout_Event__c":6`, `"Campaign":5`, `"CampaignMember":100`, `"Turnout_Question__c":1`} {
		if !strings.Contains(stats, part) {
			t.Errorf("%s is not in %s", part, stats)
		}
	}
	body := o.soql("SELECT Name, Starts_At__c, (SELECT Name, Seats__c FROM Tickets__r ORDER BY Position__c), (SELECT Label__c FROM Questions__r) FROM Turnout_Event__c WHERE Slug__c = 'long-night-of-lenses'")
	if !strings.Contains(body, `"Tickets__r":{"totalSize":3,"done":true,"records":[{"attributes":{"type":"Turnout_Ticket__c"`) {
		t.Errorf("children: %s", body)
	}
	asked := o.soql("SELECT Type__c FROM Turnout_Question__c WHERE Event__r.Slug__c = 'reading-the-tide'")
	if !strings.Contains(asked, `"Type__c":"date"`) || !strings.Contains(asked, `"Type__c":"email"`) {
		t.Errorf("the field school asks for no date or e-mail address: %s", asked)
	}
	// Whoever wants to try a registration quickly, does it here.
	if body := o.soql("SELECT COUNT() FROM Turnout_Question__c WHERE Event__r.Slug__c = 'sky-from-your-sofa' AND Required__c = true"); !strings.Contains(body, `"totalSize":0`) {
		t.Errorf("the simple event asks for too much: %s", body)
	}
	if pictures := o.soql("SELECT COUNT() FROM Turnout_Event__c WHERE Image_URL__c != null"); !strings.Contains(pictures, `"totalSize":0`) {
		t.Errorf("without an address of the simulator's own: %s", pictures)
	}
	member := o.soql("SELECT FirstName, Email, CompanyOrAccount, Campaign.Turnout_Slug__c, Contact.Account.Name FROM CampaignMember WHERE ContactId != null LIMIT 1")
	if !strings.Contains(member, `"CompanyOrAccount":"Tidewater Observatory (example)"`) || !strings.Contains(member, `"Account":{"attributes"`) {
		t.Errorf("member: %s", member)
	}
	body = o.soql("SELECT Turnout_Details__c FROM Campaign WHERE Turnout_Slug__c = 'city-that-mends'")
	if strings.Contains(body, "{+") {
		t.Errorf("a relative date is left in the details: %s", body)
	}
	// It begins so many days from today, whatever day of the week that is.
	if day := regexp.MustCompile(`(?i)(mon|tues|wednes|thurs|fri|satur|sun)day`).FindString(body); day != "" {
		t.Errorf("%s is named where every day may be", day)
	}
}

// The sample's pictures are where its events say.
func TestSamplePictures(t *testing.T) {
	o := open(t, Options{Sample: true, Pictures: "http://sim.example"})
	for _, soql := range []string{"SELECT Image_URL__c FROM Turnout_Event__c WHERE Status__c = 'Published'", "SELECT Turnout_Details__c FROM Campaign WHERE Turnout_Published__c = true"} {
		found := regexp.MustCompile(`http://sim\.example(/_sim/pictures/[a-z-]+)`).FindAllStringSubmatch(o.soql(soql), -1)
		if len(found) < 4 {
			t.Errorf("%s finds %v", soql, found)
		}
		for _, f := range found {
			if picture, err := jpeg.Decode(strings.NewReader(o.want("GET", f[1], "", 200, "\xff\xd8\xff"))); err != nil || picture.Bounds().Dx() != scene.Width {
				t.Errorf("%s: %v", f[1], err)
			}
		}
	}
	o.want("GET", "/_sim/pictures/nothing", "", 404, "no picture")
}
