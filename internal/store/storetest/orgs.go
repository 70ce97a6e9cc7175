package storetest

import (
	"bytes"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
	"github.com/turnout-events/turnout/internal/seal"
)

func orgTests() map[string]func(*env) {
	return map[string]func(*env){
		"SetReadReplace":           testOrgs,
		"InOrderOfBytes":           testOrgsInOrder,
		"KeysRestAsHandedIn":       testOrgKeys,
		"TwoCreatorsShareOneKey":   testOrgKeysRace,
		"KeyringOverTwoProcesses":  testKeyring,
		"NobodyHasAnUnknownsOrgs":  testOrgUnknown,
		"ANewOrgIsUsableElsewhere": testOrgElsewhere,
		"P9ChangesAreOneStep":      testOrgChanges,
		"P9SettingsKeepAMigration": testOrgKeepsMove,
	}
}

func testOrgs(e *env) {
	beta := turnout.Org{ID: "beta", Name: "Beta", Hosts: []string{"events.beta.example.org"}, Mapping: "campaign", APIShare: 0.5,
		Secrets: turnout.Secrets{ClientSecret: "plain text that must not rest"}}
	before, err := e.LastChange(e.ctx)
	e.ok(err)
	e.ok(e.SetOrg(e.ctx, beta, []byte("first"), e.tick()))
	e.told(before, turnout.Change{Kind: turnout.ChangeOrg, Org: "beta", At: e.now})
	beta.Name = "Beta Ltd"
	e.ok(e.SetOrg(e.ctx, beta, []byte("second"), e.tick()))
	all, err := e.Orgs(e.ctx)
	e.ok(err)
	beta.Secrets = turnout.Secrets{}
	if len(all) != 2 || all[0].ID != acme || !reflect.DeepEqual(all[1], beta) {
		e.Errorf("got %+v", all)
	}
	secrets, err := e.OrgSecrets(e.ctx, "beta")
	if e.ok(err); string(secrets) != "second" {
		e.Errorf("got %q", secrets)
	}
}

// testOrgChanges: no change of an org's settings is lost to another one.
func testOrgChanges(e *env) {
	before, err := e.LastChange(e.ctx)
	e.ok(err)
	const writers, each = 4, 10
	var all sync.WaitGroup
	for w := range writers {
		store := e.Store
		if w%2 == 1 {
			store = e.again()
		}
		all.Go(func() {
			for range each {
				if err := store.UpdateOrg(e.ctx, acme, func(o turnout.Org) (turnout.Org, error) {
					o.APIShare++
					return o, nil
				}, e.now); err != nil {
					e.Error(err)
				}
			}
		})
	}
	all.Wait()
	orgs, err := e.Orgs(e.ctx)
	if e.ok(err); orgs[0].APIShare != writers*each || orgs[0].Name != "Acme" {
		e.Errorf("%d changes made %+v", writers*each, orgs[0])
	}
	changes, err := e.Changes(e.ctx, before, 1000)
	if e.ok(err); len(changes) != writers*each || changes[0].Kind != turnout.ChangeOrg || changes[0].Org != acme {
		e.Errorf("%d changes told %d", writers*each, len(changes))
	}
	secrets, err := e.OrgSecrets(e.ctx, acme)
	if e.ok(err); string(secrets) != "sealed secrets" {
		e.Errorf("the secrets became %q", secrets)
	}
	refused := turnout.Errorf(turnout.CodeConflict, "change", "not now")
	e.code(e.UpdateOrg(e.ctx, acme, func(o turnout.Org) (turnout.Org, error) { o.Name = "no"; return o, refused }, e.now), turnout.CodeConflict)
	e.code(e.UpdateOrg(e.ctx, "nobody", func(o turnout.Org) (turnout.Org, error) { return o, nil }, e.now), turnout.CodeNotFound)
	after, err := e.Orgs(e.ctx)
	if e.ok(err); !reflect.DeepEqual(after, orgs) {
		e.Errorf("a refused change made %+v", after)
	}
	seq, err := e.LastChange(e.ctx)
	if e.ok(err); len(changes) > 0 && seq != changes[len(changes)-1].Seq {
		e.Errorf("a refused change was told")
	}
}

// testOrgKeepsMove: what an operator sets keeps what a migration knows.
func testOrgKeepsMove(e *env) {
	e.ok(e.UpdateOrg(e.ctx, acme, func(o turnout.Org) (turnout.Org, error) {
		o.Move = &turnout.Move{To: "green", Wave: 1, Window: turnout.Night(), Pause: time.Hour, State: turnout.MoveWaiting, At: e.now}
		return o.Cutover(e.now)
	}, e.now))
	was, err := e.Orgs(e.ctx)
	e.ok(err)
	set := turnout.Org{ID: acme, Name: "Acme Ltd", Mapping: "turnout"}
	e.ok(e.SetOrg(e.ctx, set, []byte("new secrets"), e.tick()))
	is, err := e.Orgs(e.ctx)
	if e.ok(err); is[0].Name != "Acme Ltd" || !reflect.DeepEqual(is[0].Move, was[0].Move) || !reflect.DeepEqual(is[0].Placement, was[0].Placement) {
		e.Errorf("%+v became %+v", was[0], is[0])
	}
	seq, err := e.LastChange(e.ctx)
	e.ok(err)
	e.ok(e.UpdateOrg(e.ctx, acme, func(o turnout.Org) (turnout.Org, error) {
		m := *o.Move
		m.Obstacle, o.Move = "nobody is there", &m
		return o, nil
	}, e.now))
	if now, err := e.LastChange(e.ctx); err != nil || now != seq {
		e.Errorf("a change of the move alone is told to everybody: %v", err)
	}
	set.Placement.Stack = "blue"
	e.code(e.SetOrg(e.ctx, set, []byte("stolen"), e.tick()), turnout.CodeConflict)
	secrets, err := e.OrgSecrets(e.ctx, acme)
	if e.ok(err); string(secrets) != "new secrets" {
		e.Errorf("what was refused left %q", secrets)
	}
	e.ok(e.UpdateOrg(e.ctx, acme, func(o turnout.Org) (turnout.Org, error) { return o.Rollback(e.now) }, e.now))
	e.ok(e.SetOrg(e.ctx, set, []byte("s"), e.tick()))
	is, err = e.Orgs(e.ctx)
	if e.ok(err); is[0].Placement.Stack != "blue" || is[0].Placement.Previous != turnout.FirstStack || is[0].Move.State != turnout.MoveBack {
		e.Errorf("after the rollback it is %+v", is[0])
	}
}

