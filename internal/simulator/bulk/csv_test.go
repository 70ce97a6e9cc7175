package bulk

import (
	"slices"
	"testing"
)

func TestReadCSV(t *testing.T) {
	header, rows, err := ReadCSV([]byte("\xef\xbb\xbfA;\"B\"\r\n1;\"x;\"\"y\"\r\n;\r\n"), "SEMICOLON")
	if err != nil || !slices.Equal(header, []string{"A", "B"}) || len(rows) != 2 || rows[0][1] != `x;"y` {
		t.Errorf("%q %q %v", header, rows, err)
	}
	if _, _, err := ReadCSV([]byte("A,B\n1\n"), "COMMA"); err == nil {
		t.Error("a short row was taken")
	}
}

// What is written is read back the same.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("A,B\n\"x\ny\",2\n"), "COMMA")
	f.Add([]byte("A|B\r\n1|2"), "PIPE")
	f.Fuzz(func(t *testing.T, data []byte, delimiter string) {
		header, rows, err := ReadCSV(data, delimiter)
		if err != nil || header == nil {
			return
		}
		text := AppendCSV(nil, header, delimiter, "LF")
		for _, row := range rows {
			text = AppendCSV(text, row, delimiter, "LF")
		}
		_, again, err := ReadCSV(text, delimiter)
		if err != nil || len(again) != len(rows) {
			t.Fatalf("%d rows became %d: %v", len(rows), len(again), err)
		}
		for i := range rows {
			if !slices.Equal(rows[i], again[i]) {
				t.Fatalf("%q became %q", rows[i], again[i])
			}
		}
	})
}
