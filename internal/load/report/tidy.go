package report

import (
	"math"
	"reflect"
	"strings"
	"unicode"

	"github.com/turnout-events/turnout/internal/load/result"
)

// tidied copies a run with every word in it put through text and every figure
// through number, and with lists that are nil made empty. Times become UTC.
func tidied(run *result.Run, text func(string) string, number func(float64) float64) *result.Run {
	clean := copied(reflect.ValueOf(*run), text, number).Interface().(result.Run)
	clean.Began = run.Began.UTC()
	return &clean
}

func copied(v reflect.Value, text func(string) string, number func(float64) float64) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	out.Set(v)
	switch v.Kind() {
	case reflect.String:
		out.SetString(text(v.String()))
	case reflect.Float64:
		out.SetFloat(number(v.Float()))
	case reflect.Slice:
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(copied(v.Index(i), text, number))
		}
	case reflect.Pointer:
		if v.Type().Elem().Kind() == reflect.Struct && !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(copied(v.Elem(), text, number))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(copied(v.Field(i), text, number))
			}
		}
	}
	return out
}

// asIs leaves a word or a figure as it is.
func asIs[T any](v T) T { return v }

// numeric makes 0 of what is no number, since JSON has no word for it.
func numeric(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// legible replaces what would move a terminal's cursor, change its colour, or
// turn the direction in which the rest of a line is read.
func legible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}