// testOrgsInOrder: whatever languages the engine knows, ids are bytes.
func testOrgsInOrder(e *env) {
	for _, id := range []turnout.OrgID{"ab", "a0", "a-c", "a-b", "a"} {
		e.ok(e.SetOrg(e.ctx, turnout.Org{ID: id, Mapping: "turnout"}, []byte("s"), e.now))
	}
	all, err := e.Orgs(e.ctx)
	e.ok(err)
	var got []turnout.OrgID
	for _, o := range all {
		got = append(got, o.ID)
	}
	if want := []turnout.OrgID{"a", "a-b", "a-c", "a0", "ab", acme}; !slices.Equal(got, want) {
		e.Errorf("got %v, want %v", got, want)
	}
}

func testOrgUnknown(e *env) {
	_, err := e.OrgSecrets(e.ctx, "nobody")
	e.code(err, turnout.CodeNotFound)
	_, err = e.EnsureDataKeys(e.ctx, "nobody", []turnout.DataKey{person(1)})
	e.code(err, turnout.CodeNotFound)
	keys, err := e.OrgKeys(e.ctx, "nobody")
	if e.ok(err); len(keys) != 0 {
		e.Errorf("got %v", keys)
	}
}

func testOrgElsewhere(e *env) {
	other := e.again()
	e.ok(e.SetOrg(e.ctx, turnout.Org{ID: "beta", Mapping: "turnout"}, []byte("s"), start))
	e.ok(other.SetLedger(e.ctx, turnout.Ledger{Org: "beta", Event: summit, Open: true, Pools: pools(1)}, e.now))
}

func testOrgKeys(e *env) {
	keys := []seal.StoredKey{
		{Scope: "acme", Purpose: "index", Version: 1, Wrapped: []byte("i")},
		{Scope: "acme", Purpose: "wrap", Version: 1, Wrapped: []byte("w1")},
	}
	rest, err := e.AddOrgKeys(e.ctx, keys)
	if e.ok(err); !reflect.DeepEqual(rest, keys) {
		e.Errorf("got %v", rest)
	}
	second := seal.StoredKey{Scope: "acme", Purpose: "wrap", Version: 2, Wrapped: []byte("w2")}
	rest, err = e.AddOrgKeys(e.ctx, []seal.StoredKey{second, {Scope: "acme", Purpose: "wrap", Version: 1, Wrapped: []byte("too late")}})
	if e.ok(err); len(rest) != 3 || !bytes.Equal(rest[1].Wrapped, []byte("w1")) {
		e.Errorf("got %v", rest)
	}
	keys[1].Wrapped = []byte("rewrapped")
	e.ok(e.ReplaceOrgKeys(e.ctx, keys))
	rest, err = e.OrgKeys(e.ctx, "acme")
	if e.ok(err); !reflect.DeepEqual(rest, append(keys, second)) {
		e.Errorf("got %v", rest)
	}
}

func testOrgKeysRace(e *env) {
	other := e.again()
	answers := make([][]seal.StoredKey, 2)
	var wg sync.WaitGroup
	for i, store := range []Store{e.Store, other} {
		wg.Go(func() {
			var err error
			answers[i], err = store.AddOrgKeys(e.ctx, []seal.StoredKey{{Scope: "acme", Purpose: "wrap", Version: 1, Wrapped: []byte{byte(i)}}})
			if err != nil {
				e.Error(err)
			}
		})
	}
	wg.Wait()
	if len(answers[0]) != 1 || !reflect.DeepEqual(answers[0], answers[1]) {
		e.Errorf("two creators go on with %v and %v", answers[0], answers[1])
	}
}

func testKeyring(e *env) {
	master, err := seal.ParseMaster(seal.NewMasterLine())
	e.ok(err)
	load := func() (seal.Master, error) { return master, nil }
	one, two := seal.NewKeyring(e.Store, load), seal.NewKeyring(e.again(), load)
	var wg sync.WaitGroup
	rings := make([]*seal.Ring, 2)
	for i, k := range []*seal.Keyring{one, two} {
		wg.Go(func() {
			var err error
			if rings[i], err = k.Ring(e.ctx, "acme"); err != nil {
				e.Error(err)
			}
		})
	}
	wg.Wait()
	if e.Failed() {
		return
	}
	sealed := rings[0].Seal([]byte("hello"), "event", "1")
	if got, err := rings[1].Open(sealed, "event", "1"); err != nil || string(got) != "hello" {
		e.Errorf("what one process sealed opens in another as %q, %v", got, err)
	}
	if rings[0].Index("a@example.com") != rings[1].Index("a@example.com") {
		e.Error("two processes know one person by two indexes")
	}
}
