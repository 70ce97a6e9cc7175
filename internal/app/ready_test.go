package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func TestWriteReady(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ready.json")
	want := Ready{PID: 42, URL: "http://127.0.0.1:1", Admin: "http://127.0.0.1:2"}
	for _, r := range []Ready{{PID: 1, URL: "http://127.0.0.1:9"}, want} { // a restart writes it again
		if err := WriteReady(path, r); err != nil {
			t.Fatal(err)
		}
	}
	var got Ready
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("read %+v, %v", got, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v: whoever waits for it may be somebody else", info.Mode())
	}
}

// Whoever waits for the file never reads half of it.
func TestWriteReadyIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ready.json")
	big := make([]int, 20_000)
	if err := WriteReady(path, big); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 50 {
			if err := WriteReady(path, big); err != nil {
				t.Error(err)
			}
		}
	})
	for range 50 {
		var got []int
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &got); err != nil || len(got) != len(big) {
			t.Fatalf("read %d bytes: %v", len(text), err)
		}
	}
	wg.Wait()
}

func TestWriteReadyFails(t *testing.T) {
	dir := t.TempDir()
	if err := WriteReady("", Ready{}); err != nil {
		t.Errorf("no path: %v", err)
	}
	if err := WriteReady(filepath.Join(dir, "missing", "ready.json"), Ready{}); err == nil {
		t.Error("a directory that is missing is no error")
	}
	if err := WriteReady(filepath.Join(dir, "x"), func() {}); err == nil {
		t.Error("what is no JSON is no error")
	}
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteReady(filepath.Join(dir, "taken"), Ready{}); err == nil {
		t.Error("a directory in the way is no error")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}
