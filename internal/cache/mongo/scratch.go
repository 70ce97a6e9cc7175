package mongo

import (
	"context"
	"errors"
	"strings"

	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/turnout-events/turnout"
)

// Beside is the URL of another database of the server that url names. Whoever
// signs in does so where the first URL says.
func Beside(url, database string) string {
	base, query, _ := strings.Cut(url, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	hosts, source, _ := strings.Cut(rest, "/")
	if strings.Contains(hosts, "@") && !strings.Contains(strings.ToLower(query), "authsource=") {
		if source == "" {
			source = "admin"
		}
		query = strings.TrimPrefix(query+"&authSource="+source, "&")
	}
	return strings.TrimSuffix(scheme+"://"+hosts+"/"+database+"?"+query, "?")
}

// Drop drops the database that url names, for a run of the conformance suite,
// which has made it.
func Drop(ctx context.Context, url string) error {
	set, at, err := parse(url)
	if err != nil {
		return turnout.Errorf(turnout.CodeMisconfigured, "drop database", "%v", err)
	}
	client, err := driver.Connect(set.SetServerSelectionTimeout(longest))
	if err != nil {
		return turnout.Errorf(turnout.CodeMisconfigured, "drop database", "%v", errUnreadable)
	}
	err = do(ctx, "drop database "+at.database, longest, client.Database(at.database).Drop)
	return errors.Join(err, client.Disconnect(context.WithoutCancel(ctx)))
}
