package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/turnout-events/turnout"
)

func fileTests() map[string]func(*env) {
	return map[string]func(*env){
		"WriteReadReplaceDelete": testFile,
		"ListedByPrefix":         testFilePrefix,
		"AnyBytesAreKept":        testFileBytes,
		"EdgesShareThem":         testFileElsewhere,
		"NoChangeIsLost":         testFileChanges,
		"RandomAsAMapWould":      testFileModel,
	}
}

func (e *env) file(name, want string) {
	e.Helper()
	got, modified, err := e.File(e.ctx, name)
	if e.ok(err); string(got) != want || !modified.Equal(e.now) {
		e.Errorf("%s is %q of %v, want %q of %v", name, got, modified, want, e.now)
	}
}

func (e *env) noFile(name string) {
	e.Helper()
	_, _, err := e.File(e.ctx, name)
	e.code(err, turnout.CodeNotFound)
}

func testFile(e *env) {
	e.noFile("certificates/a")
	e.ok(e.PutFile(e.ctx, "certificates/a", []byte("first"), e.tick()))
	e.file("certificates/a", "first")
	e.ok(e.PutFile(e.ctx, "certificates/a", []byte("second, and longer"), e.tick()))
	e.file("certificates/a", "second, and longer")
	e.noFile("certificates")
	e.noFile("certificates/A")
	for range 2 {
		e.ok(e.DeleteFile(e.ctx, "certificates/a"))
		e.noFile("certificates/a")
	}
}

func testFilePrefix(e *env) {
	names := []string{"a", "a/1", "a/2/x", "a/2/\U0010ffffx", "a0", "ab/1", "B/1", "a/%", "a/_"}
	for i, name := range names {
		e.ok(e.PutFile(e.ctx, name, bytes.Repeat([]byte("v"), i), e.tick()))
	}
	for _, prefix := range []string{"", "a", "a/", "a/2/", "ab/", "b", "B", "a/%", "a/_", "z"} {
		var want []string
		for _, name := range names {
			if strings.HasPrefix(name, prefix) && !strings.HasPrefix(name, prefix+"\U0010ffff") {
				want = append(want, name)
			}
		}
		slices.Sort(want)
		got, err := e.Files(e.ctx, prefix)
		e.ok(err)
		if !slices.Equal(namesOf(got), want) {
			e.Errorf("%q lists %q, want %q", prefix, namesOf(got), want)
		}
	}
	got, err := e.Files(e.ctx, "a0")
	if e.ok(err); got[0].Size != 4 || !got[0].Modified.Equal(start.Add(5*1e9)) {
		e.Errorf("got %+v", got)
	}
}

func namesOf(files []turnout.FileInfo) []string {
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.Name
	}
	return names
}

func testFileBytes(e *env) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for i, value := range [][]byte{nil, {}, {0}, every, bytes.Repeat(every, 1024)} {
		name := fmt.Sprint("file ", i)
		e.ok(e.PutFile(e.ctx, name, value, e.tick()))
		e.file(name, string(value))
	}
}

func testFileElsewhere(e *env) {
	other := e.again()
	var wg sync.WaitGroup
	for i := range 20 {
		store := []Store{e.Store, other}[i%2]
		wg.Go(func() {
			if err := store.PutFile(e.ctx, fmt.Sprintf("f/%02d", i), []byte{byte(i)}, e.now); err != nil {
				e.Error(err)
			}
		})
	}
	wg.Wait()
	for _, store := range []Store{e.Store, other} {
		got, err := store.Files(e.ctx, "f/")
		if e.ok(err); len(got) != 20 {
			e.Errorf("%d of 20 files", len(got))
		}
	}
	e.ok(other.DeleteFile(e.ctx, "f/07"))
	e.noFile("f/07")
}

// testFileChanges has two handles add to one file: no addition is lost, and an
// error changes nothing.
func testFileChanges(e *env) {
	other := e.again()
	reads := func(name, want string) { // the time is the store's own
		if got, _, err := e.File(e.ctx, name); err != nil || string(got) != want {
			e.Errorf("%s is %q, %v, want %q", name, got, err, want)
		}
	}
	var wg sync.WaitGroup
	for i := range 40 {
		store := []Store{e.Store, other}[i%2]
		wg.Go(func() {
			err := store.ChangeFile(e.ctx, "count", func(old []byte, now time.Time) ([]byte, error) {
				if now.IsZero() {
					return nil, errors.New("there is no time")
				}
				return append(slices.Clone(old), 'x'), nil
			})
			if err != nil {
				e.Error(err)
			}
		})
	}
	wg.Wait()
	reads("count", strings.Repeat("x", 40))
	refused := errors.New("refused")
	err := e.ChangeFile(e.ctx, "count", func(old []byte, _ time.Time) ([]byte, error) { return nil, refused })
	if !errors.Is(err, refused) {
		e.Errorf("got %v", err)
	}
	reads("count", strings.Repeat("x", 40))
	err = e.ChangeFile(e.ctx, "new", func(old []byte, _ time.Time) ([]byte, error) {
		if old != nil {
			return nil, refused
		}
		return []byte("first"), nil
	})
	e.ok(err)
	reads("new", "first")
}

func testFileModel(e *env) {
	rnd := rand.New(rand.NewPCG(20270301, 7))
	model := map[string]string{}
	for range 300 {
		name := fmt.Sprintf("%c/%c", 'a'+rnd.IntN(3), 'a'+rnd.IntN(4))
		switch rnd.IntN(3) {
		case 0:
			e.ok(e.DeleteFile(e.ctx, name))
			delete(model, name)
		default:
			model[name] = fmt.Sprint(rnd.Uint64())
			e.ok(e.PutFile(e.ctx, name, []byte(model[name]), e.tick()))
			e.file(name, model[name])
		}
		got, err := e.Files(e.ctx, "")
		if e.ok(err); !slices.Equal(namesOf(got), slices.Sorted(maps.Keys(model))) {
			e.Fatalf("got %q, want %q", namesOf(got), slices.Sorted(maps.Keys(model)))
		}
	}
}
