package seal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/turnout-events/turnout"
)

// distant is a master key at a service that may be slow or away.
type distant struct {
	Master
	gate chan struct{} // holds calls until it is closed; nil holds none
	err  error
}

func (d *distant) Unwrap(ctx context.Context, wrapped, ad []byte) ([]byte, error) {
	if d.gate != nil {
		<-d.gate
	}
	if d.err != nil {
		return nil, d.err
	}
	return d.Master.Unwrap(ctx, wrapped, ad)
}

func distantKeyring(t *testing.T, s *shelf) (*Keyring, *distant) {
	t.Helper()
	file, err := ParseMaster(NewMasterLine())
	if err != nil {
		t.Fatal(err)
	}
	d := &distant{Master: file}
	return NewKeyring(s, func() (Master, error) { return d, nil }), d
}

// A master key that does not answer for one org keeps no other org waiting,
// and no caller longer than it wants.
func TestSlowMasterHoldsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, d := distantKeyring(t, &shelf{})
		mustRing(t, k, "acme")
		d.gate = make(chan struct{})
		got := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := k.Ring(t.Context(), "other")
				got <- err
			}()
		}
		synctest.Wait()
		mustRing(t, k, "acme") // would deadlock if "other" held it
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := k.Ring(impatient, "other"); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller that left: %v", err)
		}
		close(d.gate)
		for range 2 {
			if err := <-got; err != nil {
				t.Error(err)
			}
		}
	})
}

// What was being read when it was dropped is not kept: it may be old.
func TestDropDuringReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, d := distantKeyring(t, &shelf{})
		mustRing(t, k, "acme")
		k.Drop("acme")
		gate := make(chan struct{})
		d.gate = gate
		first := make(chan *Ring, 1)
		go func() {
			r, _ := k.Ring(t.Context(), "acme")
			first <- r
		}()
		synctest.Wait()
		k.Drop("acme")
		close(gate)
		old := <-first
		if mustRing(t, k, "acme") == old {
			t.Error("the reading from before the drop was kept")
		}
	})
}

// P8: with the master key away, what is in memory goes on, whoever asks to read
// it again; wrong keys are never passed over so.
func TestP8KeysInMemoryOutlastTheMaster(t *testing.T) {
	s := &shelf{}
	k, d := distantKeyring(t, s)
	ring := mustRing(t, k, "acme")
	d.err = turnout.Errorf(turnout.CodeUnavailable, "unwrap org key", "away")
	k.Drop("acme")
	if mustRing(t, k, "acme") != ring {
		t.Error("the keys in memory are lost")
	}
	if _, err := k.Rotate(t.Context(), "acme"); turnout.CodeOf(err) != turnout.CodeUnavailable {
		t.Errorf("rotate: %v", err)
	}
	d.err = ErrSealed
	k.Drop("")
	if _, err := k.Ring(t.Context(), "acme"); !errors.Is(err, ErrSealed) {
		t.Errorf("keys that do not open: %v", err)
	}
	d.err = nil
	if r := mustRing(t, k, "acme"); r.current != 2 {
		t.Errorf("org key version is %d, want the rotated one", r.current)
	}
}
