package bulk

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// delimiter is the character behind a columnDelimiter of the API.
func delimiter(name string) (byte, bool) {
	switch name {
	case "COMMA", "":
		return ',', true
	case "SEMICOLON":
		return ';', true
	case "PIPE":
		return '|', true
	case "TAB":
		return '\t', true
	case "CARET":
		return '^', true
	case "BACKQUOTE":
		return '`', true
	}
	return 0, false
}

// ReadCSV reads an upload: a header and rows as wide as it. A byte order mark
// is skipped, either line ending is accepted, an empty upload has no header.
func ReadCSV(data []byte, delimiterName string) (header []string, rows [][]string, err error) {
	comma, ok := delimiter(delimiterName)
	if !ok {
		return nil, nil, fmt.Errorf("unknown column delimiter %q", delimiterName)
	}
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))))
	reader.Comma = rune(comma)
	header, err = reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the header: %w", err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return header, rows, nil
		}
		if err != nil {
			return header, nil, fmt.Errorf("reading row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
}

// AppendCSV appends one line with every value in quotes, as Salesforce writes
// its results.
func AppendCSV(b []byte, values []string, delimiterName, lineEnding string) []byte {
	comma, ok := delimiter(delimiterName)
	if !ok {
		comma = ','
	}
	for i, value := range values {
		if i > 0 {
			b = append(b, comma)
		}
		b = append(b, '"')
		b = append(b, strings.ReplaceAll(value, `"`, `""`)...)
		b = append(b, '"')
	}
	if lineEnding == "CRLF" {
		b = append(b, '\r')
	}
	return append(b, '\n')
}
